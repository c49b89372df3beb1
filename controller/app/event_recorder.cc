#include "controller/app/event_recorder.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "controller/engine/answers.h"
#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// Below the resolution of the times that Events carry.
constexpr std::uint64_t kSaltMax = 1000;

Count CountOf(EventResult result) {
  return {.metric = Metric::kEvents, .label = static_cast<std::uint8_t>(result)};
}

bool MayPass(int status) {
  return status == 0 || status == kHttpConflict || status == kHttpTooManyRequests ||
         status >= kHttpServerError;
}

}  // namespace

EventRecorder::EventRecorder(std::string instance, std::uint64_t seed)
    : instance_(std::move(instance)), random_(seed), salt_(random_.Below(kSaltMax)) {}

void EventRecorder::Record(EmitEvent event, Mono now, Effects& effects) {
  assert(event.at);
  const Key key{event.uid, event.severity, event.reason, event.action};
  Series* known = series_.Use(key);
  if (known != nullptr && now - known->seen >= kFinishAfter) {
    CountIfLost(*known, effects);
    Drop(*known);
    known = nullptr;
  }
  if (known != nullptr) {
    Repeat(*known, *event.at, now);
  } else if (TakeToken(event.uid, now)) {
    Series* oldest = series_.NextToGo();
    if (oldest != nullptr) {
      CountIfLost(*oldest, effects);
      Detach(*oldest);
    }
    Begin(key, std::move(event), now);
  } else {
    effects.emplace_back(CountOf(EventResult::kFiltered));
  }
  OnWake(now, effects);
}

// One that is forgotten before it was ever sent.
void EventRecorder::CountIfLost(const Series& series, Effects& effects) {
  if (series.written + series.in_flight > 0) return;
  effects.emplace_back(CountOf(EventResult::kDropped));
}

bool EventRecorder::TakeToken(Uid uid, Mono now) {
  TokenBucket* bucket = buckets_.Use(uid);
  if (bucket == nullptr) bucket = &buckets_.Add(uid, TokenBucket(1 / kSecondsPerToken, kBurst));
  return bucket->Take(now);
}

void EventRecorder::Begin(const Key& key, RunEvent event, Mono now) {
  const ServerTime at = *event.at;
  std::string name = EventName(event.name, StampFor(at));
  Series& series = series_.Add(key, {.event = std::move(event),
                                     .name = std::move(name),
                                     .began = at,
                                     .last_observed = at,
                                     .seen = now,
                                     .write_at = now,
                                     .looked_at = agenda_.end()});
  LookAt(series, now);
}

// The second time is told at once, so that people see that it goes on; further ones when the series
// is refreshed, and at its end.
void EventRecorder::Repeat(Series& series, ServerTime at, Mono now) {
  ++series.count;
  series.last_observed = std::max(series.last_observed, at);
  series.seen = now;
  const bool second = series.written == 1 && series.write_at == Mono::max();
  if (second && TakeToken(series.event.uid, now)) series.write_at = now;
  if (series.in_flight == 0) LookAt(series, std::min(series.write_at, now + kFinishAfter));
}

void EventRecorder::LookAt(Series& series, Mono at) {
  if (series.looked_at != agenda_.end()) agenda_.erase(series.looked_at);
  series.looked_at = agenda_.emplace(at, &series);
}

Mono EventRecorder::NextWake() const {
  if (agenda_.empty() || flights_.size() >= kInFlightMax) return Mono::max();
  return std::max(agenda_.begin()->first, throttled_until_);
}

void EventRecorder::OnWake(Mono now, Effects& effects) {
  while (NextWake() <= now) {
    Series& series = *agenda_.begin()->second;
    agenda_.erase(agenda_.begin());
    series.looked_at = agenda_.end();
    Look(series, now, effects);
  }
}

void EventRecorder::Look(Series& series, Mono now, Effects& effects) {
  const bool ended = now - series.seen >= kFinishAfter;
  const bool news = series.count != series.written;
  if (news && (now >= series.write_at || (ended && series.failures == 0))) {
    Send(series, effects);
  } else if (ended && !news) {
    Drop(series);
  } else {
    const Mono end = series.seen + kFinishAfter;
    LookAt(series, !news                 ? end
                   : series.failures > 0 ? series.write_at
                                         : std::min(series.write_at, end));
  }
}

void EventRecorder::Send(Series& series, Effects& effects) {
  const bool creates = series.written == 0;
  const EventSeries repeats{.count = series.count, .last_observed = series.last_observed};
  Request request{.id = next_id_++, .klass = RequestClass::kEvent};
  if (creates) {
    request.method = Method::kPost;
    request.target = EventsTarget(series.event.name_space);
    request.content_type = "application/json";
    request.body =
        WriteEvent(series.event, {.name = series.name, .instance = instance_, .at = series.began},
                   series.count > 1 ? std::optional(repeats) : std::nullopt);
  } else {
    request.method = Method::kPatch;
    request.target = EventTarget(series.event.name_space, series.name);
    request.content_type = kMergePatchType;
    request.body = WriteSeriesPatch(repeats);
  }
  series.in_flight = series.count;
  flights_.emplace(request.id, Flight{&series, creates});
  effects.emplace_back(std::move(request));
}

void EventRecorder::OnResponse(const Response& response, Mono now, Effects& effects) {
  const auto found = flights_.find(response.id);
  if (found == flights_.end()) return;
  const auto [series, creates] = found->second;
  flights_.erase(found);
  const int status = response.status;
  // Its name is its own: what is there of that name was created by a request whose answer was lost,
  // perhaps before it happened again.
  const bool there = creates && status == kHttpConflict;
  if (series != nullptr && there) series->in_flight = 1;
  const bool done = status == kHttpOk || status == kHttpCreated || there;
  if (done) {
    effects.emplace_back(CountOf(creates ? EventResult::kCreated : EventResult::kUpdated));
  }
  if (series != nullptr && done) {
    OnWritten(*series, creates, now);
  } else if (series != nullptr) {
    OnFailed(*series, response, now, effects);
  }
  OnWake(now, effects);
}

void EventRecorder::OnWritten(Series& series, bool created, Mono now) {
  series.written = std::exchange(series.in_flight, 0);
  series.failures = 0;
  const bool single = created && series.written == 1;
  series.write_at = single ? Mono::max() : now + kRefreshEvery;
  const bool again = single && series.count > 1;
  if (again && TakeToken(series.event.uid, now)) series.write_at = now;
  LookAt(series, now);
}

void EventRecorder::OnFailed(Series& series, const Response& response, Mono now, Effects& effects) {
  const bool creates = series.written == 0;
  series.in_flight = 0;
  if (!creates && response.status == kHttpNotFound) {  // too old, or deleted
    series.written = 0;
    series.write_at = now;
    return LookAt(series, now);
  }
  const bool may_pass = MayPass(response.status);
  if (!may_pass || ++series.failures >= kTriesMax) {
    effects.emplace_back(CountOf(may_pass ? EventResult::kDropped : EventResult::kRefused));
    TellLoss(series, response, now, effects);
    return Drop(series);
  }
  if (response.status == kHttpTooManyRequests) {
    throttled_until_ = std::max(throttled_until_, now + ThrottleWait(response));
  }
  const auto jitter =
      static_cast<Nanos::rep>(static_cast<double>(kTryAgain.count()) / 4 * random_.Unit());
  series.write_at = now + kTryAgain + Nanos(jitter);
  LookAt(series, series.write_at);
}

void EventRecorder::Drop(Series& series) {
  Detach(series);
  series_.Erase(
      Key{series.event.uid, series.event.severity, series.event.reason, series.event.action});
}

// Nothing points to it any more.
void EventRecorder::Detach(Series& series) {
  if (series.looked_at != agenda_.end()) agenda_.erase(series.looked_at);
  for (auto& [id, flight] : flights_) {
    if (flight.series == &series) flight.series = nullptr;
  }
}

// A missing right is said once: it is the same for all.
void EventRecorder::TellLoss(const Series& series, const Response& response, Mono now,
                             Effects& effects) {
  const bool forbidden = response.status == kHttpForbidden;
  if (forbidden ? std::exchange(told_forbidden_, true) : now < tell_again_) return;
  if (!forbidden) tell_again_ = now + kSayAgain;
  effects.emplace_back(
      LogLine{LogLevel::kWarn,
              forbidden ? "Events can't be written: the controller needs create and patch on "
                          "events.events.k8s.io; this is said once"
                        : "an Event could not be written",
              {{"run", series.event.name_space + "/" + series.event.name},
               {"reason", series.event.reason},
               {"status", std::to_string(response.status)},
               {"error", WordsOf(response)}}});
}

// Nanoseconds, as client-go has it; each greater than the one before.
std::uint64_t EventRecorder::StampFor(ServerTime at) {
  const auto micros =
      static_cast<std::uint64_t>(std::max<ServerTime::rep>(at.time_since_epoch().count(), 0));
  last_stamp_ = std::max(last_stamp_ + 1, micros * kSaltMax + salt_);
  return last_stamp_;
}

}  // namespace jobrun
