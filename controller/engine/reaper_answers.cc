// The other half of the Reaper: what the answers to its requests mean.
#include <algorithm>
#include <array>
#include <utility>

#include "controller/engine/announce.h"
#include "controller/engine/answers.h"
#include "controller/engine/reaper.h"
#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"

namespace jobrun {
namespace {

// A run whose write is refused is held no longer than this.
constexpr Nanos kHoldMax = std::chrono::minutes(1);
constexpr Nanos kVisitAgain = std::chrono::seconds(2);

// A trouble of all runs is said once a minute.
constexpr Nanos kProblemRepeat = std::chrono::minutes(1);

bool LacksRight(int status) { return status == kHttpForbidden || status == kHttpUnauthorized; }
// Whether the request came as far as the check of what we may do.
bool TellsOfRights(int status) {
  return status != 0 && status != kHttpTooManyRequests && status < kHttpServerError;
}

}  // namespace

void Reaper::OnResponse(const Response& response) {
  const Flight flight = in_flight_.extract(response.id).mapped();
  if (response.status == kHttpOk && RightOf(flight.doing) == problem_of_) problem_.clear();
  if (!core_.store.Holds(flight.slot, flight.uid)) {
    return core_.Observe(Metric::kWork, core_.now.mono - flight.begun);
  }
  if (flight.doing == Doing::kWritingVisit) {
    OnVisited(flight, response);
    return;
  }
  const Next next = OnAnswer(flight, response);
  if (next == Next::kWait) return;
  core_.Observe(Metric::kWork, core_.now.mono - flight.begun);
  if (!core_.store.Holds(flight.slot, flight.uid)) return;
  core_.store.At(flight.slot).busy = false;
  if (next == Next::kJudge) Judge(flight.slot);
  if (next == Next::kHold) Hold(flight.slot);
  if (next == Next::kForget) Forget(flight.slot);
}

Reaper::Next Reaper::OnAnswer(const Flight& flight, const Response& response) {
  switch (flight.doing) {
    case Doing::kReading:
      return OnRead(flight, response);
    case Doing::kDeletingLease:
      return OnLeaseDeleted(flight, response);
    case Doing::kReadingLease:
      return OnLeaseRead(flight, response);
    case Doing::kWritingVerdict:
    case Doing::kWritingVisit:
      break;
  }
  return OnWritten(flight, response);
}

// Brings the record up to the object in an answer. Another uid under the name tells nothing about
// our run.
Reaper::TakenIn Reaper::TakeIn(const Flight& flight, const Response& response) {
  const Event event = decoder_.DecodeObject(response.body);
  if (event.type == EventType::kInvalid) {
    intake_.Invalid(event.run, event.message);
    return TakenIn::kUnreadable;
  }
  if (event.run.uid != flight.uid) return TakenIn::kReplaced;
  OnSeen(intake_.Observe(event.run, Source::kRead, 0, 0), event.run);
  if (!core_.store.Holds(flight.slot, flight.uid)) return TakenIn::kReplaced;
  // The watch may be ahead of the answer.
  const bool newest = core_.store.At(flight.slot).resource_version == event.run.resource_version;
  return newest ? TakenIn::kNewest : TakenIn::kOlder;
}

// The fresh object decides anew. If the run is still dead, it is written with the version just
// read.
Reaper::Next Reaper::OnRead(const Flight& flight, const Response& response) {
  if (response.status == kHttpNotFound) return Next::kForget;
  if (response.status != kHttpOk) return OnRefused(flight, response);
  const TakenIn taken = TakeIn(flight, response);
  if (taken == TakenIn::kUnreadable) return Next::kHold;
  if (taken == TakenIn::kReplaced) return Next::kForget;
  Attempt& attempt = AttemptOf(flight.slot);
  attempt.read_first = false;
  const Decision decision = Decide(core_.SubjectOf(core_.store.At(flight.slot)), core_.now);
  const auto* reap = std::get_if<Reap>(&decision);
  if (reap == nullptr || taken == TakenIn::kOlder || Idle()) return Next::kJudge;
  const Result<std::string> foreign = ForeignConditions(response.body);
  if (!foreign) return Next::kHold;
  attempt.due = core_.now.mono - reap->overdue;
  if (GateShut(flight.slot, *reap)) return Next::kJudge;
  if (NeedOfLease(flight.slot, reap->reason) != Leases::Need::kNothing) return Next::kJudge;
  if (attempt.conflicts < kConflictsInRow || !StandsWhoeverBeats(flight.slot, reap->reason)) {
    WriteVerdict(flight.slot, reap->reason, *foreign);
    return Next::kWait;
  }
  const ObservedRun run = decoder_.DecodeObject(response.body).run;
  const std::string uid = FormatUid(run.uid);
  const Grounds grounds{
      .uid = uid, .claimed_at = run.claimed_at, .conditions_json = run.conditions_json};
  WriteVerdict(flight.slot, reap->reason, *foreign, &grounds);
  return Next::kWait;
}

// Rows 4 and 10 while the work goes on: a worker that beats faster than we can write must not put
// them off for ever.
bool Reaper::StandsWhoeverBeats(Slot slot, Reason reason) const {
  const Subject run = core_.SubjectOf(core_.store.At(slot));
  return run.phase == Phase::kRunning && !run.exit_code &&
         (reason == Reason::kDeadlineExceeded || reason == Reason::kCancelled ||
          reason == Reason::kBackstopExceeded);
}

Reaper::Next Reaper::OnWritten(const Flight& flight, const Response& response) {
  if (response.status == kHttpOk) {
    const TakenIn taken = TakeIn(flight, response);
    if (taken == TakenIn::kReplaced) return Next::kForget;
    return taken == TakenIn::kUnreadable ? Next::kHold : Next::kJudge;
  }
  // Whoever wrote first may have been ourselves, in a write whose answer was lost: the object
  // tells.
  Attempt& attempt = AttemptOf(flight.slot);
  // A test that failed looks like a refusal of the content: the next try, with the version, tells.
  const bool test_failed = attempt.by_grounds && response.status == kHttpUnprocessable;
  if (response.status != kHttpConflict && !test_failed) return OnRefused(flight, response);
  attempt.conflicts = test_failed ? 0 : attempt.conflicts + 1;
  core_.CountOne(Metric::kConflicts, 0, 0);
  CountReconcile(ReconcileResult::kRequeue);
  attempt.read_first = true;
  if (Idle()) return Next::kHold;
  if (++attempt.failures % kConflictsInRow == 0) return Next::kHold;
  ReadAnew(flight.slot, flight.reason);
  return Next::kWait;
}

// A visit that did not commit is not urgent: it is made again when the run is next judged. Only a
// missing right is told: no verdict could be written either.
void Reaper::OnVisited(const Flight& flight, const Response& response) {
  core_.store.At(flight.slot).visiting = false;
  if (TellsOfRights(response.status)) visits_denied_.erase(flight.slot);
  core_.Observe(Metric::kWork, core_.now.mono - flight.begun);
  if (response.status == kHttpOk) {
    (void)TakeIn(flight, response);
    return;
  }
  core_.CountOne(Metric::kQueueRetries, 0, 0);
  if (response.status == kHttpTooManyRequests) Throttle(response);
  Nanos again = kVisitAgain;
  if (LacksRight(response.status) && WantsVisit(flight.slot)) {
    visits_denied_.insert(flight.slot);
    Report(flight, response);
    again = std::max(again, core_.backoff_cap);
  }
  // Refused for its content: it will be the next time too.
  if (response.status == kHttpUnprocessable) again = kHoldMax;
  core_.timers.Arm(flight.slot, core_.now.mono + again);
}

Reaper::Next Reaper::OnRefused(const Flight& flight, const Response& response) {
  AttemptOf(flight.slot).read_first = true;
  if (response.status == kHttpTooManyRequests) {
    Throttle(response);
    core_.CountOne(Metric::kQueueRetries, 0, 0);
    return Next::kJudge;
  }
  Report(flight, response);
  if (flight.doing == Doing::kWritingVerdict) {
    AnnounceRefusedVerdict(core_, core_.store.At(flight.slot), flight.reason, response);
  }
  CountReconcile(ReconcileResult::kError);
  return Next::kHold;
}

void Reaper::Throttle(const Response& response) {
  throttled_until_ = std::max(throttled_until_, core_.now.mono + ThrottleWait(response));
}

Reaper::Right Reaper::RightOf(Doing doing) {
  switch (doing) {
    case Doing::kReading:
      return Right::kRead;
    case Doing::kWritingVerdict:
    case Doing::kWritingVisit:
      return Right::kWrite;
    case Doing::kDeletingLease:
      return Right::kDeleteLease;
    case Doing::kReadingLease:
      return Right::kReadLease;
  }
  return Right::kRead;
}

// A refusal for its content is this run's trouble; a missing right is everybody's and makes the
// controller unready.
void Reaper::Report(const Flight& flight, const Response& response) {
  const std::string detail = WordsOf(response);
  if (LacksRight(response.status)) {
    constexpr std::array<const char*, 4> kLacking = {
        "can't read a JobRun: ", "can't write a JobRun's status: ", "can't delete a Lease: ",
        "can't read a Lease: "};
    problem_of_ = RightOf(flight.doing);
    problem_ = kLacking.at(static_cast<std::size_t>(problem_of_)) + detail;
    const Mono now = core_.now.mono;
    if (problem_logged_at_ && now - *problem_logged_at_ < kProblemRepeat) return;
    problem_logged_at_ = now;
  }
  LogRefusal(flight, response, detail);
}

void Reaper::LogRefusal(const Flight& flight, const Response& response, const std::string& detail) {
  constexpr std::array<const char*, 5> kRequests = {"read", "verdict", "visit", "delete the Lease",
                                                    "read the Lease"};
  const bool refused = response.status != 0 && response.status < kHttpServerError;
  core_.Emit(LogLine{refused ? LogLevel::kError : LogLevel::kWarn,
                     refused ? "a request for a run was refused; the run is held"
                             : "the outcome of a request is unknown; the run is read again",
                     {{"run", core_.FullName(core_.store.At(flight.slot))},
                      {"request", kRequests.at(static_cast<std::size_t>(flight.doing))},
                      {"status", std::to_string(response.status)},
                      {"error", detail}}});
}

// Only this run waits; the others go on.
void Reaper::Hold(Slot slot) {
  Attempt& attempt = AttemptOf(slot);
  attempt.read_first = true;
  const Nanos longest = std::min(kHoldMax, core_.backoff_cap);
  const Nanos wait = HoldWait(attempt.failures++, longest, core_.random);
  CountReconcile(ReconcileResult::kRequeueAfter);
  core_.CountOne(Metric::kQueueRetries, 0, 0);
  core_.timers.Arm(slot, core_.now.mono + wait);
}

}  // namespace jobrun
