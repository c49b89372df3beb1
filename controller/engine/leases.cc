#include "controller/engine/leases.h"

#include <algorithm>
#include <utility>

#include "controller/base/object_name.h"
#include "controller/base/text_hash.h"
#include "controller/engine/object_key.h"

namespace jobrun {
namespace {

// One read serves all runs of the worker that are due at the same time.
constexpr Nanos kReadCountsFor = std::chrono::seconds(1);

// A Lease that was found to be gone before the run's last beat may have been made after that beat.
bool IsAbsentSinceLastBeat(const WorkerLease& lease, const RunRecord& record) {
  return lease.absent_since && *lease.absent_since > record.since;
}

}  // namespace

Leases::Leases(Core& core, EventDecoder& decoder, std::vector<WatchScope> scopes,
               std::uint64_t seed)
    : core_(core), decoder_(decoder), scopes_(std::move(scopes)), seed_(seed) {
  core_.leases_synced.resize(scopes_.size());
}

void Leases::WatchIfAsked() {
  if (std::exchange(asked_for_, core_.policies.Version()) == core_.policies.Version()) return;
  if (stopping_ || !watches_.empty() || !core_.policies.AsksForLeases()) return;
  std::vector<WatchScope> scopes;
  for (const WatchScope& scope : scopes_) {
    scopes.push_back({.name_space = scope.name_space, .watched = Watched::kLeases});
  }
  watches_ =
      WitnessWatch::OpenAll({core_, decoder_}, *this, scopes,
                            {.what = "Leases, by which runs are beaten for",
                             .if_forbidden = "heartbeat.source: Lease needs get, list, watch "
                                             "and delete on leases.coordination.k8s.io"},
                            seed_);
}

void Leases::Stop() {
  stopping_ = true;
  for (const auto& watch : watches_) watch->Stop();
}

// ---- runs ----

bool Leases::OnSeen(Slot slot, const ObservedRun& run) {
  RunRecord& record = core_.store.At(slot);
  record.lease_known = true;
  const bool by_lease = core_.PolicyOf(record).heartbeat_source == HeartbeatSource::kLease &&
                        IsObjectName(run.claimed_by);
  if (by_lease == record.has_lease) return false;  // claimedBy is set once
  if (!by_lease) {
    Forget(record.uid);
    return true;
  }
  std::string key = ObjectKey(run.name_space, run.claimed_by);
  std::unique_ptr<WorkerLease>& lease = leases_[key];
  if (!lease) lease = std::make_unique<WorkerLease>(WorkerLease{.key = std::move(key)});
  lease->runs.insert(record.uid);
  core_.leases[record.uid] = lease.get();
  record.has_lease = true;
  return true;
}

void Leases::Forget(Uid run) {
  const auto found = core_.leases.find(run);
  if (found == core_.leases.end()) return;
  WorkerLease& lease = *found->second;
  core_.leases.erase(found);
  const Slot slot = core_.store.Find(run);
  if (slot != kNoSlot) core_.store.At(slot).has_lease = false;
  lease.runs.erase(run);
  if (lease.runs.empty() && lease.uid.IsNone()) leases_.erase(std::string(lease.key));
}

// A renewal that nobody here has seen must have been preceded by a beat in the run's status, which
// makes the write of the verdict fail; except when the watch lags and somebody else has deleted the
// Lease since. Then only time tells: a timeout after a live read found it gone, a second one shows
// that it is gone still.
Leases::Need Leases::NeedOf(const RunRecord& record) const {
  if (!core_.IsBeatenForByLease(record)) return Need::kNothing;
  const WorkerLease& lease = *core_.leases.at(record.uid);
  if (!lease.uid.IsNone()) return Need::kDelete;
  if (lease.deleted_at && *lease.deleted_at > record.since) return Need::kNothing;
  const bool just_read =
      lease.read_gone_at && core_.now.mono - *lease.read_gone_at <= kReadCountsFor;
  if (!just_read || !IsAbsentSinceLastBeat(lease, record)) return Need::kRead;
  return WaitLeft(record) > Nanos::zero() ? Need::kWait : Need::kNothing;
}

Nanos Leases::WaitLeft(const RunRecord& record) const {
  const WorkerLease& lease = *core_.leases.at(record.uid);
  const Seconds timeout = core_.PolicyOf(record).heartbeat_timeout;
  return lease.absent_since.value_or(core_.now.silence) + timeout - core_.now.silence;
}

// ---- Leases ----

void Leases::Renew(WorkerLease& lease, const Event& event) {
  const std::uint64_t version = event.run.resource_version;
  const bool known = version == lease.resource_version && !lease.uid.IsNone();
  if (version < lease.resource_version || known) return;
  lease.uid = event.run.uid;
  lease.resource_version = version;
  lease.deleted_at.reset();
  lease.absent_since.reset();
  lease.read_gone_at.reset();
  const std::uint64_t renewed = HashOfText(event.renew_time);
  if (std::exchange(lease.renewed, renewed) == renewed) return;
  const bool first = !lease.beat;
  if (renewed != 0) lease.beat = core_.Mark();
  // From now on its runs are judged by it.
  if (first) Nudge(lease);
}

void Leases::TakeIn(const RunRecord& record, const Event& event) {
  Renew(*core_.leases.at(record.uid), event);
}

void Leases::OnDeleted(const RunRecord& record) {
  WorkerLease& lease = *core_.leases.at(record.uid);
  lease.uid = {};
  lease.deleted_at = core_.Mark();
  Nudge(lease, record.uid);
}

void Leases::OnGone(const RunRecord& record) {
  WorkerLease& lease = *core_.leases.at(record.uid);
  lease.uid = {};
  if (!IsAbsentSinceLastBeat(lease, record)) lease.absent_since = core_.Mark();
  lease.read_gone_at = core_.now.mono;
  Nudge(lease, record.uid);
}

void Leases::OnWitness(const Event& event, std::uint8_t scope, std::uint16_t epoch) {
  std::string key = ObjectKey(event.run.name_space, event.run.name);
  const bool deleted = event.type == EventType::kDeleted;
  const auto known = leases_.find(key);
  if (deleted && known == leases_.end()) return;
  if (deleted) {
    WorkerLease& lease = *known->second;
    if (lease.uid == event.run.uid) lease.uid = {};
    if (lease.uid.IsNone() && lease.runs.empty()) leases_.erase(known);
    return;
  }
  std::unique_ptr<WorkerLease>& lease = leases_[key];
  if (!lease) lease = std::make_unique<WorkerLease>(WorkerLease{.key = std::move(key)});
  lease->scope = scope;
  lease->epoch = epoch;
  Renew(*lease, event);
}

void Leases::OnWitnessesReplaced(std::uint8_t scope, std::uint16_t epoch) {
  core_.leases_synced.at(scope) = true;
  for (auto& [key, lease] : leases_) {
    if (lease->scope == scope && lease->epoch != epoch) lease->uid = {};
    Nudge(*lease);
  }
  std::erase_if(leases_, [](const auto& entry) {
    return entry.second->uid.IsNone() && entry.second->runs.empty();
  });
}

void Leases::Nudge(const WorkerLease& lease, Uid except) {
  for (const Uid run : lease.runs) {
    if (run != except) core_.timers.Arm(core_.store.Find(run), core_.now.mono);
  }
}

}  // namespace jobrun
