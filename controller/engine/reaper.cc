#include "controller/engine/reaper.h"

#include <algorithm>
#include <utility>

#include "controller/engine/announce.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// A due run that must not be written (dry run, disabled) is looked at again now and then, because
// another rule may have come due.
constexpr Nanos kSuppressedRecheck = std::chrono::minutes(1);
// The same while the silence clock stands still: it may run on at any moment.
constexpr Nanos kBlindRecheck = std::chrono::seconds(1);
constexpr Nanos kWriteDeadline = std::chrono::seconds(10);

// Said of this run or its lane; the others pass by themselves.
bool IsForOne(Suppression cause) {
  return cause == Suppression::kDryRun || cause == Suppression::kDisabled ||
         cause == Suppression::kHeldLane;
}

std::string Milliseconds(Nanos time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

}  // namespace

Reaper::Reaper(const Parts& parts)
    : core_(parts.core),
      intake_(parts.intake),
      executors_(parts.executors),
      leases_(parts.leases),
      outbox_(parts.outbox),
      breaker_(parts.breaker),
      decoder_(parts.decoder),
      verdicts_(core_.process_id),
      reaps_(core_.settings.rate_limit.reaps_per_second, core_.settings.rate_limit.burst),
      visit_rate_(core_.settings.rate_limit.visits_per_second,
                  core_.settings.rate_limit.visits_per_second) {}

void Reaper::StandBy() {
  attempts_.clear();
  visits_denied_.clear();
  problem_.clear();
}

void Reaper::OnSettings() {
  const RateLimit& limit = core_.settings.rate_limit;
  reaps_.SetRate(limit.reaps_per_second, limit.burst);
  breaker_.LookAnew();
  visit_rate_.SetRate(limit.visits_per_second, limit.visits_per_second);
}

void Reaper::OnRunsKnown(std::uint8_t scope) {
  breaker_.LookAnew();
  core_.store.ForEach([&](Slot slot, const RunRecord& record) {
    if (record.scope == scope && !IsTerminal(record.phase)) Judge(slot);
  });
}

// ---- judging ----

// How many others are silent too can't be told before they are known.
bool Reaper::KnowsTheOthers(const RunRecord& record, Reason reason) const {
  return !RestsOnSilence(reason) || core_.runs_synced.at(record.scope);
}

void Reaper::Judge(Slot slot) {
  RunRecord& record = core_.store.At(slot);
  if (record.queued || record.busy || record.departed) return;
  const Subject run = core_.SubjectOf(record);
  const Decision decision = Decide(run, core_.now);
  if (const auto* reap = std::get_if<Reap>(&decision)) {
    // One that stands by judges all when it comes to lead.
    if (!core_.leading || !KnowsTheOthers(record, reap->reason)) return;
    if (GateShut(slot, *reap)) return;
    record.queued = true;
    queue_.Push(record.name_space, {slot, core_.now.mono});
    core_.CountOne(Metric::kQueueAdds, 0, 0);
    return;
  }
  attempts_.erase(slot);
  if (const auto* recheck = std::get_if<Recheck>(&decision)) {
    // While the clock stands it comes no nearer.
    const Nanos least = core_.silence.Stopped() ? kBlindRecheck : Nanos::zero();
    core_.timers.Arm(slot, core_.now.mono + std::max(recheck->in, least));
  }
  if (!WantsVisit(slot)) {
    visits_denied_.erase(slot);
  } else if (!record.visiting) {
    record.visiting = true;
    visits_.push_back(slot);
    core_.CountOne(Metric::kQueueAdds, 0, 0);
  }
}

bool Reaper::WantsStart(const RunRecord& record) const {
  return !record.start_recorded && NeedsStartTime(core_.PolicyOf(record));
}

bool Reaper::WantsVisit(Slot slot) const {
  const RunRecord& record = core_.store.At(slot);
  const Policy& policy = core_.PolicyOf(record);
  return core_.leading && record.phase == Phase::kRunning && !record.being_deleted &&
         !record.departed && policy.reaping == Reaping::kEnabled && !policy.held &&
         (WantsStart(record) || executors_.WantsRecord(record)) &&
         core_.settings.rate_limit.visits_per_second > 0;
}

// What an operator said comes first, except for a dry run: that tells what would be written.
std::optional<Reaper::Gate> Reaper::GateOf(Slot slot, const Reap& reap) const {
  const Policy& policy = core_.PolicyOf(core_.store.At(slot));
  const Mono later = core_.now.mono + kSuppressedRecheck;
  if (policy.held) return Gate{Suppression::kHeldLane, later};
  if (policy.reaping == Reaping::kDisabled) return Gate{Suppression::kDisabled, later};
  if (const auto gate = GateOfTime(slot, reap)) return gate;
  if (policy.reaping == Reaping::kDryRun) return Gate{Suppression::kDryRun, later};
  return std::nullopt;
}

// While nothing is seen, shortly after, and while too many fall silent together.
std::optional<Reaper::Gate> Reaper::GateOfTime(Slot slot, const Reap& reap) const {
  const Mono now = core_.now.mono;
  if (core_.silence.Stopped()) return Gate{Suppression::kOutage, now + kBlindRecheck};
  const RunRecord& record = core_.store.At(slot);
  const Nanos grace = core_.settings.grace.intervals * core_.PolicyOf(record).heartbeat_interval;
  const Mono grace_ends = core_.silence.GraceEnds(grace);
  if (grace_ends > now) return Gate{Suppression::kGrace, grace_ends};
  const auto held = breaker_.HeldUntil(record, reap.reason, now - reap.overdue);
  if (held) return Gate{Suppression::kBreaker, std::min(*held, now + Breaker::kLookAgain)};
  return std::nullopt;
}

bool Reaper::GateShut(Slot slot, const Reap& reap) {
  if (RestsOnSilence(reap.reason) && !core_.silence.Stopped()) breaker_.OnDue();
  const std::optional<Gate> gate = GateOf(slot, reap);
  if (!gate) return false;
  if (IsForOne(gate->cause)) Drop(slot);
  Suppress(slot, reap.reason, gate->cause);
  core_.timers.Arm(slot, gate->again);
  return true;
}

// Counted once per (uid, reason, cause) until a heartbeat or the spec changes.
void Reaper::Suppress(Slot slot, Reason reason, Suppression cause) {
  RunRecord& record = core_.store.At(slot);
  const auto of = static_cast<std::uint8_t>(reason);
  if (std::exchange(record.suppressed_reason, of) != of) record.suppressed = 0;
  const auto bit = static_cast<std::uint8_t>(1U << static_cast<unsigned>(cause));
  if ((record.suppressed & bit) != 0) return;
  record.suppressed = static_cast<std::uint8_t>(record.suppressed | bit);
  core_.CountOne(Metric::kSuppressed, core_.LabelOf(record), static_cast<std::uint8_t>(cause));
  if (cause == Suppression::kDryRun) AnnounceDryRun(core_, record, reason);
  if (!IsForOne(cause)) return;  // it is told of all of them together
  core_.Emit(LogLine{LogLevel::kInfo,
                     "a verdict is due and is not written",
                     {{"run", core_.FullName(record)},
                      {"lane", core_.policies.At(record.policy).lane},
                      {"reason", std::string(Info(reason).name)},
                      {"cause", std::string(kSuppressionNames[static_cast<std::size_t>(cause)])}}});
}

void Reaper::OnSeen(const Intake::Seen& seen, const ObservedRun& run) {
  if (seen.forgotten != kNoSlot) {
    Drop(seen.forgotten);
    executors_.Forget(run.uid);
    leases_.Forget(run.uid);
    outbox_.Forget(run.uid);
  }
  if (seen.slot == kNoSlot) return;
  if (seen.became_terminal) Committed(seen.slot, run);
  if (IsTerminal(run.phase)) {
    executors_.Forget(run.uid);
    leases_.Forget(run.uid);
    outbox_.OnSeen(seen.slot, run);
    return;
  }
  const bool of_lease = leases_.OnSeen(seen.slot, run);
  const bool of_executor = executors_.OnSeen(seen.slot, run);
  if (seen.judge || of_lease || of_executor) Judge(seen.slot);
}

// A run has become terminal. Ours to count if it carries a verdictID of this process, whichever way
// we came to see it: the answer to the write, a read after a lost answer, or the watch.
void Reaper::Committed(Slot slot, const ObservedRun& run) {
  const auto attempt = attempts_.extract(slot);
  visits_denied_.erase(slot);
  const auto reason = ParseReason(run.reason);
  if (!reason || !verdicts_.See(run.verdict_id)) return;
  const RunRecord& record = core_.store.At(slot);
  const LaneIndex lane = core_.LabelOf(record);
  if (*reason == Reason::kFinalizedByController) {
    core_.CountOne(Metric::kFinalized, lane, 0);
  } else {
    core_.CountOne(Metric::kReaps, lane, static_cast<std::uint8_t>(*reason));
  }
  const bool begun_here = !attempt.empty() && attempt.mapped().uid == record.uid;
  AnnounceVerdict(core_, record, run, begun_here ? attempt.mapped().message : "");
  if (run.retry_state) outbox_.CountSettled(record, run);
  CountReconcile(ReconcileResult::kSuccess);
  Nanos lag{};
  if (begun_here) {
    lag = core_.now.mono - attempt.mapped().due;
    core_.Observe(Metric::kDetectionLag, lag);
  }
  core_.Emit(LogLine{LogLevel::kInfo,
                     run.phase == Phase::kSucceeded ? "finalized" : "reaped",
                     {{"run", core_.FullName(record)},
                      {"lane", core_.policies.At(record.policy).lane},
                      {"phase", std::string(PhaseName(run.phase))},
                      {"reason", std::string(run.reason)},
                      {"lag_ms", Milliseconds(lag)},
                      {"verdict", std::string(run.verdict_id)}}});
}

// ---- sending ----

std::size_t Reaper::FlightsMax() const {
  return static_cast<std::size_t>(std::max(1, core_.settings.rate_limit.in_flight));
}

void Reaper::Pump() {
  if (attempts_.empty() && visits_denied_.empty()) problem_.clear();
  if (Idle() || core_.now.mono < throttled_until_) return;
  const bool limited = core_.settings.rate_limit.reaps_per_second > 0;
  while (in_flight_.size() < FlightsMax() && !queue_.Empty()) {
    const auto [slot, since] = queue_.Front();
    RunRecord& record = core_.store.At(slot);
    if (!record.queued) {  // erased since, and perhaps the slot is another run's now
      queue_.Pop();
      continue;
    }
    if (limited && !reaps_.Take(core_.now.mono)) {
      const Decision decision = Decide(core_.SubjectOf(record), core_.now);
      if (const auto* reap = std::get_if<Reap>(&decision)) {
        Suppress(slot, reap->reason, Suppression::kRateLimit);
      }
      break;
    }
    queue_.Pop();
    record.queued = false;
    core_.Observe(Metric::kQueueWait, core_.now.mono - since);
    Begin(slot, core_.now.mono);
  }
  while (in_flight_.size() < FlightsMax() && queue_.Empty() && !visits_.empty()) {
    const Slot slot = visits_.front();
    const bool due = core_.store.At(slot).visiting && WantsVisit(slot);
    if (due && !visit_rate_.Take(core_.now.mono)) break;
    visits_.pop_front();
    BeginVisit(slot);
  }
}

std::optional<Mono> Reaper::NextWake() const {
  if (Idle() || (queue_.Empty() && visits_.empty())) return std::nullopt;
  if (core_.now.mono < throttled_until_) return throttled_until_;
  if (in_flight_.size() >= FlightsMax()) return std::nullopt;
  TokenBucket bucket = queue_.Empty() ? visit_rate_ : reaps_;
  return bucket.NextAt(core_.now.mono);
}

// The run was due when it was queued; it is judged again, because a heartbeat may have come since.
void Reaper::Begin(Slot slot, Mono begun) {
  RunRecord& record = core_.store.At(slot);
  const Decision decision = Decide(core_.SubjectOf(record), core_.now);
  const auto* reap = std::get_if<Reap>(&decision);
  if (reap == nullptr) {
    Judge(slot);
    return;
  }
  if (GateShut(slot, *reap)) return;
  Attempt& attempt = AttemptOf(slot);
  attempt.due = core_.now.mono - reap->overdue;
  attempt.begun = begun;
  if (NeedOfLease(slot, reap->reason) != Leases::Need::kNothing) {
    return SeeToLease(slot, reap->reason);
  }
  if (attempt.read_first || record.foreign_conditions) {
    ReadAnew(slot, reap->reason);
  } else {
    WriteVerdict(slot, reap->reason, {});
  }
}

void Reaper::ReadAnew(Slot slot, Reason reason) {
  const RunRecord& record = core_.store.At(slot);
  Send(slot, Doing::kReading, reason,
       {.target = RunTarget(core_.namespaces.Name(record.name_space), record.name)});
}

std::string_view Reaper::CauseOf(const RunRecord& record, Reason reason) const {
  if (reason != Reason::kExecutorLost) return {};
  return core_.executors.at(record.uid).cause;
}

// With `grounds` they are the guard instead of the version.
void Reaper::WriteVerdict(Slot slot, Reason reason, std::string_view foreign_conditions,
                          const Grounds* grounds) {
  const RunRecord& record = core_.store.At(slot);
  const std::string id = verdicts_.NewId();
  core_.store.At(slot).verdict_sent = true;
  const std::string message = VerdictMessage(core_.SubjectOf(record), reason);
  const ServerInterval& server = core_.now.server;
  std::optional<DecidedRetry> retry;
  if (Info(reason).phase != Phase::kSucceeded) {
    retry = outbox_.Decide(record, {.reason = Info(reason).name,
                                    .attempt = record.attempt,
                                    .exit_code = core_.SubjectOf(record).exit_code});
  }
  const VerdictPatch patch{.resource_version = record.resource_version,
                           .generation = record.generation,
                           .reason = reason,
                           .message = message,
                           .cause = CauseOf(record, reason),
                           .verdict_id = id,
                           .at = server.Known() ? server.earliest : record.started_at,
                           .foreign_conditions = foreign_conditions,
                           .retry = retry ? std::optional(retry->Record()) : std::nullopt};
  Send(slot, Doing::kWritingVerdict, reason,
       {.method = Method::kPatch,
        .target = StatusTarget(core_.namespaces.Name(record.name_space), record.name),
        .content_type = std::string(grounds != nullptr ? kJsonPatchType : kMergePatchType),
        .body = grounds != nullptr ? WriteVerdictJsonPatch(patch, *grounds)
                                   : WriteVerdictPatch(patch)});
  Attempt& attempt = AttemptOf(slot);
  attempt.message = message;
  attempt.by_grounds = grounds != nullptr;
}

void Reaper::BeginVisit(Slot slot) {
  RunRecord& record = core_.store.At(slot);
  if (!record.visiting) return;
  if (!WantsVisit(slot)) {  // no more: the run or the configuration has changed since
    record.visiting = false;
    visits_denied_.erase(slot);
    return;
  }
  const bool finds = executors_.WantsRecord(record);
  const std::string condition = finds ? executors_.FoundCondition(record) : "";
  VisitPatch patch{.resource_version = record.resource_version, .condition = condition};
  if (WantsStart(record)) patch.start_time = record.started_at;
  // A merge patch would wipe the conditions of others.
  const bool adds = finds && record.foreign_conditions;
  Send(slot, Doing::kWritingVisit, {},
       {.method = Method::kPatch,
        .target = StatusTarget(core_.namespaces.Name(record.name_space), record.name),
        .content_type = std::string(adds ? kJsonPatchType : kMergePatchType),
        .body = adds ? WriteVisitJsonPatch(patch) : WriteVisitPatch(patch)});
}

void Reaper::Send(Slot slot, Doing doing, Reason reason, Request request) {
  request.id = core_.next_id++;
  request.klass = RequestClass::kData;
  request.deadline = kWriteDeadline;
  RunRecord& record = core_.store.At(slot);
  Mono begun = core_.now.mono;
  if (doing != Doing::kWritingVisit) {
    record.busy = true;
    begun = AttemptOf(slot).begun;
  }
  in_flight_.emplace(request.id, Flight{slot, record.uid, doing, reason, begun});
  core_.Emit(std::move(request));
}

Reaper::Attempt& Reaper::AttemptOf(Slot slot) {
  const Uid uid = core_.store.At(slot).uid;
  const auto [found, begun] = attempts_.try_emplace(slot);
  if (begun || found->second.uid != uid) {
    found->second = Attempt{.uid = uid, .begun = core_.now.mono};
  }
  return found->second;
}

void Reaper::CountReconcile(ReconcileResult result) {
  core_.CountOne(Metric::kReconcile, 0, static_cast<std::uint8_t>(result));
}

void Reaper::Forget(Slot slot) {
  Drop(slot);
  executors_.Forget(core_.store.At(slot).uid);
  leases_.Forget(core_.store.At(slot).uid);
  outbox_.Forget(core_.store.At(slot).uid);
  intake_.Forget(slot);
}

void Reaper::Drop(Slot slot) {
  attempts_.erase(slot);
  visits_denied_.erase(slot);
}

}  // namespace jobrun
