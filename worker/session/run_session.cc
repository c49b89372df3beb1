#include "worker/session/run_session.h"

#include <algorithm>
#include <utility>

#include "controller/base/rfc3339.h"
#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// The controller takes a time for a heartbeat that differs from claimedAt by a second or more.
constexpr Nanos kCounts = std::chrono::seconds(1);
constexpr Nanos kFirstBeat = std::chrono::milliseconds(1250);
constexpr double kJitter = 0.2;  // of a period

constexpr Nanos kClaimDeadline = std::chrono::seconds(5);
constexpr Nanos kClaimRetry = std::chrono::seconds(1);

Nanos Times(Nanos whole, double part) {
  return Nanos(static_cast<Nanos::rep>(static_cast<double>(whole.count()) * part));
}

}  // namespace

bool IsGone(const Response& response) {
  return response.status == kHttpNotFound && DecodeStatus(response.body).kind == "jobruns";
}

std::string WordsOf(const Response& response) {
  const ApiStatus status = DecodeStatus(response.body);
  if (!status.message.empty()) return status.message;
  if (!response.detail.empty()) return response.detail;
  return "HTTP " + std::to_string(response.status);
}

RunSession::RunSession(SessionHost& host, ServerStamp& stamp, EventDecoder& decoder,
                       SessionOptions options, std::uint64_t seed)
    : host_(host),
      stamp_(stamp),
      decoder_(decoder),
      options_(std::move(options)),
      random_(seed),
      source_(options_.source) {}

void RunSession::Start(Clocks now) {
  state_ = State::kClaiming;
  give_up_ = now.mono + options_.claim_max;
  Read(now);
}

void RunSession::Start(Uid uid, std::uint64_t resource_version, Clocks now) {
  state_ = State::kClaiming;
  give_up_ = now.mono + options_.claim_max;
  from_watch_ = true;
  run_.uid = uid;
  run_.resource_version = resource_version;
  SendClaim(now);
}

std::optional<Mono> RunSession::NextWake() const {
  if (state_ != State::kWorking) return request_ != 0 ? std::nullopt : next_;
  if (!MayBeCutOff()) return next_;
  // What the machine slept through since then has passed for the others.
  const Mono cut_off = told_.mono + (accepted_.boot + cadence_.timeout - told_.boot);
  return next_ ? std::min(*next_, cut_off) : cut_off;
}

void RunSession::OnWake(Clocks now) {
  told_ = now;
  if (state_ == State::kWorking) CheckCutOff(now);
  if (request_ != 0 || !next_ || now.mono < *next_) return;
  switch (state_) {
    case State::kClaiming:
      return Read(now);
    case State::kWorking: {
      const bool by_itself = options_.liveness == Liveness::kProcess && !BeatsByLease();
      return must_beat_ || progressed_ || by_itself ? Beat(now) : Look(now);
    }
    case State::kReporting:
      return Report(now);
    case State::kIdle:
    case State::kFenced:
    case State::kOver:
      break;
  }
}

void RunSession::OnResponse(const Response& response, Clocks now) {
  if (!Owns(response.id)) return;
  request_ = 0;
  told_ = now;
  stamp_.Observe(response.date, response.received_at);
  switch (std::exchange(asked_, Asked::kNothing)) {
    case Asked::kRead:
      return OnRead(response, now);
    case Asked::kClaim:
      return OnClaimAnswer(response, now);
    case Asked::kBeat:
      return OnBeatAnswer(response, now);
    case Asked::kLook:
      return OnLookAnswer(response, now);
    case Asked::kEnd:
      return OnEndAnswer(response, now);
    case Asked::kNothing:
      break;
  }
}

void RunSession::SendAs(Asked asked, Request request, Clocks now) {
  request.klass = RequestClass::kData;
  asked_ = asked;
  request_sent_ = now;
  next_.reset();
  request_ = host_.Send(std::move(request));
}

// ---- the claim

void RunSession::Read(Clocks now) {
  SendAs(Asked::kRead,
         {.method = Method::kGet,
          .target = RunTarget(options_.name_space, options_.name),
          .deadline = kClaimDeadline},
         now);
}

void RunSession::SendClaim(Clocks now) {
  if (claimed_at_.empty()) {
    claimed_stamp_ = stamp_.Next(now.mono);
    claimed_at_ = FormatMicroTime(claimed_stamp_);
  }
  SendAs(Asked::kClaim,
         {.method = Method::kPatch,
          .target = StatusTarget(options_.name_space, options_.name),
          .content_type = std::string(kMergePatchType),
          .body = WriteClaimPatch({.worker = options_.worker,
                                   .resource_version = run_.resource_version,
                                   .at = claimed_stamp_,
                                   .executor = options_.executor}),
          .deadline = kClaimDeadline},
         now);
  accepted_ = now;
}

void RunSession::OnRead(const Response& response, Clocks now) {
  if (response.status != kHttpOk) return TryClaimAgain(response, now);
  Result<ClaimedRun> seen = ReadClaimedRun(decoder_, response.body);
  if (!seen) return Finish(SessionEnd::kRefused, Title() + ": " + seen.error().ToString());
  // A watch showed a run of this lane and for this worker: its namesake may be anything.
  if (from_watch_ && seen->uid != run_.uid)
    return Finish(SessionEnd::kNotFound, FenceTextOf(*seen));
  run_ = std::move(seen).value();
  JudgeClaim(now);
}

void RunSession::JudgeClaim(Clocks now) {
  if (Ours(run_) && run_.phase == Phase::kRunning) return Claimed(now);
  if (run_.phase == Phase::kRunning) {
    return Finish(SessionEnd::kTaken,
                  Title() + " is claimed by " + run_.claimed_by + " since " + run_.claimed_at);
  }
  if (run_.phase != Phase::kPending) return Finish(SessionEnd::kTerminal, FenceTextOf(run_));
  if (run_.being_deleted) return Finish(SessionEnd::kTerminal, Title() + " is being deleted");
  if (run_.cancelled) return Finish(SessionEnd::kTerminal, Title() + " is cancelled");
  if (!run_.assigned_to.empty() && run_.assigned_to != options_.worker) {
    return Finish(SessionEnd::kTaken, Title() + " is assigned to " + run_.assigned_to +
                                          ", and this worker is " + options_.worker);
  }
  SendClaim(now);
}

void RunSession::OnClaimAnswer(const Response& response, Clocks now) {
  if (response.status == kHttpOk) {
    Result<ClaimedRun> seen = ReadClaimedRun(decoder_, response.body);
    if (seen) {
      run_ = std::move(seen).value();
      return Claimed(now);
    }
    host_.Log({LogLevel::kWarn,
               "can't read the answer to the claim",
               {{"run", Title()}, {"error", seen.error().ToString()}}});
    return Read(now);
  }
  const bool lost = response.status == kHttpConflict || response.status == kHttpUnprocessable;
  if (lost && from_watch_) {
    return Finish(SessionEnd::kTaken, Title() + ": " + WordsOf(response));
  }
  if (!lost) return TryClaimAgain(response, now);
  const std::string words = WordsOf(response);
  if (std::exchange(refusal_, words) != words) return Read(now);
  // Refused as it was read, and nobody was faster: reading it again changes nothing.
  if (response.status == kHttpUnprocessable) {
    return Finish(SessionEnd::kRefused, Title() + ": the claim is refused: " + refusal_);
  }
  TryClaimAgain(response, now);  // somebody writes to it all the time
}

void RunSession::TryClaimAgain(const Response& response, Clocks now) {
  const std::string why = Title() + ": " + WordsOf(response);
  if (IsGone(response)) return Finish(SessionEnd::kNotFound, why);
  if (response.status == kHttpForbidden || response.status == kHttpUnauthorized) {
    return Finish(SessionEnd::kForbidden, why);
  }
  if (response.status == kHttpBadRequest) return Finish(SessionEnd::kRefused, why);
  const Nanos wait = std::max(kClaimRetry, Nanos(response.retry_after.value_or(Seconds(0))));
  if (now.mono + wait >= give_up_) return Finish(SessionEnd::kUnreachable, why);
  next_ = now.mono + wait;
}

void RunSession::Claimed(Clocks now) {
  state_ = State::kWorking;
  refusal_.clear();
  cadence_ = CadenceOf(run_.thresholds, options_.cadence);
  source_ = run_.thresholds.heartbeat_source.value_or(options_.source);
  next_ = std::max(now.mono, accepted_.mono + std::min(kFirstBeat, cadence_.period));
  must_beat_ = options_.liveness == Liveness::kProcess;
  host_.OnClaimed(run_);
  if (run_.cancelled) Ask(StopCause::kCancelled, Title() + " is cancelled");
}

// ---- the heartbeats

void RunSession::Beat(Clocks now) {
  BeatPatch patch{.author = TheAuthor(), .at = stamp_.Next(now.mono)};
  counts_ = std::chrono::abs(patch.at - claimed_stamp_) >= kCounts;
  carries_progress_ = std::exchange(progressed_, false);
  if (carries_progress_) patch.progress = progress_;
  SendAs(Asked::kBeat,
         {.method = Method::kPatch,
          .target = StatusTarget(options_.name_space, options_.name),
          .content_type = std::string(kJsonPatchType),
          .body = WriteBeatPatch(patch),
          .deadline = cadence_.deadline},
         now);
}

void RunSession::Look(Clocks now) {
  SendAs(Asked::kLook,
         {.method = Method::kGet,
          .target = RunTarget(options_.name_space, options_.name),
          .deadline = cadence_.deadline},
         now);
}

Nanos RunSession::Jittered(Nanos longest) { return Times(longest, 1 - kJitter * random_.Unit()); }

// Where a Lease beats, cancellation and fence are only looked for.
Nanos RunSession::RegularPeriod() {
  return Jittered(BeatsByLease() && !progressed_ ? cadence_.look : cadence_.period);
}

void RunSession::OnBeatAnswer(const Response& response, Clocks now) {
  if (state_ != State::kWorking) return;
  if (response.status == kHttpOk) {
    // Too near to the claim where the machine's clock had to do for that and was a little ahead.
    must_beat_ = !counts_ && !BeatsByLease();
    if (request_sent_.boot > accepted_.boot) accepted_ = request_sent_;
    refusal_.clear();
    if (auto run = ReadClaimedRun(decoder_, response.body)) TakeIn(std::move(run).value());
    return GotThrough(must_beat_ ? std::min(kFirstBeat, cadence_.period) : RegularPeriod(), now);
  }
  if (carries_progress_) progressed_ = true;  // it goes with the next one
  if (IsGone(response)) return Fence(Title() + " is gone");
  if (response.status == kHttpConflict || response.status == kHttpUnprocessable) {
    refusal_ = WordsOf(response);
    return Look(now);
  }
  Failed(response, now);
}

// Also what follows a refused heartbeat: the run itself says whether that was the fence.
void RunSession::OnLookAnswer(const Response& response, Clocks now) {
  if (state_ == State::kReporting) return OnLookBack(response, now);
  if (state_ != State::kWorking) return;
  if (IsGone(response)) return Fence(Title() + " is gone");
  if (response.status != kHttpOk) return Failed(response, now);
  auto seen = ReadClaimedRun(decoder_, response.body);
  if (!seen) return Failed({.detail = seen.error().ToString()}, now);
  if (!Ours(*seen) || IsTerminal(seen->phase)) return Fence(FenceTextOf(*seen));
  TakeIn(std::move(seen).value());
  if (refusal_.empty()) return GotThrough(must_beat_ ? Nanos(0) : RegularPeriod(), now);
  Failed({.status = kHttpUnprocessable, .detail = std::exchange(refusal_, {})}, now);
}

void RunSession::TakeIn(ClaimedRun run) {
  run_ = std::move(run);
  cadence_ = CadenceOf(run_.thresholds, options_.cadence);
  if (run_.cancelled) Ask(StopCause::kCancelled, Title() + " is cancelled");
}

// A period counts from when the last request was sent, so that a slow answer does not add to it.
void RunSession::GotThrough(Nanos period, Clocks now) {
  next_ = std::max(now.mono, request_sent_.mono + period);
  if (!std::exchange(failing_, false)) return;
  host_.Log({LogLevel::kInfo, "heartbeats get through again", {{"run", Title()}}});
}

void RunSession::Failed(const Response& response, Clocks now) {
  const Nanos wait =
      std::max(Jittered(cadence_.retry), Nanos(response.retry_after.value_or(Seconds(0))));
  next_ = now.mono + std::min(wait, cadence_.period);
  if (std::exchange(failing_, true)) return;
  host_.Log({LogLevel::kWarn,
             "a heartbeat did not get through; the work goes on",
             {{"run", Title()}, {"error", WordsOf(response)}}});
}

void RunSession::OnProgress(std::string_view progress, Clocks now) {
  if (state_ > State::kWorking) return;  // the report of the end stays the same text
  progress_ = progress;
  progressed_ = true;
  if (Working() && BeatsByLease() && next_) {
    next_ = std::min(*next_, std::max(now.mono, request_sent_.mono + cadence_.period));
  }
}

void RunSession::OnLeaseRenewed(Clocks sent) {
  if (BeatsByLease() && sent.boot > accepted_.boot) accepted_ = sent;
}

void RunSession::BeatNow(Clocks now) {
  if (!Working()) return;
  must_beat_ = true;
  if (request_ == 0) Beat(now);
}

// ---- the fence

bool RunSession::MayBeCutOff() const {
  return options_.stop_when_cut_off && stop_ == StopCause::kNone &&
         run_.thresholds.heartbeat_mode != HeartbeatMode::kIgnored;
}

void RunSession::CheckCutOff(Clocks now) {
  if (!MayBeCutOff() || now.boot - accepted_.boot < cadence_.timeout) return;
  const auto seconds = std::chrono::duration_cast<Seconds>(cadence_.timeout).count();
  const bool progress = options_.liveness == Liveness::kProgress && !failing_;
  Ask(StopCause::kCutOff,
      Title() + ": " + (progress ? "no progress was reported" : "no heartbeat was accepted") +
          " for " + std::to_string(seconds) + " s, its whole timeout");
}

void RunSession::Ask(StopCause cause, const std::string& why) {
  if (cause <= stop_) return;
  stop_ = cause;
  host_.OnStopAsked(cause, why);
}

void RunSession::Fence(const std::string& why) {
  state_ = State::kFenced;
  next_.reset();
  fence_ = why;
  Ask(StopCause::kFenced, why);
}

bool RunSession::Ours(const ClaimedRun& run) const {
  return run.uid == run_.uid && run.claimed_by == options_.worker && run.claimed_at == claimed_at_;
}

}  // namespace jobrun
