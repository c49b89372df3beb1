#include "controller/engine/core.h"

#include <algorithm>

#include "controller/wire/canary.h"

namespace jobrun {
namespace {

bool CountsLeaseBeats(const Policy& policy) {
  return policy.heartbeat_source == HeartbeatSource::kLease &&
         policy.heartbeat_mode != HeartbeatMode::kIgnored;
}

constexpr std::chrono::hours kAgeMax{24 * 3650};

}  // namespace

NamespaceId Namespaces::Intern(std::string_view name) {
  if (!names_.empty() && name == last_) return last_id_;
  last_ = name;
  const auto [found, added] = ids_.emplace(last_, static_cast<NamespaceId>(names_.size()));
  if (added) names_.push_back(last_);
  last_id_ = found->second;
  return last_id_;
}

Silence Core::MarkOf(ServerTime stamp) const {
  if (!now.server.Known() || !silence.HasEvidence()) return Mark();
  // Rounded up, so that nothing is older than it is.
  const auto behind = std::chrono::ceil<ServerTime::duration>(silence.Behind(now.mono));
  const ServerTime shown =
      now.server.earliest - behind - std::chrono::ceil<ServerTime::duration>(stopped_since_then);
  const ServerTime from = std::max(stamp, writable_since);
  if (shown <= from) return Mark();
  // A stamp may say anything.
  return now.silence - std::min<ServerTime::duration>(shown - from, kAgeMax);
}

bool Core::IsCanary(const ObservedRun& run) const {
  return run.name_space == home && ::jobrun::IsCanary(run.lane, run.name);
}

bool Core::IsBeatenForByLease(const RunRecord& record) const {
  return record.has_lease && CountsLeaseBeats(PolicyOf(record));
}

std::uint64_t Core::SignOfLife(const RunRecord& record) const {
  return record.has_lease ? record.heartbeat ^ leases.at(record.uid)->renewed : record.heartbeat;
}

Silence Core::LastSign(const RunRecord& record) const {
  if (!CountsLeaseBeats(PolicyOf(record))) return record.since;
  // Until its worker and all Leases are known there is no telling.
  if (!record.lease_known || !leases_synced.at(record.scope)) return now.silence;
  if (!record.has_lease) return record.since;
  return std::max(record.since, leases.at(record.uid)->beat.value_or(record.since));
}

Subject Core::SubjectOf(const RunRecord& record) const {
  Subject run{.phase = record.phase,
              .being_deleted = record.being_deleted,
              .has_beaten = record.has_beaten,
              .policy = PolicyOf(record),
              .since = LastSign(record),
              .started_at = record.started_at};
  if (IsBeatenForByLease(record) && !record.has_beaten) {
    // A beat in a Lease that was gone before the claim was none for this run.
    const WorkerLease& lease = *leases.at(record.uid);
    run.has_beaten = lease.beat && (!lease.uid.IsNone() || *lease.beat >= record.since);
  }
  if (record.has_executor && settings.executors.enabled) {
    const RunExecutor& executor = executors.at(record.uid);
    if (executor.sign_of_life == SignOfLife(record)) {
      run.executor_lost_since = executor.lost_since;
      run.executor_fate = executor.fate;
    }
  }
  if (!record.has_details) return run;
  const RunDetails& of_run = details.at(record.uid);
  run.exit_code = of_run.exit_code;
  run.finalizing_since = std::max(of_run.exit_seen, record.since);
  for (const std::string& gate : policies.At(record.policy).gates) {
    const bool met =
        std::ranges::find(of_run.true_conditions, gate) != of_run.true_conditions.end();
    if (!met && run.unmet_gate.empty()) run.unmet_gate = gate;
  }
  run.progress_since = of_run.progress_since.value_or(record.since);
  run.cancelled_since = of_run.cancelled_since;
  return run;
}

std::string Core::FullName(const RunRecord& record) const {
  return namespaces.Name(record.name_space) + "/" + record.name;
}

}  // namespace jobrun
