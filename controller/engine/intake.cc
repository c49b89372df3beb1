#include "controller/engine/intake.h"

#include <algorithm>
#include <optional>

#include "controller/base/rfc3339.h"
#include "controller/base/text_hash.h"
#include "controller/engine/announce.h"
#include "controller/wire/managed_fields.h"
#include "controller/wire/status_patch.h"

namespace jobrun {
namespace {

// Names of bad objects remembered so that each is reported once; beyond that many they are only
// counted.
constexpr std::size_t kReportedMax = 10000;
constexpr std::uint64_t kSkewSampled = 8;
// The API server cuts creationTimestamp to the second.
constexpr std::chrono::seconds kStampResolution{1};
// Two stamps less than a second apart are the claim's own. A worker that beats by Lease beats in
// the status at once, before it makes the Lease: there any difference counts, so that a run whose
// Lease a controller has deleted before it died is known to have beaten.
constexpr std::chrono::microseconds kOwnBeat = std::chrono::seconds(1);
constexpr std::chrono::microseconds kOwnBeatByLease{1};

// A heartbeat that is not just the claim written twice. Timestamps that can't be read differ unless
// they are the same text.
bool IsBeat(const ObservedRun& run, HeartbeatSource source) {
  if (run.last_heartbeat_at.empty()) return false;
  const auto beat = ParseRfc3339(run.last_heartbeat_at);
  const auto claim = ParseRfc3339(run.claimed_at);
  if (!beat || !claim) return run.last_heartbeat_at != run.claimed_at;
  const bool by_lease = source == HeartbeatSource::kLease;
  return std::chrono::abs(*beat - *claim) >= (by_lease ? kOwnBeatByLease : kOwnBeat);
}

}  // namespace

Intake::Seen Intake::Observe(const ObservedRun& run, Source source, std::uint8_t scope,
                             std::uint16_t epoch) {
  Slot slot = core_.store.Find(run.uid);
  const bool is_new = slot == kNoSlot;
  if (is_new) {
    slot = core_.store.Insert(run.uid, run.name);
    core_.store.At(slot).name_space = core_.namespaces.Intern(run.name_space);
  }
  RunRecord& record = core_.store.At(slot);
  if (source != Source::kRead) {
    record.scope = scope;
    record.epoch = epoch;
  }
  const bool old_news = run.resource_version < record.resource_version;
  if (!is_new && old_news && (source != Source::kList || IsTerminal(record.phase))) return {};
  // What is listed is looked at in any case: a store that was given an old backup gives versions
  // out again.
  const bool told_again = run.resource_version == record.resource_version;
  if (!is_new && told_again && source != Source::kList) return {.slot = slot};

  const Phase phase_before = record.phase;
  const bool beaten_before = record.has_beaten;
  const bool deleted_before = record.being_deleted;
  const bool policy_is_new =
      is_new || record.generation != static_cast<std::uint32_t>(run.generation);
  if (policy_is_new && !SetPolicy(slot, run)) {
    Forget(slot);
    return {.forgotten = slot};
  }
  if (!policy_is_new) Recount(record, -1);
  record.resource_version = run.resource_version;
  record.phase = run.phase;
  record.being_deleted = run.being_deleted;
  record.attempt = static_cast<std::uint8_t>(std::min<std::uint32_t>(run.attempt, UINT8_MAX));
  record.foreign_conditions = run.has_foreign_conditions;
  Recount(record, 1);
  record.start_recorded = !run.start_time.empty();
  const bool first = is_new || (phase_before == Phase::kPending && run.phase != Phase::kPending);
  if (first) NoteStart(record, run, !is_new && source != Source::kList);
  const std::uint64_t beat_before = record.heartbeat;
  const Silence since_before = record.since;
  NoteHeartbeat(record, run, first, is_new && source == Source::kList);
  if (source == Source::kWatch && record.heartbeat != beat_before) {
    if (beaten_before && !first) NoteGap(record, record.since - since_before);
    NoteSkew(record, run);
  }
  const bool details_are_new = NoteDetails(record, run);
  NoteDispute(record, run, is_new);
  return {.slot = slot,
          .judge = policy_is_new || details_are_new || record.phase != phase_before ||
                   record.has_beaten != beaten_before || record.being_deleted != deleted_before,
          .became_terminal = IsTerminal(record.phase) && (is_new || !IsTerminal(phase_before))};
}

// A new generation: the thresholds may be others. The caller counts the run anew.
bool Intake::SetPolicy(Slot slot, const ObservedRun& run) {
  const Result<Thresholds> thresholds = decoder_.DecodeThresholds(run.spec_json);
  if (!thresholds) {
    Invalid(run, thresholds.error().detail);
    return false;
  }
  RunRecord& record = core_.store.At(slot);
  const bool had_policy = record.resource_version != 0;
  const Policy before = had_policy ? core_.PolicyOf(record) : Policy{};
  if (had_policy) {
    Recount(record, -1);
    core_.policies.Release(record.policy);
  }
  record.policy = core_.policies.Acquire(run.lane, *thresholds);
  if (core_.LabelOf(record) == 0) NoteLane(run);
  record.generation = static_cast<std::uint32_t>(run.generation);
  record.suppressed = 0;
  if (had_policy) EaseIn(record, before);
  if (core_.PolicyOf(record).timeout_raised) {
    core_.Emit(LogLine{LogLevel::kWarn,
                       "the heartbeat timeout is shorter than two intervals and was raised to them",
                       {{"run", std::string(run.name_space) + "/" + std::string(run.name)},
                        {"lane", std::string(run.lane)}}});
  }
  return true;
}

// After a limit became shorter a worker gets two intervals from now, since it can't know that yet.
void Intake::EaseIn(RunRecord& record, const Policy& before) {
  Subject run = core_.SubjectOf(record);
  const auto limit = SilenceLimit(run);
  run.policy = before;
  const auto limit_before = SilenceLimit(run);
  if (run.phase != Phase::kRunning) return;
  const Policy& policy = core_.PolicyOf(record);
  const Nanos by = 2 * policy.heartbeat_interval;
  // When the present heartbeat was first seen is not known: it was ignored.
  const bool was_ignored = before.heartbeat_mode == HeartbeatMode::kIgnored &&
                           policy.heartbeat_mode != HeartbeatMode::kIgnored && record.has_beaten;
  // What was heard the other way counts no more.
  const bool from_elsewhere = before.heartbeat_source != policy.heartbeat_source;
  if (was_ignored || from_elsewhere) {
    record.since = core_.Mark();
  } else {
    Ease(record.since, limit_before, limit, by);
  }
  if (!record.has_details) return;
  RunDetails& details = core_.DetailsOf(record);
  Ease(details.exit_seen, before.finalize_grace, policy.finalize_grace, by);
  if (details.progress_since) {
    Ease(*details.progress_since, before.progress_timeout, policy.progress_timeout, by);
  }
  if (details.cancelled_since) {
    Ease(*details.cancelled_since, before.cancel_grace, policy.cancel_grace, by);
  }
}

void Intake::Ease(Silence& since, std::optional<Seconds> before, std::optional<Seconds> limit,
                  Nanos by) {
  if (!limit || (before && *before <= *limit)) return;
  since = std::max(since, core_.Mark() + by - *limit);
}

// Called once for a Pending run and once for its claim. `seen_live`: it was Pending a moment ago.
void Intake::NoteStart(RunRecord& record, const ObservedRun& run, bool seen_live) {
  const ServerInterval& server = core_.now.server;
  if (run.phase == Phase::kPending) {
    record.started_at = run.created;
    record.since = core_.MarkOf(run.created + kStampResolution);
    return;
  }
  if (seen_live && run.start_time.empty() && server.Known()) {
    record.started_at = server.latest;
    record.since = core_.Mark();
    return;
  }
  std::optional<ServerTime> start = ParseRfc3339(run.start_time);
  if (!start) start = ParseRfc3339(run.claimed_at);
  ServerTime latest = server.Known() ? server.latest : run.created;
  const auto claim = ClaimStamp(run.managed_fields);
  if (claim) latest = std::min(latest, *claim + kStampResolution);
  latest = std::max(latest, run.created);
  record.started_at = std::clamp(start.value_or(run.created), run.created, latest);
  // For silence the worker's clock counts for nothing, nor what was recorded of it: when the API
  // server took the claim does. Its stamp may be another server's than the one that is asked now.
  const ServerTime claimed = claim ? *claim + kStampResolution : record.started_at;
  const bool stamped = claim || !run.start_time.empty();
  record.since = core_.MarkOf(stamped ? claimed + core_.settings.grace.server_skew : claimed);
}

// `first`: nothing was known of this claim's heartbeats before. `listed`: nor of the run, and it
// was so before we looked.
void Intake::NoteHeartbeat(RunRecord& record, const ObservedRun& run, bool first, bool listed) {
  const std::uint64_t heartbeat = HashOfText(run.last_heartbeat_at);
  if (heartbeat == record.heartbeat && !first) return;
  record.heartbeat = heartbeat;
  if (!record.has_beaten) record.has_beaten = IsBeat(run, core_.PolicyOf(record).heartbeat_source);
  if (!record.has_beaten) return;
  record.suppressed = 0;
  // Where heartbeats are ignored the time since the claim counts on.
  if (core_.PolicyOf(record).heartbeat_mode == HeartbeatMode::kIgnored) return;
  record.since = listed ? MarkOfBeat(run) : core_.Mark();
}

void Intake::NoteGap(const RunRecord& record, Nanos gap) {
  if (core_.PolicyOf(record).heartbeat_mode == HeartbeatMode::kIgnored) return;
  const LaneIndex lane = core_.LabelOf(record);
  if (core_.heartbeat_gaps.size() <= lane) core_.heartbeat_gaps.resize(lane + std::size_t{1});
  core_.heartbeat_gaps[lane].Observe(kGapBounds, std::chrono::duration<double>(gap).count());
}

// How far the worker's clock is from the API server's at least: the server's is known to lie
// between two bounds. For people; nothing is judged by it. One heartbeat in so many is looked at,
// which their hash decides: reading a timestamp takes as long as all the rest.
void Intake::NoteSkew(const RunRecord& record, const ObservedRun& run) {
  if (record.heartbeat % kSkewSampled != 0) return;
  const ServerInterval& server = core_.now.server;
  const auto beat = ParseRfc3339(run.last_heartbeat_at);
  if (!beat || !server.Known()) return;
  const auto nearest = std::clamp(*beat, server.earliest, server.latest);
  const std::chrono::duration<double> skew = std::chrono::abs(*beat - nearest);
  core_.worker_clock_skew.Observe(kSkewBounds, skew.count());
}

// The API server notes when a field was last written. Whatever is odd about that note makes the
// beat one of now: it may keep a dead run a timeout longer, never shoot a living one.
Silence Intake::MarkOfBeat(const ObservedRun& run) const {
  const auto stamp = HeartbeatStamp(run.managed_fields);
  if (!stamp) return core_.Mark();
  return core_.MarkOf(*stamp + kStampResolution + core_.settings.grace.server_skew);
}

// What only some rules look at. True when it may have become due earlier.
bool Intake::NoteDetails(RunRecord& record, const ObservedRun& run) {
  if (IsTerminal(run.phase)) {
    DropDetails(record);
    return false;
  }
  const bool must_progress =
      run.phase == Phase::kRunning && core_.PolicyOf(record).progress_timeout.has_value();
  if (!record.has_details && !must_progress && !run.exit_code && !run.cancelled) return false;
  RunDetails& details = core_.DetailsOf(record);
  if (run.phase == Phase::kRunning) NoteProgress(details, run.progress);
  bool news = false;
  if (run.exit_code) {
    if (!details.exit_code) details.exit_seen = core_.Mark();
    details.exit_code = run.exit_code;
    details.true_conditions = TrueConditions(run.conditions_json);
    news = true;
  }
  if (run.cancelled && !details.cancelled_since) {
    details.cancelled_since = core_.Mark();
    news = true;
  }
  return news;
}

void Intake::NoteProgress(RunDetails& details, std::string_view progress) {
  const std::uint64_t hash = HashOfText(progress);
  if (hash == details.progress && details.progress_since) return;
  details.progress = hash;
  details.progress_since = core_.Mark();
}

void Intake::DropDetails(RunRecord& record) {
  if (!record.has_details) return;
  core_.details.erase(record.uid);
  record.has_details = false;
}

// Counted when it is seen to happen; what a list shows has been counted before.
void Intake::NoteDispute(RunRecord& record, const ObservedRun& run, bool is_new) {
  if (run.late_heartbeat.empty() || record.disputed) return;
  record.disputed = true;
  if (!is_new && core_.leading) CountDispute(record, run);
}

void Intake::CountDispute(const RunRecord& record, const ObservedRun& run) {
  if (!disputed_.Add(run.uid)) return;
  core_.CountOne(Metric::kDisputed, core_.LabelOf(record), 0);
  AnnounceDispute(core_, record, run);
  core_.Emit(LogLine{LogLevel::kWarn,
                     "a sign of life came after the verdict",
                     {{"run", core_.FullName(record)},
                      {"reason", std::string(run.reason)},
                      {"at", std::string(run.late_heartbeat)}}});
}

void Intake::NoteLane(const ObservedRun& run) {
  if (reported_lanes_.size() >= kReportedMax) return;
  if (!reported_lanes_.insert(HashOfText(run.lane)).second) return;
  core_.Emit(LogLine{LogLevel::kInfo,
                     "a lane that the configuration does not name: the defaults hold for it",
                     {{"lane", std::string(run.lane)},
                      {"run", std::string(run.name_space) + "/" + std::string(run.name)}}});
}

void Intake::Recount(const RunRecord& record, std::int64_t by) {
  core_.RunCount(core_.LabelOf(record), record.phase) += static_cast<std::uint64_t>(by);
}

void Intake::Forget(Slot slot) {
  RunRecord& record = core_.store.At(slot);
  DropDetails(record);
  if (record.resource_version != 0) {
    Recount(record, -1);
    core_.policies.Release(record.policy);
  }
  core_.store.Erase(slot);
}

void Intake::Invalid(const ObservedRun& run, std::string_view why) {
  core_.CountOne(Metric::kInvalidObjects, 0, 0);
  std::string name(run.name_space);
  name.append("/").append(run.name);
  if (reported_.size() >= kReportedMax || !reported_.insert(HashOfText(name)).second) return;
  if (core_.leading) AnnounceInvalid(core_, run, why);
  core_.Emit(LogLine{LogLevel::kError,
                     "a JobRun can't be decoded and is left alone",
                     {{"run", name}, {"error", std::string(why)}}});
}

bool Intake::OnPoliciesReloaded(const std::vector<Policy>& before) {
  bool tell_again = false;
  for (auto& lane : core_.runs_by_lane) lane.fill(0);
  core_.store.ForEach([&](Slot, RunRecord& record) {
    Recount(record, 1);
    record.suppressed = 0;
    EaseIn(record, before[record.policy]);
    if (before[record.policy].heartbeat_source != core_.PolicyOf(record).heartbeat_source) {
      record.lease_known = false;
      tell_again = true;
    }
    const bool must_progress =
        record.phase == Phase::kRunning && core_.PolicyOf(record).progress_timeout.has_value();
    if (must_progress && !record.has_details) {
      core_.DetailsOf(record).progress_since = core_.Mark();
    }
  });
  return tell_again;
}

}  // namespace jobrun
