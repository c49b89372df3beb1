// What the Reaper tells of its work, to people and to metrics.
#include <algorithm>

#include "controller/engine/reaper.h"

namespace jobrun {

void Reaper::Explain(Slot slot, Explanation& explanation) const {
  const RunRecord& record = core_.store.At(slot);
  if (record.queued) explanation.writing = "queued";
  if (record.busy) explanation.writing = "under way";
  const Decision decision = Decide(core_.SubjectOf(record), core_.now);
  const auto* reap = std::get_if<Reap>(&decision);
  if (reap == nullptr) return;
  explanation.reason = Info(reap->reason).name;
  explanation.overdue = reap->overdue;
  if (const auto gate = GateOf(slot, *reap)) {
    explanation.held_by = kSuppressionNames[static_cast<std::size_t>(gate->cause)];
    explanation.looked_at_again_in = gate->again - core_.now.mono;
  } else if (const auto attempt = attempts_.find(slot); attempt != attempts_.end() &&
                                                        !record.busy && !record.queued &&
                                                        record.timer > core_.now.mono) {
    explanation.held_by = "refused";
    explanation.looked_at_again_in = record.timer - core_.now.mono;
  }
}

void Reaper::TakeWork(Snapshot& snapshot) const {
  snapshot.waiting = Queued();
  snapshot.working = InFlight();
  for (const auto& [id, flight] : in_flight_) {
    const Nanos took = core_.now.mono - flight.begun;
    snapshot.unfinished += took;
    snapshot.longest_running = std::max(snapshot.longest_running, took);
  }
}

}  // namespace jobrun
