// Whether a run that ended is retried, when, and under which name. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/time.h"
#include "controller/model/retry.h"
#include "controller/model/uid.h"

namespace jobrun {

// A run that became Failed or Stuck.
struct EndedRun {
  std::string_view reason{};  // of the verdict table, or its worker's own
  std::uint32_t attempt{1};
  std::optional<std::int32_t> exit_code{};
};

struct RetryPlan {
  RetryState state{RetryState::kNotDue};  // kPending, kExhausted or kNotDue
  Nanos wait{};                           // kPending: from its end to the successor's creation

  bool operator==(const RetryPlan&) const = default;
};

//  - A reason of the verdict table is retried if the table says so, any other reason (a worker's
//  own
//    report) is; a policy that lists reasons decides instead.
//  - Exit codes other than 0 are filtered by the policy's lists.
//  - A run that its worker handed back costs no attempt and is retried whatever the policy says of
//    attempts: it is not the run that failed.
//  - The wait doubles from attempt to attempt up to the policy's longest, of which a tenth is
//  jitter;
//    `unit` in [0, 1) draws it.
[[nodiscard]] RetryPlan PlanRetry(const RetryPolicy& policy, const EndedRun& run, double unit);

// The attempt number of the successor.
[[nodiscard]] std::uint32_t NextAttempt(const EndedRun& run);

// The successor's name: derived from the run's name and uid alone, at most 63 characters, a DNS
// subdomain. However long a chain of retries, names do not grow.
[[nodiscard]] std::string SuccessorName(std::string_view name, Uid uid);

}  // namespace jobrun
