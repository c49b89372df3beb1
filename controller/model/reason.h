// Why a run was reaped. The names are API: they stand in status.reason, in metric labels and in the
// documents; the order is that of the verdict table (docs/verdicts.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "controller/model/phase.h"

namespace jobrun {

enum class Reason : std::uint8_t {
  kPendingDeadlineExceeded,
  kDeadlineExceeded,
  kHeartbeatTimeout,
  kHeartbeatNeverStarted,
  kClaimExpired,
  kBackstopExceeded,
};

struct ReasonInfo {
  std::string_view name;
  Phase phase;  // what a run with this verdict becomes
};

inline constexpr std::size_t kReasonCount = 6;
inline constexpr std::array<ReasonInfo, kReasonCount> kReasons = {{
    {"PendingDeadlineExceeded", Phase::kFailed},
    {"DeadlineExceeded", Phase::kFailed},
    {"HeartbeatTimeout", Phase::kStuck},
    {"HeartbeatNeverStarted", Phase::kStuck},
    {"ClaimExpired", Phase::kStuck},
    {"BackstopExceeded", Phase::kStuck},
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
