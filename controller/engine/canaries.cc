#include "controller/engine/canaries.h"

#include <algorithm>
#include <utility>

#include "controller/base/rfc3339.h"
#include "controller/base/text_hash.h"
#include "controller/engine/answers.h"
#include "controller/wire/canary.h"
#include "controller/wire/http_status.h"
#include "controller/wire/managed_fields.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/successor.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// After a request without an answer the next one comes in this part of a period.
constexpr int kTrySoonerPart = 4;
// Others' canaries are looked over so often.
constexpr Nanos kRemoveEvery = std::chrono::seconds(30);
constexpr Nanos kRemoveDeadline = std::chrono::seconds(10);
// A trouble that lasts is said once a minute.
constexpr Nanos kProblemRepeat = std::chrono::minutes(1);
constexpr std::chrono::hours kGapMax{24 * 3650};
// Beats come on this watch all the time; one without is broken.
constexpr std::chrono::seconds kStreamIdle{15};
// The API server notes times to the second, cut.
constexpr std::chrono::seconds kStampResolution{1};

}  // namespace

// Theirs alone, so that what the other watches are limited to does not hide them.
class Canaries::Watch final : public CollectionWatch {
 public:
  Watch(CollectionWatch::Parts parts, Canaries& canaries, WatchScope scope, std::uint64_t seed)
      : CollectionWatch(
            parts, std::move(scope),
            {.if_missing = "it is not installed there: kubectl apply -f crds/jobruns.yaml",
             .if_forbidden = "the controller needs get, list and watch on jobruns.jobrun.dev in "
                             "the namespace of its canaries",
             .stream_idle = kStreamIdle},
            seed),
        canaries_(canaries) {}

 private:
  void OnReplaced() override { canaries_.OnListed(Epoch()); }
  // Each beat tells anew how it is.
  std::optional<Nanos> ListAgainAfter() const override { return std::nullopt; }
  void OnEvent(const Event& event, bool initial) override {
    if (event.type == EventType::kInvalid || !IsCanary(event.run.lane, event.run.name)) return;
    canaries_.OnEvent(event, initial, Epoch());
  }

  Canaries& canaries_;
};

Canaries::Canaries(Parts parts, Replica replica, std::uint64_t seed)
    : core_(parts.core),
      decoder_(parts.decoder),
      replica_(std::move(replica)),
      name_(CanaryName(replica_.identity)) {
  if (replica_.name_space.empty()) return;
  WatchScope scope{.name_space = replica_.name_space,
                   .field_selector = "spec.lane=" + std::string(kCanaryLane)};
  watch_ = std::make_unique<Watch>(CollectionWatch::Parts{core_, decoder_}, *this, std::move(scope),
                                   seed);
  core_.silence.Begin(Mono::min(), core_.now.mono);
  core_.home = replica_.name_space;
  OnSettings();
}

Canaries::~Canaries() = default;

CollectionWatch* Canaries::TheWatch() const { return watch_.get(); }

const std::string& Canaries::Problem() const {
  if (watch_ && !watch_->Problem().empty()) return watch_->Problem();
  return problem_;
}

void Canaries::Start() {
  if (watch_) watch_->Machine().Start(core_.now.mono);
}

void Canaries::OnSettings() {
  if (watch_) core_.silence.SetRunOn(RunOn());
}

void Canaries::Stop() {
  stopping_ = true;
  if (watch_) watch_->Stop();
}

// ---- what the watch says ----

void Canaries::OnEvent(const Event& event, bool initial, std::uint16_t epoch) {
  const ObservedRun& run = event.run;
  const bool is_own = run.name == name_;
  if (event.type == EventType::kDeleted) {
    canaries_.erase(std::string(run.name));
    if (is_own && run.uid == own_uid_) own_ = Own::kAbsent;
    return;
  }
  Canary& canary = canaries_[std::string(run.name)];
  canary.epoch = epoch;
  if (canary.uid == run.uid && run.resource_version <= canary.resource_version) return;
  const bool same = std::exchange(canary.uid, run.uid) == run.uid;
  canary.resource_version = run.resource_version;
  canary.stamp = HeartbeatStamp(run.managed_fields);
  canary.writable_since = SaidLate(run, canary.stamp) ? std::nullopt : WritableSince(run.progress);
  const std::uint64_t beat = HashOfText(run.last_heartbeat_at);
  const bool changed = std::exchange(canary.beat, beat) != beat;
  if (is_own) TakeOwn(run);
  if (same && !changed) return;
  if (same && !initial) NoteEvidence(event);
  canary.seen = core_.Mark();
}

// A beat that was held up and carried out when the outage was over says what was so before it.
bool Canaries::SaidLate(const ObservedRun& run, std::optional<ServerTime> stamp) const {
  const std::optional<ServerTime> said = ParseRfc3339(run.last_heartbeat_at);
  return said && stamp && *stamp - *said > RunOn() + core_.settings.grace.server_skew;
}

void Canaries::NoteEvidence(const Event& event) {
  const bool stopped = core_.silence.Stopped();
  const Nanos length = core_.silence.Behind(core_.now.mono);
  core_.silence.Evidence(core_.now.mono);
  if (stopped && core_.now.server.Known()) {
    core_.stopped_since_then += length;
    resumed_ = core_.now.server.latest;
  }
  if (event.run.name == name_) NoteRoundTrip(HashOfText(event.run.last_heartbeat_at));
}

// After a stop silence counts anew for those whose stamps alone tell of it; but not before those
// are known whose stamps tell of the time before it.
void Canaries::OnRunsKnown() {
  if (!resumed_) return;
  core_.writable_since = *std::exchange(resumed_, std::nullopt);
  core_.stopped_since_then = Nanos::zero();
}

void Canaries::NoteRoundTrip(std::uint64_t beat) {
  if (beat != sent_beat_) return;
  sent_beat_ = 0;
  const Nanos took = core_.now.mono - sent_at_;
  core_.Observe(Metric::kCanaryRoundTrip, took);
}

void Canaries::OnListed(std::uint16_t epoch) {
  std::erase_if(canaries_, [&](const auto& entry) { return entry.second.epoch != epoch; });
  if (!canaries_.contains(name_)) own_ = Own::kAbsent;
  if (std::exchange(known_, true)) return;
  Reckon();
}

// Since when has nobody looked? A replica that beat until a moment ago means that this start, too,
// is no stop.
void Canaries::Reckon() {
  const ServerInterval& server = core_.now.server;
  const std::optional<ServerTime> newest = NewestBeat();
  if (!newest || !server.Known()) return;
  const ServerTime beaten = *newest + kStampResolution;
  // A stamp may say anything.
  const Nanos gap = std::clamp<ServerTime::duration>(server.earliest - beaten,
                                                     ServerTime::duration::zero(), kGapMax);
  core_.writable_since = WritableSinceAt(*newest);
  core_.silence.Begin(core_.now.mono - gap, core_.now.mono);
  // Workers that could not report then may be about to.
  const Nanos since_stop = std::clamp<ServerTime::duration>(server.earliest - core_.writable_since,
                                                            ServerTime::duration::zero(), kGapMax);
  core_.silence.Recall(core_.now.mono - since_stop);
}

std::optional<ServerTime> Canaries::NewestBeat() const {
  std::optional<ServerTime> newest;
  for (const auto& [name, canary] : canaries_) newest = std::max(newest, canary.stamp);
  return newest;
}

// What the replicas say that were beating then. Each says it of its own watch, and one that has
// seen beats all the time is enough.
ServerTime Canaries::WritableSinceAt(ServerTime newest) const {
  ServerTime since = core_.now.server.latest;
  for (const auto& [name, canary] : canaries_) {
    if (!canary.stamp || !canary.writable_since || *canary.stamp + RunOn() < newest) continue;
    since = std::min(since, *canary.writable_since);
  }
  return since;
}

// ---- the own one ----

void Canaries::TakeOwn(const ObservedRun& run) {
  if (run.uid == own_uid_ && run.resource_version < own_version_) return;
  own_uid_ = run.uid;
  own_version_ = run.resource_version;
  own_ = run.being_deleted              ? Own::kLeaving
         : IsTerminal(run.phase)        ? Own::kEnded
         : run.phase == Phase::kPending ? Own::kPending
                                        : Own::kRunning;
}

void Canaries::Pump() {
  if (!watch_ || stopping_ || !known_) return;
  if (in_flight_ == 0 && core_.now.mono >= next_ && core_.now.server.Known()) SendNext();
  if (core_.leading && core_.now.mono >= next_removal_) RemoveGone();
}

std::optional<Mono> Canaries::NextWake() const {
  if (!watch_ || stopping_ || !known_) return std::nullopt;
  // Only after that moment it has stopped.
  const Mono stops = core_.silence.StopsAt();
  const Mono sight = stops == Mono::max() ? stops : stops + Nanos(1);
  if (in_flight_ != 0) return sight;
  if (!core_.now.server.Known()) return core_.now.mono + Period();
  return std::min(std::max(next_, core_.now.mono), sight);
}

Canaries::Doing Canaries::DoingFor(Own own) {
  switch (own) {
    case Own::kUnknown:
    case Own::kLeaving:
      return Doing::kReading;
    case Own::kAbsent:
      return Doing::kCreating;
    case Own::kPending:
      return Doing::kClaiming;
    case Own::kEnded:
      return Doing::kDeleting;
    case Own::kRunning:
      break;
  }
  return Doing::kBeating;
}

void Canaries::SendNext() {
  const std::string& home = replica_.name_space;
  // No two beats are alike, whatever becomes of the clock.
  last_beat_ = std::max(core_.now.server.earliest, last_beat_ + ServerTime::duration(1));
  switch (own_) {
    case Own::kUnknown:
    case Own::kLeaving:
      return Send(Doing::kReading, {.target = RunTarget(home, name_)});
    case Own::kAbsent:
      return Send(Doing::kCreating, {.method = Method::kPost,
                                     .target = CreateTarget(home),
                                     .content_type = "application/json",
                                     .body = WriteCanary(name_, home)});
    case Own::kPending:
      return Send(Doing::kClaiming, {.method = Method::kPatch,
                                     .target = StatusTarget(home, name_),
                                     .content_type = std::string(kMergePatchType),
                                     .body = WriteCanaryClaim(replica_.identity, last_beat_)});
    case Own::kEnded:
      return Send(Doing::kDeleting, {.method = Method::kDelete,
                                     .target = RunTarget(home, name_),
                                     .content_type = "application/json",
                                     .body = WriteDeleteOptions(own_uid_, own_version_)});
    case Own::kRunning:
      break;
  }
  const ServerTime since = resumed_.value_or(core_.writable_since);
  const bool seeing = !core_.silence.Stopped() && since != ServerTime::min();
  sent_beat_ = HashOfText(FormatMicroTime(last_beat_));
  sent_at_ = core_.now.mono;
  Send(Doing::kBeating,
       {.method = Method::kPatch,
        .target = StatusTarget(home, name_),
        .content_type = std::string(kMergePatchType),
        .body = WriteCanaryBeat(last_beat_, seeing ? std::optional(since) : std::nullopt)});
}

// On the connections of the election, which no storm of verdicts fills. One that hangs is given up
// before the silence clock would be set back for long.
void Canaries::Send(Doing doing, Request request) {
  request.id = core_.next_id++;
  request.klass = RequestClass::kLease;
  request.deadline = RunOn();
  in_flight_ = request.id;
  doing_ = doing;
  next_ = core_.now.mono + Period();
  core_.Emit(std::move(request));
}

void Canaries::OnResponse(const Response& response) {
  if (removals_.erase(response.id) > 0) return;
  in_flight_ = 0;
  if (response.status == kHttpOk || response.status == kHttpCreated) return OnDone(response);
  if (response.status == kHttpNotFound && doing_ != Doing::kCreating) {
    own_ = Own::kAbsent;
    next_ = core_.now.mono;
    return;
  }
  if (response.status == kHttpNotFound) {
    homeless_ = DecodeStatus(response.body).kind == "namespaces";
  }
  // Whatever the watch will tell, the object is looked at first.
  if (response.status != 0 && response.status < kHttpServerError) own_ = Own::kUnknown;
  // A connection that was cut tells nothing about the next one; others wait for their turn.
  if (response.status == 0) next_ = std::min(next_, core_.now.mono + Period() / kTrySoonerPart);
  Report(response);
}

void Canaries::OnDone(const Response& response) {
  const Event event = decoder_.DecodeObject(response.body);
  if (doing_ == Doing::kDeleting) {
    own_ = Own::kAbsent;
  } else if (event.type != EventType::kInvalid && event.run.name == name_) {
    TakeOwn(event.run);
  } else {
    return Report(response);
  }
  problem_.clear();
  // What brings it nearer to beating follows at once; the watch may have told of it before.
  if (DoingFor(own_) != doing_) next_ = core_.now.mono;
}

void Canaries::Report(const Response& response) {
  if (response.status == kHttpConflict) return;
  problem_ = "the canary " + replica_.name_space + "/" + name_ +
             " can't be written, so nothing counts as silent: " + WordsOf(response);
  const Mono now = core_.now.mono;
  if (problem_logged_at_ && now - *problem_logged_at_ < kProblemRepeat) return;
  problem_logged_at_ = now;
  core_.Emit(LogLine{LogLevel::kError, problem_, {}});
}

// ---- others ----

void Canaries::RemoveGone() {
  next_removal_ = core_.now.mono + kRemoveEvery;
  if (core_.silence.Stopped()) return;
  for (const auto& [name, canary] : canaries_) {
    if (name == name_ || core_.now.silence - canary.seen < kGoneAfter) continue;
    Request request{.id = core_.next_id++,
                    .klass = RequestClass::kLease,
                    .method = Method::kDelete,
                    .target = RunTarget(replica_.name_space, name),
                    .content_type = "application/json",
                    .body = WriteDeleteOptions(canary.uid, canary.resource_version),
                    .deadline = kRemoveDeadline};
    removals_.emplace(request.id, name);
    core_.Emit(LogLine{LogLevel::kInfo,
                       "a canary whose replica is gone is removed",
                       {{"canary", replica_.name_space + "/" + name}}});
    core_.Emit(std::move(request));
  }
}

}  // namespace jobrun
