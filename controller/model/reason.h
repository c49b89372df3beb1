// Why a run was ended by the controller. The names are API: they stand in status.reason, in metric
// labels and in the documents; the order is that of the verdict table (docs/verdicts.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "controller/model/phase.h"

namespace jobrun {

enum class Reason : std::uint8_t {
  kPendingDeadlineExceeded,
  kCompletionGateUnmet,
  kExitNonZero,
  kDeadlineExceeded,
  kCancelled,
  kExecutorLost,
  kHeartbeatTimeout,
  kHeartbeatNeverStarted,
  kClaimExpired,
  kNoProgress,
  kBackstopExceeded,
  kFinalizedByController,  // last, because it reaps nobody
};

struct ReasonInfo {
  std::string_view name;
  Phase phase;     // what a run with this verdict becomes
  bool retryable;  // retried unless the run or its lane names the reasons itself
};

inline constexpr std::size_t kReasonCount = 12;
// The reasons that jobrun_reaps_total counts: all but FinalizedByController.
inline constexpr std::size_t kReapReasonCount = kReasonCount - 1;
inline constexpr std::array<ReasonInfo, kReasonCount> kReasons = {{
    {"PendingDeadlineExceeded", Phase::kFailed, false},
    {"CompletionGateUnmet", Phase::kFailed, true},
    {"ExitNonZero", Phase::kFailed, true},
    {"DeadlineExceeded", Phase::kFailed, false},
    {"Cancelled", Phase::kFailed, false},
    {"ExecutorLost", Phase::kStuck, true},
    {"HeartbeatTimeout", Phase::kStuck, true},
    {"HeartbeatNeverStarted", Phase::kStuck, true},
    {"ClaimExpired", Phase::kStuck, true},
    {"NoProgress", Phase::kStuck, true},
    {"BackstopExceeded", Phase::kStuck, true},
    {"FinalizedByController", Phase::kSucceeded, false},
}};

[[nodiscard]] constexpr const ReasonInfo& Info(Reason reason) {
  return kReasons[static_cast<std::size_t>(reason)];
}

[[nodiscard]] constexpr std::optional<Reason> ParseReason(std::string_view name) {
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    if (kReasons[i].name == name) return static_cast<Reason>(i);
  }
  return std::nullopt;
}

}  // namespace jobrun
