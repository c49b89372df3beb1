// The Reaper's steps around a Lease by which a worker beats: it is deleted, in the version that was
// judged, before the silence of its runs is written.
#include <optional>
#include <string>

#include "controller/engine/reaper.h"
#include "controller/wire/http_status.h"
#include "controller/wire/successor.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// A run whose Lease another run's verdict is deleting looks again so soon, and does it itself when
// that takes longer than any request may.
constexpr Nanos kLeaseAgain = std::chrono::seconds(1);
constexpr Nanos kDeletionMax = std::chrono::seconds(10);

std::string TargetOf(const WorkerLease& lease) {
  const std::size_t slash = lease.key.find('/');
  return LeaseTarget(lease.key.substr(0, slash), lease.key.substr(slash + 1));
}

}  // namespace

// Rows 6 to 8 rest on silence alone; what the others rest on a Lease does not excuse.
bool Reaper::WaitsForLease(const RunRecord& record, Reason reason) const {
  const bool of_silence = reason == Reason::kHeartbeatTimeout ||
                          reason == Reason::kHeartbeatNeverStarted ||
                          reason == Reason::kClaimExpired;
  return of_silence && leases_.Guarding(record) != nullptr;
}

void Reaper::DeleteLease(Slot slot, Reason reason) {
  WorkerLease& lease = *leases_.Guarding(core_.store.At(slot));
  if (core_.now.mono < lease.deleting_until) {
    core_.timers.Arm(slot, core_.now.mono + kLeaseAgain);
    return;
  }
  lease.deleting_until = core_.now.mono + kDeletionMax;
  Send(slot, Doing::kDeletingLease, reason,
       {.method = Method::kDelete,
        .target = TargetOf(lease),
        .content_type = "application/json",
        .body = WriteDeleteOptions(lease.uid, lease.resource_version)});
}

Reaper::Next Reaper::OnLeaseDeleted(const Flight& flight, const Response& response) {
  RunRecord& record = core_.store.At(flight.slot);
  if (!record.has_lease) return Next::kJudge;
  core_.leases.at(record.uid)->deleting_until = Mono::min();
  if (response.status == kHttpConflict) {  // renewed since, most likely
    core_.CountOne(Metric::kConflicts, 0, 0);
    CountReconcile(ReconcileResult::kRequeue);
    const WorkerLease* lease = leases_.Guarding(record);
    if (lease == nullptr || stopping_) return Next::kJudge;
    Send(flight.slot, Doing::kReadingLease, flight.reason, {.target = TargetOf(*lease)});
    return Next::kWait;
  }
  if (response.status != kHttpOk && response.status != kHttpNotFound) {
    return OnRefused(flight, response);
  }
  // One that somebody's finalizer keeps comes back as it is, and can be renewed still.
  if (response.status == kHttpOk &&
      decoder_.DecodeObject(response.body, Watched::kLeases).type != EventType::kInvalid) {
    core_.Emit(LogLine{LogLevel::kError,
                       "a finalizer keeps the Lease of a silent worker; its run is held",
                       {{"run", core_.FullName(record)}}});
    CountReconcile(ReconcileResult::kError);
    return Next::kHold;
  }
  leases_.TakeIn(record, std::nullopt);
  if (stopping_) return Next::kJudge;
  record.busy = false;
  Begin(flight.slot);
  return Next::kWait;
}

Reaper::Next Reaper::OnLeaseRead(const Flight& flight, const Response& response) {
  const RunRecord& record = core_.store.At(flight.slot);
  if (!record.has_lease) return Next::kJudge;
  if (response.status == kHttpNotFound) {
    leases_.TakeIn(record, std::nullopt);
    return Next::kJudge;
  }
  if (response.status != kHttpOk) return OnRefused(flight, response);
  const Event event = decoder_.DecodeObject(response.body, Watched::kLeases);
  if (event.type == EventType::kInvalid) return Next::kHold;
  leases_.TakeIn(record, event);
  return Next::kJudge;
}

}  // namespace jobrun
