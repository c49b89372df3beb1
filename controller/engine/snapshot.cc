#include "controller/engine/snapshot.h"

#include <algorithm>
#include <string>
#include <vector>

namespace jobrun {
namespace {

void TakeOldest(const Core& core, const RunRecord& record, Snapshot& snapshot) {
  const bool waits = record.phase == Phase::kPending && !record.being_deleted;
  const bool beats = record.phase == Phase::kRunning && record.has_beaten;
  if (record.departed || (!waits && !beats)) return;
  Snapshot::LaneGauges& lane = snapshot.lanes[core.LabelOf(record)];
  if (waits) {
    lane.oldest_pending =
        std::min(lane.oldest_pending.value_or(record.started_at), record.started_at);
  } else {
    const Mono seen = core.now.mono - (core.now.silence - core.LastSign(record));
    lane.oldest_heartbeat = std::min(lane.oldest_heartbeat.value_or(seen), seen);
  }
}

}  // namespace

Snapshot SnapshotOf(const Core& core) {
  const std::vector<std::string>& names = core.policies.Labels().Names();
  Snapshot snapshot;
  snapshot.lanes.resize(names.size());
  for (std::size_t lane = 0; lane < names.size(); ++lane) {
    snapshot.lanes[lane].lane = names[lane];
    if (lane < core.runs_by_lane.size()) snapshot.lanes[lane].runs = core.runs_by_lane[lane];
    if (lane < core.heartbeat_gaps.size()) {
      snapshot.lanes[lane].heartbeat_gaps = core.heartbeat_gaps[lane];
    }
  }
  for (const Lane& lane : core.settings.lanes) {
    snapshot.lanes[core.policies.Labels().Find(lane.name)].held = lane.held;
  }
  core.store.ForEach([&](Slot, const RunRecord& record) { TakeOldest(core, record, snapshot); });
  snapshot.in_flight_max = core.settings.rate_limit.in_flight;
  snapshot.worker_clock_skew = core.worker_clock_skew;
  snapshot.runs = core.store.Size();
  snapshot.policies = core.policies.Size();
  snapshot.timers = core.timers.Size();
  snapshot.leading = core.leading;
  snapshot.selects = core.Selects();
  snapshot.silence_clock_stopped = core.silence.Stopped();
  snapshot.taken_at = core.now.mono;
  return snapshot;
}

}  // namespace jobrun
