// Which runs are dead: one pure function over the rules of verdict/rules.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "controller/base/time.h"
#include "controller/model/phase.h"
#include "controller/model/reason.h"
#include "controller/model/thresholds.h"

namespace jobrun {

// A run as the rules see it. `since` is on the silence clock, so that a rule needs no clock of its
// own:
//   Pending:                           when it was created
//   Running, no heartbeat yet:         when it was claimed
//   Running with a heartbeat:          when its present heartbeat was first seen here
// It may be later than that (after a threshold was lowered), never earlier; so may the others be.
struct Subject {
  Phase phase{Phase::kPending};
  bool being_deleted{false};
  // lastHeartbeatAt is set and differs from claimedAt by at least a second: the worker has beaten
  // since its claim.
  bool has_beaten{false};
  Policy policy{};
  Silence since{};
  ServerTime started_at{};  // the claim, on the API server's clock, never before the true one

  // The work has exited. `finalizing_since`: when that, or a later heartbeat, was first seen here.
  std::optional<std::int32_t> exit_code{};
  Silence finalizing_since{};
  std::string_view unmet_gate{};             // a completion gate that is not True; empty: all are
  Silence progress_since{};                  // when its present progress was first seen here
  std::optional<Silence> cancelled_since{};  // when it was first seen to be cancelled

  // When the loss of the pod it runs in was confirmed, and the words for it: "pod a: out of
  // memory".
  std::optional<Silence> executor_lost_since{};
  std::string_view executor_fate{};
};

// Nothing can make this run due but a change of the object or of the configuration.
struct Ignore {
  bool operator==(const Ignore&) const = default;
};
// Nothing is due; judge again after `in`, earlier if the object changes.
struct Recheck {
  Nanos in{};
  bool operator==(const Recheck&) const = default;
};
// Dead, and has been due for `overdue`. Whether it may be written is in the policy (reaping, held).
struct Reap {
  Reason reason{};
  Nanos overdue{};
  bool operator==(const Reap&) const = default;
};
using Decision = std::variant<Ignore, Recheck, Reap>;

[[nodiscard]] Decision Decide(const Subject& run, const Now& now);

// What one row of the table says by itself.
struct RowDecision {
  std::string_view row{};   // "6"
  std::string_view rule{};  // as in verdict/rules.h
  Decision decision{};      // Ignore: it can't become due as things are
};
// All rows that are looked at for such a run, in their order.
[[nodiscard]] std::vector<RowDecision> DecideByRow(const Subject& run, const Now& now);

// The sentence for status.message: what was seen and which limit it broke.
[[nodiscard]] std::string VerdictMessage(const Subject& run, Reason reason);

// The shortest silence that could now make `run` Stuck; nothing when none can.
[[nodiscard]] std::optional<Seconds> SilenceLimit(const Subject& run);

// Whether the run's start must be recorded on the server (status.startTime), because a limit counts
// from it.
[[nodiscard]] bool NeedsStartTime(const Policy& policy);

}  // namespace jobrun
