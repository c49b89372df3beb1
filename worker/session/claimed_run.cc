#include "worker/session/claimed_run.h"

#include <utility>

#include "controller/wire/worker_patch.h"

namespace jobrun {

Result<ClaimedRun> ReadClaimedRun(EventDecoder& decoder, std::string_view json) {
  const Event event = decoder.DecodeObject(json);
  if (event.type == EventType::kInvalid) {
    return Error{Code::kInvalid, "read the run", std::string(event.message)};
  }
  const ObservedRun& seen = event.run;
  ClaimedRun run{.name_space = std::string(seen.name_space),
                 .name = std::string(seen.name),
                 .uid = seen.uid,
                 .resource_version = seen.resource_version,
                 .being_deleted = seen.being_deleted,
                 .lane = std::string(seen.lane),
                 .cancelled = seen.cancelled,
                 .attempt = seen.attempt,
                 .phase = seen.phase,
                 .claimed_at = std::string(seen.claimed_at),
                 .claimed_by = std::string(seen.claimed_by),
                 .reason = std::string(seen.reason),
                 .completion_time = std::string(seen.completion_time),
                 .conditions_json = std::string(seen.conditions_json)};
  Result<WorkOrder> order = ReadWorkOrder(seen.spec_json);
  if (!order) return order.error();
  run.assigned_to = std::move(order->assigned_to);
  run.payload_json = std::move(order->payload_json);
  Result<Thresholds> thresholds = decoder.DecodeThresholds(seen.spec_json);
  if (!thresholds) return thresholds.error();
  run.thresholds = std::move(thresholds).value();
  return run;
}

std::string FenceText(const std::string& title, Uid mine, const ClaimedRun& seen) {
  if (seen.uid != mine && !mine.IsNone()) return title + " is another run by now";
  if (IsTerminal(seen.phase)) {
    std::string text = title + " is " + std::string(PhaseName(seen.phase));
    if (!seen.reason.empty()) text += " (" + seen.reason + ")";
    if (!seen.completion_time.empty()) text += " since " + seen.completion_time;
    return text;
  }
  return title + " is claimed by " + seen.claimed_by + " since " + seen.claimed_at;
}

}  // namespace jobrun
