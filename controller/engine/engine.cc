#include "controller/engine/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controller/engine/core.h"
#include "controller/engine/executors.h"
#include "controller/engine/intake.h"
#include "controller/engine/leases.h"
#include "controller/engine/outbox.h"
#include "controller/engine/reaper.h"
#include "controller/engine/run_watch.h"

namespace jobrun {
namespace {

// An engine turn comes at least this often, so that "the last sweep" tells a stuck loop from a
// quiet one.
constexpr Nanos kSweepEvery = std::chrono::seconds(10);
// Waiting never takes more than this part of the shortest timeout in force, nor less than the
// minimum.
constexpr int kBackoffPart = 10;
constexpr Nanos kBackoffCapMin = std::chrono::milliseconds(200);
constexpr Nanos kBackoffCapMax = std::chrono::seconds(30);
constexpr std::size_t kScopesMax = 255;

std::vector<WatchScope>& Bounded(std::vector<WatchScope>& scopes) {
  if (scopes.size() > kScopesMax) scopes.resize(kScopesMax);
  return scopes;
}

}  // namespace

struct Engine::Impl {
  Impl(EngineOptions options, const Clocks& start)
      : core(options.settings, std::move(options.process_id), start.mono, options.seed),
        intake(core, decoder),
        executors(core, decoder, Bounded(options.scopes), options.seed),
        leases(core, decoder, options.scopes, options.seed),
        outbox(core, intake, decoder),
        reaper({core, intake, executors, leases, outbox, decoder}) {
    for (WatchScope& scope : options.scopes) {
      const auto index = static_cast<std::uint8_t>(watches.size());
      watches.push_back(std::make_unique<RunWatch>(RunWatch::Parts{core, intake, reaper, decoder},
                                                   std::move(scope), index,
                                                   options.seed + watches.size() + 1));
    }
  }

  EventDecoder decoder;
  Core core;
  Intake intake;
  Executors executors;
  Leases leases;
  Outbox outbox;
  Reaper reaper;
  std::vector<std::unique_ptr<RunWatch>> watches;
  std::vector<Slot> due;  // reused
  std::optional<Mono> asked_wake;
  Mono last_sweep{};
  std::uint64_t capped_for{0};  // PolicyTable::Version
  bool started{false};
  bool stopping{false};
  bool exited{false};

  void Take(const StreamOpened& opened);
  void Take(const StreamEvents& events);
  void Take(const StreamClosed& closed);
  void Take(const Response& response);
  void Take(const ConfigLoaded& config);
  void Take(const Woke&) {}
  void Take(const ScrapeAsked& asked);
  void Take(const StopAsked&);

  void Begin(const Clocks& clocks, Effects& effects);
  void Finish();
  void JudgeDue();
  void LookAt(Slot slot);
  void CapBackoff();
  void AskToWake();
  template <class Each>
  void EachWatch(Each each) {
    for (const auto& watch : watches) each(*watch);
    for (const auto& watch : executors.Watches()) each(*watch);
    for (const auto& watch : leases.Watches()) each(*watch);
  }
  [[nodiscard]] bool Synced() const;
  [[nodiscard]] Snapshot TakeSnapshot() const;
};

Engine::Engine(EngineOptions options, const Clocks& start)
    : impl_(std::make_unique<Impl>(std::move(options), start)) {}
Engine::~Engine() = default;

void Engine::Step(const Clocks& clocks, const Input& input, Effects& effects) {
  impl_->Begin(clocks, effects);
  std::visit([this](const auto& what) { impl_->Take(what); }, input);
  impl_->Finish();
}

void Engine::Impl::Begin(const Clocks& clocks, Effects& effects) {
  core.effects = &effects;
  core.now = {.mono = clocks.mono,
              .boot = clocks.boot,
              .silence = core.silence.Read(clocks.mono),
              .server = core.server.At(clocks.mono)};
  if (std::exchange(started, true)) return;
  CapBackoff();
  for (const auto& watch : watches) watch->Machine().Start(core.now.mono);
  executors.Start();
}

void Engine::Impl::Finish() {
  if (!stopping) {
    CapBackoff();
    leases.WatchIfAsked();
    EachWatch([this](CollectionWatch& watch) {
      watch.Machine().OnWake(core.now.mono);
      watch.TellLate();
    });
    JudgeDue();
    executors.Pump();
    reaper.Pump();
    outbox.Pump();
    last_sweep = core.now.mono;
    AskToWake();
  } else if (reaper.InFlight() + outbox.InFlight() == 0 && !std::exchange(exited, true)) {
    core.Emit(Exit{});
  }
  core.effects = nullptr;
}

void Engine::Impl::JudgeDue() {
  // What comes due again while it is looked at waits for the next step.
  due.clear();
  while (const std::optional<Slot> slot = core.timers.PopDue(core.now.mono)) due.push_back(*slot);
  for (const Slot slot : due) {
    if (!core.store.At(slot).uid.IsNone()) LookAt(slot);
  }
}

void Engine::Impl::LookAt(Slot slot) {
  if (IsTerminal(core.store.At(slot).phase)) {
    outbox.Attend(slot);
  } else {
    executors.Look(slot);
    reaper.Judge(slot);
  }
}

void Engine::Impl::CapBackoff() {
  if (std::exchange(capped_for, core.policies.Version()) == core.policies.Version()) return;
  const Nanos cap =
      std::clamp(core.policies.ShortestTimeout() / kBackoffPart, kBackoffCapMin, kBackoffCapMax);
  core.backoff_cap = cap;
  EachWatch([cap](CollectionWatch& watch) { watch.Machine().CapBackoff(cap); });
}

void Engine::Impl::AskToWake() {
  Mono next = core.now.mono + kSweepEvery;
  const auto sooner = [&next](std::optional<Mono> at) {
    if (at) next = std::min(next, *at);
  };
  sooner(core.timers.Next());
  sooner(reaper.NextWake());
  sooner(outbox.NextWake());
  sooner(executors.NextWake());
  EachWatch([&](const CollectionWatch& watch) { sooner(watch.Machine().NextWake()); });
  // The host wakes us no earlier than asked, so a wake that is already asked for serves.
  if (asked_wake && *asked_wake > core.now.mono && *asked_wake <= next) return;
  asked_wake = next;
  core.Emit(WakeAt{next});
}

void Engine::Impl::Take(const StreamOpened& opened) {
  if (opened.date) core.server.Observe(*opened.date, opened.sent_at, opened.received_at);
  core.now.server = core.server.At(core.now.mono);
  EachWatch([&](CollectionWatch& watch) { watch.Machine().OnOpened(opened, core.now.mono); });
}

void Engine::Impl::Take(const StreamEvents& events) {
  EachWatch([&](CollectionWatch& watch) {
    if (watch.Machine().Owns(events.id)) watch.OnEvents(events);
  });
}

void Engine::Impl::Take(const StreamClosed& closed) {
  EachWatch([&](CollectionWatch& watch) { watch.Machine().OnClosed(closed, core.now.mono); });
}

void Engine::Impl::Take(const Response& response) {
  if (response.date) core.server.Observe(*response.date, response.sent_at, response.received_at);
  core.now.server = core.server.At(core.now.mono);
  if (reaper.Owns(response.id)) {
    reaper.OnResponse(response);
    return;
  }
  if (outbox.Owns(response.id)) {
    outbox.OnResponse(response);
    return;
  }
  if (executors.Owns(response.id)) {
    if (const std::optional<Slot> slot = executors.OnResponse(response)) LookAt(*slot);
    return;
  }
  EachWatch([&](CollectionWatch& watch) { watch.Machine().OnResponse(response, core.now.mono); });
}

void Engine::Impl::Take(const ConfigLoaded& config) {
  core.settings = config.settings;
  core.server.SetSkew(config.settings.grace.server_skew);
  std::vector<Policy> before;
  core.policies.Reload(config.settings, before);
  const bool sources_changed = intake.OnPoliciesReloaded(before);
  reaper.OnSettings();
  outbox.OnSettings();
  if (executors.OnSettings() || sources_changed) {
    for (const auto& watch : watches) watch->Machine().Resync(core.now.mono);
  }
  core.store.ForEach([this](Slot slot, const RunRecord&) { LookAt(slot); });
}

void Engine::Impl::Take(const ScrapeAsked& asked) { core.Emit(Answer{asked.id, TakeSnapshot()}); }

void Engine::Impl::Take(const StopAsked&) {
  if (std::exchange(stopping, true)) return;
  reaper.Stop();
  outbox.Stop();
  executors.Stop();
  leases.Stop();
  for (const auto& watch : watches) watch->Stop();
}

bool Engine::Impl::Synced() const {
  return std::ranges::all_of(watches, [](const auto& watch) { return watch->Machine().Synced(); });
}

Snapshot Engine::Impl::TakeSnapshot() const {
  const std::vector<std::string>& names = core.policies.Labels().Names();
  Snapshot snapshot;
  snapshot.lanes.resize(names.size());
  for (std::size_t lane = 0; lane < names.size(); ++lane) {
    snapshot.lanes[lane].lane = names[lane];
    if (lane < core.runs_by_lane.size()) snapshot.lanes[lane].runs = core.runs_by_lane[lane];
  }
  core.store.ForEach([&](Slot, const RunRecord& record) {
    if (record.phase != Phase::kRunning || !record.has_beaten) return;
    auto& oldest = snapshot.lanes[core.LabelOf(record)].oldest_heartbeat;
    const Mono seen = core.now.mono - (core.now.silence - core.LastSign(record));
    oldest = std::min(oldest.value_or(Mono::max()), seen);
  });
  snapshot.runs = core.store.Size();
  snapshot.policies = core.policies.Size();
  snapshot.timers = core.timers.Size();
  snapshot.queued = reaper.Queued() + outbox.Queued();
  snapshot.in_flight = reaper.InFlight() + outbox.InFlight();
  snapshot.synced = Synced();
  snapshot.silence_clock_stopped = core.silence.Stopped();
  snapshot.taken_at = core.now.mono;
  return snapshot;
}

Health Engine::CheckHealth() const {
  Health health;
  health.synced = impl_->Synced();
  health.last_sweep = impl_->last_sweep;
  health.stopping = impl_->stopping;
  for (const auto& watch : impl_->watches) {
    if (health.problem.empty()) health.problem = watch->Problem();
  }
  for (const auto& watch : impl_->leases.Watches()) {
    if (health.problem.empty()) health.problem = watch->Problem();
  }
  if (health.problem.empty()) health.problem = impl_->reaper.Problem();
  for (const Lane& lane : impl_->core.settings.lanes) {
    if (!lane.held) continue;
    if (!health.held_lanes.empty()) health.held_lanes += ", ";
    health.held_lanes += lane.name;
  }
  return health;
}

std::vector<std::string> Engine::LaneNames() const { return impl_->core.policies.Labels().Names(); }

}  // namespace jobrun
