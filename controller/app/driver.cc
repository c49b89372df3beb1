#include "controller/app/driver.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

namespace jobrun {
namespace {

// A request that was never handed to the kernel has no times.
std::optional<Nanos> Took(Mono sent_at, Mono received_at) {
  if (sent_at == Mono{} || received_at < sent_at) return std::nullopt;
  return received_at - sent_at;
}

}  // namespace

Driver::Driver(DriverParts parts, Metrics& metrics, LogSink& log)
    : parts_(std::move(parts)),
      metrics_(metrics),
      log_(log),
      recorder_(parts_.process_id, std::hash<std::string>()(parts_.process_id)) {
  last_turn_ = parts_.clocks().mono.time_since_epoch().count();
  const std::vector<std::string> names = parts_.lanes();
  lanes_ = names.size();
  metrics_.SetLanes(names);
}

// Carries out one effect.
struct Driver::Performer {
  Driver& driver;

  void operator()(OpenStream& effect) const {
    driver.opening_.insert(effect.id);
    driver.transport_->Open(effect);
  }
  void operator()(CloseStream& effect) const {
    driver.opening_.erase(effect.id);
    driver.transport_->Close(effect);
  }
  void operator()(SendRequest& effect) const {
    driver.requests_.emplace(effect.id, effect.method);
    driver.transport_->Send(std::move(effect));
  }
  void operator()(const WakeAt& effect) const { driver.engine_wake_ = effect.at; }
  void operator()(const jobrun::Count& effect) const { driver.Count(effect); }
  void operator()(EmitEvent& effect) const {
    if (!effect.at) effect.at = driver.parts_.wall();
    if (effect.subject == EventSubject::kPod && effect.name.empty()) {
      if (!driver.parts_.own_pod) return;
      Regard(*driver.parts_.own_pod, effect);
    }
    driver.recorder_.Record(std::move(effect), driver.parts_.clocks().mono, driver.recorded_);
  }
  void operator()(const LogLine& effect) const { driver.Log(effect); }
  void operator()(Answer& effect) const { driver.Deliver(effect); }
  void operator()(const Exit& effect) const {
    driver.cause_ = effect.cause;
    driver.stopped_ = true;
    driver.log_.Flush();
    driver.parts_.stop_loop();
  }
};

void Driver::Start(Transport& transport) {
  transport_ = &transport;
  Turn(Woke{});
}

void Driver::Tell(EmitEvent event) {
  if (stopped_) return;
  in_turn_ = true;
  Performer{*this}(event);
  EndTurn(parts_.clocks().mono);
}

void Driver::Reload(Settings settings) { Turn(ConfigLoaded{std::move(settings)}); }

void Driver::BeginStop() {
  if (stop_deadline_ == Mono::max()) stop_deadline_ = parts_.clocks().mono + kStopMax;
  Turn(StopAsked{});
}

void Driver::Turn(const Input& input) {
  if (stopped_) return;
  if (in_turn_) {
    // A transport that answers from within Send: the turn under way comes to its end first. Events
    // can't wait, what they point to dies.
    assert(!std::holds_alternative<StreamEvents>(input));
    parts_.post([this, input] { Turn(input); });
    return;
  }
  in_turn_ = true;
  parts_.step(parts_.clocks(), input, effects_);
  Perform(effects_);
  const Mono now = parts_.clocks().mono;
  last_turn_ = now.time_since_epoch().count();
  EndTurn(now);
}

// Events come last: nothing is sent for them once the engine has finished.
void Driver::EndTurn(Mono now) {
  if (!stopped_) {
    recorder_.OnWake(now, recorded_);
    Perform(recorded_);
    ArmWake(now);
  }
  in_turn_ = false;
}

void Driver::Perform(Effects& effects) {
  for (Effect& effect : effects) std::visit(Performer{*this}, effect);
  effects.clear();
}

// A storm's lines are written once in a round of the loop instead of one by one; what is wrong is
// said at once.
void Driver::Log(const LogLine& line) {
  if (line.level >= LogLevel::kWarn) return log_.Write(line);
  log_.Hold(line);
  if (std::exchange(flush_posted_, true)) return;
  parts_.post([this] {
    flush_posted_ = false;
    log_.Flush();
  });
}

void Driver::ArmWake(Mono now) {
  const Mono next = std::min({engine_wake_, recorder_.NextWake(), now + kTurnMax, stop_deadline_});
  parts_.set_wake(next, [this] { OnWake(); });
}

void Driver::OnWake() {
  const Mono now = parts_.clocks().mono;
  if (now >= stop_deadline_) {
    log_.Write({.level = LogLevel::kWarn,
                .message = "stopping with requests in flight: they took too long"});
    stopped_ = true;
    return parts_.stop_loop();
  }
  // An engine that asks for nothing more is not to be woken for the same time again.
  if (engine_wake_ <= now) engine_wake_ = Mono::max();
  Turn(Woke{});
}

void Driver::OnResponse(Response response) {
  const auto request = requests_.find(response.id);
  if (request != requests_.end()) {
    metrics_.CountRequest(request->second, response.status,
                          Took(response.sent_at, response.received_at));
    requests_.erase(request);
  }
  if (EventRecorder::Owns(response.id) || AccessReviews::Owns(response.id)) {
    return OnOwnAnswer(response);
  }
  Turn(Input{std::move(response)});
}

void Driver::OnOwnAnswer(const Response& response) {
  if (stopped_) return;
  if (in_turn_) {
    parts_.post([this, response] { OnOwnAnswer(response); });
    return;
  }
  in_turn_ = true;
  const Mono now = parts_.clocks().mono;
  if (AccessReviews::Owns(response.id)) {
    reviews_.OnResponse(response, now, recorded_);
  } else {
    recorder_.OnResponse(response, now, recorded_);
  }
  EndTurn(now);
}

void Driver::OnStreamOpened(const StreamOpened& opened) {
  opening_.erase(opened.id);
  metrics_.CountRequest(Method::kGet, 200, Took(opened.sent_at, opened.received_at));
  Turn(opened);
}

void Driver::OnStreamEvents(const StreamEvents& events) { Turn(events); }

void Driver::OnStreamClosed(StreamClosed closed) {
  // One that was open has been counted as answered.
  if (opening_.erase(closed.id) > 0) {
    metrics_.CountRequest(Method::kGet, closed.status, std::nullopt);
  }
  Turn(Input{std::move(closed)});
}

void Driver::Count(const jobrun::Count& count) {
  if (count.lane >= lanes_) {
    const std::vector<std::string> names = parts_.lanes();
    lanes_ = names.size();
    metrics_.SetLanes(names);
  }
  metrics_.Apply(count);
}

void Driver::Deliver(Answer& answer) {
  if (const auto asking = explaining_.find(answer.id); asking != explaining_.end()) {
    asking->second(answer.explanation);
    explaining_.erase(asking);
    return;
  }
  const auto waiting = scrapes_.find(answer.id);
  if (waiting == scrapes_.end()) return;
  const Mono taken_at = answer.snapshot.taken_at;
  const Gauges gauges{.snapshot = std::move(answer.snapshot),
                      .last_sweep = parts_.health().last_sweep,
                      .mono = taken_at,
                      .wall = parts_.wall()};
  waiting->second(gauges);
  scrapes_.erase(waiting);
}

void Driver::Ask(std::function<void()> question) {
  if (asks_.fetch_add(1) >= kAsksMax) {
    --asks_;
    return;
  }
  parts_.post([this, question = std::move(question)] {
    --asks_;
    question();
  });
}

void Driver::AskGauges(std::function<void(const Gauges&)> done) {
  Ask([this, done = std::move(done)] {
    const std::uint64_t id = next_scrape_++;
    scrapes_.emplace(id, done);
    Turn(ScrapeAsked{id});
    // The engine answers within the turn; one that does not has nothing to say.
    scrapes_.erase(id);
  });
}

void Driver::AskExplanation(std::string name_space, std::string name,
                            std::function<void(const Explained&)> done) {
  Ask([this, name_space = std::move(name_space), name = std::move(name), done = std::move(done)] {
    const std::uint64_t id = next_scrape_++;
    explaining_.emplace(id, done);
    Turn(ExplainAsked{.id = id, .name_space = name_space, .name = name});
    explaining_.erase(id);
  });
}

void Driver::AskHealth(std::function<void(const Health&)> done) {
  Ask([this, done = std::move(done)] { done(parts_.health()); });
}

void Driver::AskAccess(std::string token, WantedAccess wanted, std::function<void(Access)> done) {
  Ask([this, token = std::move(token), wanted = std::move(wanted), done = std::move(done)] {
    if (stopped_) return;
    in_turn_ = true;
    const Mono now = parts_.clocks().mono;
    reviews_.Ask(token, wanted, now, done, recorded_);
    EndTurn(now);
  });
}

Nanos Driver::SinceTurn() const {
  const Nanos since = parts_.clocks().mono.time_since_epoch() - Nanos(last_turn_.load());
  return std::max(since, Nanos{0});
}

}  // namespace jobrun
