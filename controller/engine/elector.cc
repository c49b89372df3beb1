#include "controller/engine/elector.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "controller/base/rfc3339.h"
#include "controller/engine/answers.h"
#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// Of client-go: candidates that failed together come back apart.
constexpr double kJitterFactor = 1.2;
// What another's record may ask for. A year would keep everybody from leading.
constexpr Seconds kDurationMin{1};
constexpr Seconds kDurationMax = std::chrono::hours(1);
// leaseTransitions is an int32.
constexpr std::int64_t kTransitionsMax = std::numeric_limits<std::int32_t>::max();
// A Lease that somebody else writes to all the time is not fought over without a pause.
constexpr int kReadsPerTry = 2;
// What client-go leaves behind.
constexpr std::int64_t kReleasedSeconds = 1;
// The process is about to end; without an answer the others wait for the Lease to pass.
constexpr Nanos kReleaseMax = std::chrono::seconds(3);
constexpr std::string_view kNoClock = "can't write the Lease: the API server's clock is not known";
constexpr Nanos kProblemRepeat = std::chrono::minutes(1);

constexpr std::array<std::string_view, 4> kCannot = {"can't read", "can't create", "can't renew",
                                                     "can't release"};

bool IsDone(const Response& response) {
  return response.status == kHttpOk || response.status == kHttpCreated;
}

Seconds DurationOf(const ElectionLease& lease, Seconds ours) {
  if (lease.duration_seconds <= 0) return ours;
  return Seconds(
      std::clamp(lease.duration_seconds, kDurationMin.count(), std::int64_t{kDurationMax.count()}));
}

}  // namespace

Elector::Elector(Core& core, Replica replica, const LeaderElection& timing)
    : core_(core),
      replica_(std::move(replica)),
      timing_(timing),
      target_(LeaseTarget(replica_.name_space, replica_.lease)) {}

bool Elector::Leading() const { return !Elects() || core_.now.boot < lead_until_; }

bool Elector::Expired() const { return led_ && core_.now.boot >= valid_until_; }

bool Elector::MayTake() const {
  return seen_->holder.empty() || core_.now.boot >= seen_since_ + DurationOf(*seen_, timing_.lease);
}

// ---- when ----

void Elector::OnWake() {
  if (!Elects()) return;
  NoteStepDown("it was not renewed in time");
  if (!releasing_ && !flight_ && core_.now.mono >= next_try_) BeginTry();
}

void Elector::BeginTry() {
  try_began_ = core_.now.mono;
  reads_left_ = kReadsPerTry;
  // What is written rests on what was read; a leader has read what its last renewal left.
  if (Leading() && IsOurs() && !in_doubt_) return Update();
  Read();
}

void Elector::EndTry() {
  const Mono now = core_.now.mono;
  const Nanos retry = timing_.retry;
  // A leader's slow answers must not add to the time that its Lease has left.
  next_try_ = std::max(now, try_began_ + retry);
  if (!Leading()) {
    const double jitter = kJitterFactor * static_cast<double>(retry.count()) * core_.random.Unit();
    next_try_ = now + retry + Nanos(static_cast<Nanos::rep>(jitter));
  }
}

std::optional<Mono> Elector::NextWake() const {
  if (!Elects() || Released()) return std::nullopt;
  if (releasing_) return release_ends_;
  std::optional<Mono> next;
  if (!flight_) next = next_try_;
  const auto sooner = [&](Boot at) { next = std::min(next.value_or(Mono::max()), WakeFor(at)); };
  if (told_leading_) sooner(lead_until_);
  if (led_ && !Expired()) sooner(valid_until_);
  return next;
}

// After a suspension it comes too late; that is why Leading and Expired ask the clock.
Mono Elector::WakeFor(Boot at) const {
  return core_.now.mono + std::max(at - core_.now.boot, Nanos::zero());
}

// ---- what is sent ----

void Elector::Send(Doing doing, Request request, std::string renew_time) {
  request.id = core_.next_id++;
  request.klass = RequestClass::kLease;
  // One that hangs leaves time for another before the leader has to step down.
  request.deadline = Nanos(timing_.renew_deadline) / 2;
  if (releasing_) request.deadline = std::min(request.deadline, release_ends_ - core_.now.mono);
  flight_ = {request.id, doing, core_.now.boot, std::move(renew_time)};
  core_.Emit(std::move(request));
}

void Elector::Read() {
  --reads_left_;
  Send(Doing::kReading, {.target = target_});
}

// The outcome of a write is open, or somebody else has written: what stands there decides.
void Elector::ReadAgain(Doing failed, const Response& response) {
  if (reads_left_ > 0) return Read();
  Fail(failed, response);
}

void Elector::Create() {
  if (!core_.now.server.Known()) return FailFor(std::string(kNoClock));
  const ElectionLease lease = OurRecord();
  Send(Doing::kCreating,
       {.method = Method::kPost,
        .target = LeasesTarget(replica_.name_space),
        .content_type = "application/json",
        .body = WriteElectionLease(replica_.name_space, replica_.lease, lease)},
       lease.renew_time);
}

void Elector::Update() {
  if (!core_.now.server.Known()) return FailFor(std::string(kNoClock));
  const ElectionLease lease = OurRecord();
  Send(Doing::kUpdating,
       {.method = Method::kPatch,
        .target = target_,
        .content_type = std::string(kMergePatchType),
        .body = WriteElectionPatch(lease)},
       lease.renew_time);
}

ElectionLease Elector::OurRecord() {
  ElectionLease record;
  record.holder = replica_.identity;
  record.duration_seconds = timing_.lease.count();
  record.renew_time = StampNow();
  record.acquire_time = record.renew_time;
  if (!seen_) return record;
  record.resource_version = seen_->resource_version;
  record.transitions = std::clamp(seen_->transitions, std::int64_t{0}, kTransitionsMax);
  if (!IsOurs()) {
    record.transitions = std::min(record.transitions + 1, kTransitionsMax);
  } else if (ParseRfc3339(seen_->acquire_time)) {
    record.acquire_time = seen_->acquire_time;
  }
  return record;
}

// Never twice the same: others see by it that the record has changed, and we whose write it was.
std::string Elector::StampNow() {
  ServerTime stamp = core_.now.server.earliest;
  if (stamp == last_stamp_) stamp += std::chrono::microseconds(1);
  last_stamp_ = stamp;
  return FormatMicroTime(stamp);
}

// ---- what is answered ----

void Elector::OnResponse(const Response& response) {
  const Flight flight = *std::exchange(flight_, std::nullopt);
  if (releasing_) return OnAnswerWhileReleasing(flight, response);
  if (flight.doing == Doing::kReading) return OnRead(response);
  OnWritten(flight, response);
}

void Elector::OnRead(const Response& response) {
  if (response.status == kHttpNotFound) {
    TakeInAbsence();
    return Create();
  }
  if (response.status != kHttpOk) return Fail(Doing::kReading, response);
  Result<ElectionLease> lease = ReadElectionLease(response.body);
  if (!lease) return FailFor(lease.error().ToString());
  const std::optional<Flight> doubt = std::exchange(in_doubt_, std::nullopt);
  TakeIn(std::move(lease).value());
  if (IsOurs()) {
    // One that is not of this write is of an earlier container of our pod, which has ended.
    if (!doubt || doubt->renew_time != seen_->renew_time) return Update();
    Renewed(doubt->sent_at);
  } else if (MayTake()) {
    return Update();
  }
  problem_.clear();
  EndTry();
}

void Elector::OnWritten(const Flight& flight, const Response& response) {
  if (IsDone(response)) {
    Result<ElectionLease> lease = ReadElectionLease(response.body);
    if (lease && lease->holder == replica_.identity) {
      TakeIn(std::move(lease).value());
      Renewed(flight.sent_at);
      problem_.clear();
      return EndTry();
    }
  }
  if (response.status == kHttpNotFound && flight.doing == Doing::kUpdating) {
    TakeInAbsence();
    return Create();
  }
  if (response.status == kHttpConflict) return ReadAgain(flight.doing, response);
  const bool unclear = IsDone(response) || response.status == 0;
  if (unclear || response.status >= kHttpServerError) in_doubt_ = flight;
  if (unclear) return ReadAgain(flight.doing, response);
  Fail(flight.doing, response);
}

void Elector::TakeIn(ElectionLease lease) {
  if (!seen_ || !IsSameRecord(*seen_, lease)) seen_since_ = core_.now.boot;
  seen_ = std::move(lease);
  const bool changed = holder_ != seen_->holder;
  holder_ = seen_->holder;
  if (holder_.empty() || IsOurs()) return;
  YieldToAnother();
  if (changed) core_.Emit(LogLine{LogLevel::kInfo, "another replica leads", {{"holder", holder_}}});
}

// What we had of it stays valid to its end. Whoever makes it anew first has it then.
void Elector::TakeInAbsence() {
  seen_.reset();
  in_doubt_.reset();
  holder_.clear();
}

void Elector::Renewed(Boot sent_at) {
  lead_until_ = sent_at + timing_.renew_deadline;
  valid_until_ = sent_at + timing_.lease;
  if (!Leading()) return;
  led_ = true;
  if (std::exchange(told_leading_, true)) return;
  core_.Emit(LogLine{LogLevel::kInfo,
                     "became the leader",
                     {{"identity", replica_.identity},
                      {"lease", replica_.name_space + "/" + replica_.lease},
                      {"transitions", std::to_string(seen_->transitions)}}});
}

void Elector::YieldToAnother() {
  lead_until_ = std::min(lead_until_, core_.now.boot);
  valid_until_ = std::min(valid_until_, core_.now.boot);
  NoteStepDown("another has the Lease");
}

void Elector::NoteStepDown(std::string_view reason) {
  if (Leading() || !std::exchange(told_leading_, false)) return;
  core_.Emit(LogLine{releasing_ ? LogLevel::kInfo : LogLevel::kWarn,
                     "no longer the leader",
                     {{"identity", replica_.identity}, {"reason", std::string(reason)}}});
}

void Elector::Fail(Doing doing, const Response& response) {
  std::string words = WordsOf(response);
  if (words.empty()) words = "HTTP " + std::to_string(response.status);
  if (response.status == kHttpForbidden) {
    words += "; leader election needs get, create and patch on leases.coordination.k8s.io";
  }
  const bool throttled = response.status == kHttpTooManyRequests;
  FailFor(std::string(kCannot.at(static_cast<std::size_t>(doing))) + " the Lease " +
          replica_.name_space + "/" + replica_.lease + ": " + words);
  if (throttled) next_try_ = std::max(next_try_, core_.now.mono + ThrottleWait(response));
}

void Elector::FailFor(std::string problem) {
  problem_ = std::move(problem);
  EndTry();
  const Mono now = core_.now.mono;
  if (problem_logged_at_ && now - *problem_logged_at_ < kProblemRepeat) return;
  problem_logged_at_ = now;
  core_.Emit(LogLine{LogLevel::kError, problem_, {}});
}

// ---- the end ----

void Elector::Release() {
  releasing_ = true;
  led_ = false;
  lead_until_ = std::min(lead_until_, core_.now.boot);
  NoteStepDown("it stops");
  release_ends_ = core_.now.mono + kReleaseMax;
  reads_left_ = kReadsPerTry;
  const bool writing = flight_ && flight_->doing != Doing::kReading;
  const bool may_be_ours = IsOurs() || in_doubt_ || writing;
  released_ = !Elects() || !may_be_ours;
  if (released_ || flight_) return;
  if (in_doubt_) return Read();
  GiveUp();
}

bool Elector::Released() const {
  return releasing_ && (released_ || core_.now.mono >= release_ends_);
}

void Elector::GiveUp() {
  ElectionLease lease = OurRecord();
  lease.holder.clear();
  lease.duration_seconds = kReleasedSeconds;
  lease.acquire_time = lease.renew_time;
  Send(Doing::kReleasing, {.method = Method::kPatch,
                           .target = target_,
                           .content_type = std::string(kMergePatchType),
                           .body = WriteElectionPatch(lease)});
}

// It does not matter any more why something fails, only whether the Lease may still be ours.
void Elector::OnAnswerWhileReleasing(const Flight& flight, const Response& response) {
  if (Released()) return;
  if (IsDone(response) && flight.doing != Doing::kReleasing) {
    if (Result<ElectionLease> lease = ReadElectionLease(response.body)) {
      TakeIn(std::move(lease).value());
      if (IsOurs()) return GiveUp();
    }
  }
  const bool open = response.status == 0 || response.status == kHttpConflict;
  if (open && flight.doing != Doing::kReading && reads_left_ > 0) return Read();
  released_ = true;
}

}  // namespace jobrun
