#include "tests/simulation/replica.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/network.h"

namespace jobrun::simulation {
namespace {

// Of app/driver.h: the longest time between two turns.
constexpr Nanos kTurnMax = std::chrono::seconds(5);
constexpr Nanos kWakeLatency = std::chrono::microseconds(300);

bool IsWriteOfData(const Effect& effect) {
  const auto* request = std::get_if<SendRequest>(&effect);
  return request != nullptr && request->klass == RequestClass::kData &&
         request->method != Method::kGet;
}

}  // namespace

Replica::Replica(World& world, Network& network, Oracle& oracle, int index)
    : world_(world),
      network_(network),
      oracle_(oracle),
      index_(index),
      settings_(world.plan.settings) {}

std::string Replica::ProcessId() const {
  return "p" + std::to_string(index_) + "x" + std::to_string(process_);
}

std::string Replica::Identity() const {
  return "pod" + std::to_string(index_) + "-" + std::to_string(pod_);
}

void Replica::Start() {
  if (engine_) return;
  ++process_;
  // It starts on a machine that is awake.
  if (base_ > world_.Now()) {
    slept_ -= base_ - world_.Now();
    base_ = world_.Now();
  }
  resumes_ = Nanos::zero();
  inbox_.clear();
  effects_left_ = 0;
  delayed_ = false;
  pause_before_write_ = Nanos::zero();
  wake_ = Mono::max();
  wake_planned_ = Nanos::max();
  EngineOptions options;
  options.process_id = ProcessId();
  options.seed = world_.processes.Next();
  options.settings = settings_;
  options.replica = {.identity = Identity(),
                     .name_space = std::string(kHome),
                     .lease = index_ == kRogue ? "" : std::string(kElectionLease)};
  world_.trace.Line(world_.Now(), Name(), "starts as", ProcessId(), Identity());
  engine_ = std::make_unique<Engine>(std::move(options), ReadClocks());
  oracle_.OnStart(*this);
  Step(Woke{});
}

void Replica::Crash() {
  if (!engine_) return;
  world_.trace.Line(world_.Now(), Name(), "dies");
  oracle_.OnDeath(*this);
  engine_.reset();
  inbox_.clear();
  resumes_ = Nanos::zero();
  network_.Drop(index_);
}

void Replica::Stop(Nanos at_most) {
  if (!engine_) return;
  world_.trace.Line(world_.Now(), Name(), "is asked to stop");
  const std::uint64_t process = process_;
  Post(process, [this] { Step(StopAsked{}); });
  world_.time.In(at_most, [this, process] {
    if (process_ == process) Crash();
  });
}

void Replica::Pause(Nanos length) {
  if (!engine_) return;
  world_.trace.Line(world_.Now(), Name(), "stands still for ms", length.count() / 1'000'000);
  resumes_ = std::max(resumes_, world_.Now() + length);
  world_.time.At(resumes_, [this] { Resume(); });
}

// Until it ends the monotonic clock stands still; the other one will have gone on.
void Replica::Suspend(Nanos length) {
  if (!engine_) return;
  Rebase();
  const Nanos end = world_.Now() + length;
  if (end > base_) {
    slept_ += end - base_;
    base_ = end;
  }
  Pause(length);
}

void Replica::Resume() {
  if (Paused()) return;
  while (engine_ && !Paused() && !inbox_.empty()) {
    const auto what = std::move(inbox_.front());
    inbox_.pop_front();
    what();
  }
  if (engine_ && !Paused()) OnWakeTimer(process_);
}

void Replica::Rebase() {
  if (world_.Now() <= base_) return;
  const Clocks now = ReadClocks();
  base_ = world_.Now();
  mono_base_ = now.mono;
}

void Replica::SetRate(double rate) {
  Rebase();
  rate_ = rate;
  oracle_.OnRate(*this, rate);
  wake_planned_ = Nanos::max();
  if (engine_) ArmWake();
}

Clocks Replica::ReadClocks() const {
  const Nanos since = std::max(world_.Now() - base_, Nanos::zero());
  const double passed = static_cast<double>(since.count()) * rate_;
  const Mono mono = mono_base_ + Nanos(static_cast<Nanos::rep>(passed));
  return {.mono = mono, .boot = Boot(mono.time_since_epoch() + slept_)};
}

Nanos Replica::TrueTime(Mono mono) const {
  if (mono == Mono::max()) return Nanos::max();
  const double left = static_cast<double>((mono - mono_base_).count()) / rate_;
  return base_ + Nanos(static_cast<Nanos::rep>(left)) + Nanos(1);
}

void Replica::Reload(const Settings& settings) {
  if (!engine_) {
    settings_ = settings;
    return;
  }
  Post(process_, [this, settings] {
    settings_ = settings;
    Step(ConfigLoaded{settings_});
  });
}

void Replica::Post(std::uint64_t process, std::function<void()> what) {
  if (process != process_ || !engine_) return;
  if (Paused()) {
    inbox_.push_back([this, process, what = std::move(what)] {
      if (process == process_ && engine_) what();
    });
    return;
  }
  what();
}

void Replica::Step(const Input& input) {
  Effects effects;
  engine_->Step(ReadClocks(), input, effects);
  Perform(std::move(effects), 0);
}

// Carries out one effect, as Driver::Performer does.
struct Replica::Performer {
  Replica& replica;

  void operator()(const OpenStream& effect) const { replica.network_.Open(replica, effect); }
  void operator()(const CloseStream& effect) const { replica.network_.Close(replica, effect.id); }
  void operator()(const SendRequest& effect) const { replica.network_.Send(replica, effect); }
  void operator()(const WakeAt& effect) const { replica.wake_ = effect.at; }
  void operator()(const Count& effect) const { replica.oracle_.OnCount(replica, effect); }
  void operator()(const EmitEvent&) const {}
  void operator()(const LogLine& effect) const {
    if (effect.message.starts_with("canaries are seen to beat again")) {
      replica.oracle_.OnSightAgain(replica);
    }
    if (!replica.world_.trace.Prints()) return;
    std::string text = "says: " + effect.message;
    for (const auto& [key, value] : effect.fields) text.append(" ").append(key).append("=" + value);
    replica.world_.trace.Comment(replica.world_.Now(), replica.Name(), text);
  }
  void operator()(const Answer& effect) const { replica.answers_[effect.id] = effect; }
  void operator()(const Exit& effect) const {
    replica.world_.trace.Line(replica.world_.Now(), replica.Name(), "exits",
                              static_cast<int>(effect.cause));
    replica.oracle_.OnExit(replica, effect.cause);
    replica.Crash();
    if (replica.on_exit_) replica.on_exit_(effect.cause);
  }
};

void Replica::Perform(Effects effects, std::size_t from) {
  const std::uint64_t process = process_;
  for (std::size_t i = from; i < effects.size(); ++i) {
    if (pause_before_write_ > Nanos::zero() && IsWriteOfData(effects[i])) {
      world_.Hit(Fault::kPauseBeforeSend);
      Pause(std::exchange(pause_before_write_, Nanos::zero()));
      inbox_.push_front([this, process, rest = std::move(effects), i]() mutable {
        if (process != process_ || !engine_) return;
        delayed_ = true;
        Perform(std::move(rest), i);
        delayed_ = false;
      });
      return;
    }
    std::visit(Performer{*this}, effects[i]);
    if (!engine_ || process != process_) return;
    if (effects_left_ > 0 && --effects_left_ == 0) {
      world_.Hit(Fault::kCrashAtEffect);
      return Crash();
    }
  }
  ArmWake();
}

void Replica::ArmWake() {
  turn_ = std::min(wake_, ReadClocks().mono + kTurnMax);
  PlanWake();
}

void Replica::PlanWake() {
  const Nanos at = std::max(TrueTime(turn_), world_.Now()) + kWakeLatency;
  // One that is planned already finds out by itself that it has come too early.
  if (wake_planned_ <= at && wake_planned_ > world_.Now()) return;
  wake_planned_ = at;
  const std::uint64_t process = process_;
  world_.time.At(at, [this, process] {
    if (process == process_ && engine_ && !Paused()) OnWakeTimer(process);
  });
}

void Replica::OnWakeTimer(std::uint64_t process) {
  if (process != process_ || !engine_) return;
  if (wake_planned_ > world_.Now()) return;  // another is planned, earlier or later
  wake_planned_ = Nanos::max();
  const Mono now = ReadClocks().mono;
  if (now < turn_) return PlanWake();
  if (wake_ <= now) wake_ = Mono::max();
  Step(Woke{});
}

std::string Replica::Explain(const std::string& name_space, const std::string& name) {
  if (!engine_) return "(dead)";
  const std::uint64_t id = next_question_++;
  Step(ExplainAsked{.id = id, .name_space = name_space, .name = name});
  const auto answer = answers_.extract(id);
  if (answer.empty() || !answer.mapped().explanation) return "(not known)";
  return answer.mapped().explanation->words;
}

Snapshot Replica::Scrape() {
  const std::uint64_t id = next_question_++;
  Step(ScrapeAsked{id});
  const auto answer = answers_.extract(id);
  return answer.empty() ? Snapshot{} : answer.mapped().snapshot;
}

}  // namespace jobrun::simulation
