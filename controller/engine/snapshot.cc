#include "controller/engine/snapshot.h"

#include <algorithm>
#include <string>
#include <vector>

namespace jobrun {

Snapshot SnapshotOf(const Core& core) {
  const std::vector<std::string>& names = core.policies.Labels().Names();
  Snapshot snapshot;
  snapshot.lanes.resize(names.size());
  for (std::size_t lane = 0; lane < names.size(); ++lane) {
    snapshot.lanes[lane].lane = names[lane];
    if (lane < core.runs_by_lane.size()) snapshot.lanes[lane].runs = core.runs_by_lane[lane];
  }
  core.store.ForEach([&](Slot, const RunRecord& record) {
    if (record.phase != Phase::kRunning || !record.has_beaten) return;
    auto& oldest = snapshot.lanes[core.LabelOf(record)].oldest_heartbeat;
    const Mono seen = core.now.mono - (core.now.silence - core.LastSign(record));
    oldest = std::min(oldest.value_or(Mono::max()), seen);
  });
  snapshot.runs = core.store.Size();
  snapshot.policies = core.policies.Size();
  snapshot.timers = core.timers.Size();
  snapshot.leading = core.leading;
  snapshot.silence_clock_stopped = core.silence.Stopped();
  snapshot.taken_at = core.now.mono;
  return snapshot;
}

}  // namespace jobrun
