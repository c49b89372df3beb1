#include "worker/session/cadence.h"

#include <algorithm>

namespace jobrun {
namespace {

// As the controller has it for a run, lane and configuration that say nothing (docs/verdicts.md).
constexpr Policy kBuiltIn{};
constexpr Nanos kShortestDeadline = std::chrono::milliseconds(250);
constexpr Nanos kLongestDeadline = std::chrono::seconds(10);
constexpr Nanos kLongestRetry = std::chrono::seconds(5);
constexpr Nanos kShortestLook = std::chrono::seconds(5);

}  // namespace

Cadence CadenceOf(const Thresholds& run, const CadenceOptions& options) {
  const Seconds interval =
      options.interval.value_or(run.heartbeat_interval.value_or(kBuiltIn.heartbeat_interval));
  const Seconds asked =
      options.timeout.value_or(run.heartbeat_timeout.value_or(kBuiltIn.heartbeat_timeout));
  const Nanos timeout = std::max<Nanos>(asked, 2 * Nanos(interval));  // as the controller raises it
  const Nanos grace = run.cancel_grace.value_or(kBuiltIn.cancel_grace);
  const Nanos period = std::min<Nanos>(interval, timeout / 3);
  return {.period = period,
          .deadline = std::clamp(period / 2, kShortestDeadline, kLongestDeadline),
          .retry = std::min(period / 4, kLongestRetry),
          .timeout = timeout,
          .look = std::min(timeout, std::max(grace / 2, kShortestLook))};
}

}  // namespace jobrun
