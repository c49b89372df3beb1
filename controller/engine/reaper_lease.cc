// The Reaper's steps around a Lease by which a worker beats: it is deleted, in the version that was
// judged, before the silence of its runs is written.
#include <string>

#include "controller/engine/object_key.h"
#include "controller/engine/reaper.h"
#include "controller/wire/http_status.h"
#include "controller/wire/successor.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// A run about whose Lease another run's verdict is asking looks again so soon, and asks itself when
// that takes longer than any request may.
constexpr Nanos kLeaseAgain = std::chrono::seconds(1);
constexpr Nanos kAnswerMax = std::chrono::seconds(10);

std::string TargetOf(const WorkerLease& lease) {
  return LeaseTarget(NamespaceIn(lease.key), NameIn(lease.key));
}

}  // namespace

// Rows 6 to 8 rest on silence alone; what the others rest on a Lease does not excuse.
Leases::Need Reaper::NeedOfLease(Slot slot, Reason reason) const {
  const bool of_silence = reason == Reason::kHeartbeatTimeout ||
                          reason == Reason::kHeartbeatNeverStarted ||
                          reason == Reason::kClaimExpired;
  if (!of_silence) return Leases::Need::kNothing;
  return leases_.NeedOf(core_.store.At(slot));
}

void Reaper::SeeToLease(Slot slot, Reason reason) {
  const RunRecord& record = core_.store.At(slot);
  WorkerLease& lease = *core_.leases.at(record.uid);
  if (NeedOfLease(slot, reason) == Leases::Need::kWait) {
    return core_.timers.Arm(slot, core_.now.mono + leases_.WaitLeft(record));
  }
  if (core_.now.mono < lease.asked_until) {
    return core_.timers.Arm(slot, core_.now.mono + kLeaseAgain);
  }
  lease.asked_until = core_.now.mono + kAnswerMax;
  if (lease.uid.IsNone()) {
    return Send(slot, Doing::kReadingLease, reason, {.target = TargetOf(lease)});
  }
  Send(slot, Doing::kDeletingLease, reason,
       {.method = Method::kDelete,
        .target = TargetOf(lease),
        .content_type = "application/json",
        .body = WriteDeleteOptions(lease.uid, lease.resource_version)});
}

// Goes on with a verdict for which something about the Lease is known now.
Reaper::Next Reaper::GoOn(Slot slot) {
  if (Idle()) return Next::kJudge;
  core_.store.At(slot).busy = false;
  Begin(slot, AttemptOf(slot).begun);
  return Next::kWait;
}

Reaper::Next Reaper::OnLeaseDeleted(const Flight& flight, const Response& response) {
  const RunRecord& record = core_.store.At(flight.slot);
  if (!record.has_lease) return Next::kJudge;
  core_.leases.at(record.uid)->asked_until = Mono::min();
  if (response.status == kHttpConflict) return OnLeaseMoved(flight);
  if (response.status == kHttpNotFound) return OnLeaseGone(flight.slot);
  if (response.status != kHttpOk) return OnRefused(flight, response);
  // One that somebody's finalizer keeps comes back as it is, and can be renewed still.
  if (decoder_.DecodeObject(response.body, Watched::kLeases).type != EventType::kInvalid) {
    core_.Emit(LogLine{LogLevel::kError,
                       "a finalizer keeps the Lease of a silent worker; its run is held",
                       {{"run", core_.FullName(record)}}});
    CountReconcile(ReconcileResult::kError);
    return Next::kHold;
  }
  leases_.OnDeleted(record);
  return GoOn(flight.slot);
}

// It was written to since, most likely renewed.
Reaper::Next Reaper::OnLeaseMoved(const Flight& flight) {
  core_.CountOne(Metric::kConflicts, 0, 0);
  CountReconcile(ReconcileResult::kRequeue);
  if (Idle() || ++AttemptOf(flight.slot).failures % kConflictsInRow == 0) return Next::kHold;
  const WorkerLease& lease = *core_.leases.at(core_.store.At(flight.slot).uid);
  Send(flight.slot, Doing::kReadingLease, flight.reason, {.target = TargetOf(lease)});
  return Next::kWait;
}

Reaper::Next Reaper::OnLeaseGone(Slot slot) {
  leases_.OnGone(core_.store.At(slot));
  return GoOn(slot);
}

Reaper::Next Reaper::OnLeaseRead(const Flight& flight, const Response& response) {
  const RunRecord& record = core_.store.At(flight.slot);
  if (!record.has_lease) return Next::kJudge;
  core_.leases.at(record.uid)->asked_until = Mono::min();
  if (response.status == kHttpNotFound) return OnLeaseGone(flight.slot);
  if (response.status != kHttpOk) return OnRefused(flight, response);
  const Event event = decoder_.DecodeObject(response.body, Watched::kLeases);
  if (event.type == EventType::kInvalid) return Next::kHold;
  leases_.TakeIn(record, event);
  return Next::kJudge;
}

}  // namespace jobrun
