#include "controller/engine/engine.h"

#include <algorithm>
#include <utility>

#include "controller/engine/breaker.h"
#include "controller/engine/canaries.h"
#include "controller/engine/core.h"
#include "controller/engine/departures.h"
#include "controller/engine/elector.h"
#include "controller/engine/executors.h"
#include "controller/engine/explain.h"
#include "controller/engine/finished_list.h"
#include "controller/engine/intake.h"
#include "controller/engine/leases.h"
#include "controller/engine/outbox.h"
#include "controller/engine/reaper.h"
#include "controller/engine/run_watch.h"
#include "controller/engine/sight.h"
#include "controller/engine/snapshot.h"

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
// While it stops, whether its Lease has ended.
constexpr Nanos kStoppingLook = std::chrono::seconds(1);

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
        breaker(core),
        sight(core),
        reaper({core, intake, executors, leases, outbox, breaker, decoder}),
        departures({core, intake, reaper, outbox, decoder}),
        finished({core, intake, outbox, departures, decoder}, options.scopes),
        canaries({core, decoder}, options.replica, options.seed),
        elector(core, options.replica, options.settings.election) {
    for (WatchScope& scope : options.scopes) {
      const auto index = static_cast<std::uint8_t>(watches.size());
      watches.push_back(
          std::make_unique<RunWatch>(RunWatch::Parts{core, intake, reaper, departures, decoder},
                                     std::move(scope), index, options.seed + watches.size() + 1));
    }
  }

  EventDecoder decoder;
  Core core;
  Intake intake;
  Executors executors;
  Leases leases;
  Outbox outbox;
  Breaker breaker;
  Sight sight;
  Reaper reaper;
  Departures departures;
  FinishedList finished;
  Canaries canaries;
  Elector elector;
  std::vector<std::unique_ptr<RunWatch>> watches;
  std::vector<Slot> due;  // reused
  std::optional<Mono> asked_wake;
  Mono last_sweep{};
  std::uint64_t capped_for{0};  // PolicyTable::Version
  bool led{true};
  bool started{false};
  bool watching{false};
  bool stopping{false};
  bool releasing{false};
  bool exited{false};

  void Take(const StreamOpened& opened);
  void Take(const StreamEvents& events);
  void Take(const StreamClosed& closed);
  void Take(const Response& response);
  void Take(const ConfigLoaded& config);
  void Take(const Woke&) {}
  void Take(const ScrapeAsked& asked);
  void Take(const ExplainAsked& asked);
  void Take(const StopAsked&);

  void Begin(const Clocks& clocks, Effects& effects);
  void Finish();
  void WatchOnceAgesAreKnown();
  void Lead();
  void LeaveOnceDone();
  [[nodiscard]] std::size_t WritesInFlight() const { return reaper.InFlight() + outbox.InFlight(); }
  void JudgeDue();
  void LookAt(Slot slot);
  void CapBackoff();
  void AskToWake();
  template <class Each>
  void EachWatch(Each each) {
    for (const auto& watch : watches) each(*watch);
    for (const auto& watch : executors.Watches()) each(*watch);
    for (const auto& watch : leases.Watches()) each(*watch);
    if (CollectionWatch* watch = canaries.TheWatch()) each(*watch);
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
  sight.OnStep(clocks, asked_wake);
  core.now = {.mono = clocks.mono,
              .boot = clocks.boot,
              .silence = core.silence.Read(clocks.mono),
              .server = core.server.At(clocks.mono)};
  core.leading = elector.Leading() && core.leading;
  if (std::exchange(started, true)) return;
  CapBackoff();
  canaries.Start();
}

void Engine::Impl::Finish() {
  if (!stopping) {
    CapBackoff();
    WatchOnceAgesAreKnown();
    leases.WatchIfAsked();
    EachWatch([this](CollectionWatch& watch) {
      watch.Machine().OnWake(core.now.mono);
      watch.TellLate();
    });
    if (watching && Synced()) canaries.OnRunsKnown();
    canaries.Pump();
    sight.Tell();
    elector.OnWake();
    Lead();
    JudgeDue();
    breaker.OnWake();
    executors.Pump();
    reaper.Pump();
    outbox.Pump();
    departures.Pump();
    finished.Pump();
    last_sweep = core.now.mono;
    AskToWake();
  } else {
    LeaveOnceDone();
  }
  core.effects = nullptr;
}

// How long a run has been silent can't be told before it is known how long nobody looked.
void Engine::Impl::WatchOnceAgesAreKnown() {
  if (watching || !canaries.Known()) return;
  watching = true;
  for (const auto& watch : watches) watch->Machine().Start(core.now.mono);
  executors.Start();
}

// Whoever comes to lead judges all runs: a standby has left what came due.
void Engine::Impl::Lead() {
  const bool leads = elector.Leading();
  if (!leads && elector.Expired() && WritesInFlight() > 0 && !std::exchange(exited, true)) {
    core.Emit(Exit{ExitCause::kLeaseLost});
  }
  if (!leads && std::exchange(led, false)) reaper.StandBy();
  led = leads;
  if (std::exchange(core.leading, leads) == leads || !leads) return;
  core.store.ForEach([this](Slot slot, const RunRecord&) { LookAt(slot); });
}

// The Lease is given up when nothing is under way any more that only its holder may do.
void Engine::Impl::LeaveOnceDone() {
  if (exited) return;
  if (WritesInFlight() > 0) {
    exited = elector.Expired();
    if (exited) return core.Emit(Exit{ExitCause::kLeaseLost});
    return core.Emit(WakeAt{core.now.mono + kStoppingLook});
  }
  if (!std::exchange(releasing, true)) elector.Release();
  if (!elector.Released()) {
    return core.Emit(WakeAt{elector.NextWake().value_or(core.now.mono + kSweepEvery)});
  }
  exited = true;
  core.Emit(Exit{});
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
  } else if (!core.store.At(slot).departed) {
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
  sooner(departures.NextWake());
  sooner(finished.NextWake());
  sooner(executors.NextWake());
  sooner(canaries.NextWake());
  sooner(elector.NextWake());
  sooner(breaker.NextWake());
  EachWatch([&](const CollectionWatch& watch) { sooner(watch.Machine().NextWake()); });
  next = std::max(next, core.now.mono);  // what is late by now is no pause
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
  if (departures.Owns(response.id)) return departures.OnResponse(response);
  if (finished.Owns(response.id)) return finished.OnResponse(response);
  if (canaries.Owns(response.id)) {
    canaries.OnResponse(response);
    if (canaries.IsHomeless() && !std::exchange(exited, true)) {
      core.Emit(Exit{ExitCause::kNamespaceMissing});
    }
    return;
  }
  if (elector.Owns(response.id)) {
    elector.OnResponse(response);
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
  canaries.OnSettings();
  finished.OnSettings();
  for (const auto& watch : watches) watch->OnSettings();
  if (executors.OnSettings() || sources_changed) {
    for (const auto& watch : watches) watch->Machine().Resync(core.now.mono);
  }
  core.store.ForEach([this](Slot slot, const RunRecord&) { LookAt(slot); });
}

void Engine::Impl::Take(const ScrapeAsked& asked) { core.Emit(Answer{asked.id, TakeSnapshot()}); }

void Engine::Impl::Take(const ExplainAsked& asked) {
  Answer answer{.id = asked.id};
  const Slot slot = FindRun(core, asked.name_space, asked.name);
  if (slot != kNoSlot) {
    answer.explanation = Explain(core, slot);
    answer.explanation->leader = elector.Holder();
    reaper.Explain(slot, *answer.explanation);
    answer.explanation->words = InWords(*answer.explanation);
  }
  core.Emit(std::move(answer));
}

void Engine::Impl::Take(const StopAsked&) {
  if (std::exchange(stopping, true)) return;
  asked_wake.reset();
  reaper.Stop();
  outbox.Stop();
  finished.Stop();
  executors.Stop();
  leases.Stop();
  canaries.Stop();
  for (const auto& watch : watches) watch->Stop();
}

bool Engine::Impl::Synced() const {
  return std::ranges::all_of(watches, [](const auto& watch) { return watch->Machine().Synced(); });
}

Snapshot Engine::Impl::TakeSnapshot() const {
  Snapshot snapshot = SnapshotOf(core);
  for (std::size_t lane = 0; lane < snapshot.lanes.size(); ++lane) {
    snapshot.lanes[lane].breaker_open = breaker.IsOpen(static_cast<LaneIndex>(lane));
  }
  snapshot.breaker_open_for_all = breaker.IsOpenForAll();
  snapshot.queued = reaper.Queued() + outbox.Queued();
  snapshot.in_flight = WritesInFlight();
  reaper.TakeWork(snapshot);
  snapshot.synced = Synced();
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
  if (health.problem.empty()) health.problem = impl_->canaries.Problem();
  if (health.problem.empty()) health.problem = impl_->elector.Problem();
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
