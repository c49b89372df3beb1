#include "tests/simulation/simulation.h"

#include <memory>
#include <vector>

#include "tests/simulation/ending.h"
#include "tests/simulation/network.h"
#include "tests/simulation/replica.h"
#include "tests/simulation/storm.h"
#include "tests/simulation/worker.h"

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kLookEvery = seconds(1);
constexpr Nanos kQuiet = seconds(12);
// A wait between attempts, a stream that hangs, and a list that is given up.
constexpr Nanos kCatchUp = seconds(30 + 90 + 60);
// After the faults nothing takes longer; whoever waits until then has hung.
constexpr Nanos kLongest = seconds(1400);

class Simulation {
 public:
  Simulation(const Plan& plan, const RunOptions& options)
      : world_(plan),
        oracle_(world_),
        network_(world_, oracle_),
        crew_(world_, network_),
        storm_({world_, network_, oracle_, crew_, replicas_}),
        ending_(world_, oracle_, crew_) {
    world_.trace.Print(options.print);
    world_.server.SetObserver([this](const Change& change) {
      oracle_.OnChange(change);
      crew_.OnChange(change);
      network_.OnChange();
    });
    for (int i = 0; i <= kRogue; ++i) {
      replicas_.push_back(std::make_unique<Replica>(world_, network_, oracle_, i));
      Replica& replica = *replicas_.back();
      replica.OnExit([this, &replica](ExitCause cause) { storm_.OnExit(replica, cause); });
    }
  }

  Outcome Run() {
    for (const Job& job : world_.plan.jobs) world_.trace.Comment(Nanos{}, "plan", Describe(job));
    for (const Action& action : world_.plan.actions) {
      world_.trace.Comment(Nanos{}, "plan", Describe(action));
    }
    for (int i = 0; i < kReplicas; ++i) {
      Replica* const replica = replicas_[static_cast<std::size_t>(i)].get();
      world_.time.At(milliseconds(i * 300), [replica] { replica->Start(); });
    }
    crew_.Start();
    storm_.Plan();
    RunUntil(world_.plan.faults_end);
    verdicts_in_storm_ = oracle_.Verdicts();
    storm_.Calm();
    ending_.Begin();
    Converge();
    return Result();
  }

 private:
  void RunUntil(Nanos end) {
    while (!world_.failure && world_.time.RunNext(end)) {
    }
  }

  void Converge() {
    do {
      AwaitEnds();
    } while (!world_.failure && AwaitKnowledge());
    if (world_.failure) return;
    ending_.BeginQuiet();
    RunUntil(world_.Now() + kQuiet);
    if (world_.failure) return;
    ending_.CheckQuiet();
    ending_.CheckEnds();
    (void)AwaitKnowledge();
    if (world_.failure) return;
    oracle_.CheckCounters(Alive());
  }

  void AwaitEnds() {
    while (!world_.failure && !ending_.Settled()) {
      RunUntil(world_.Now() + kLookEvery);
      if (world_.Now() > world_.plan.faults_end + kLongest)
        world_.Fail("L", "it does not come to an end: " + ending_.Open());
    }
  }

  // Until the last wait of a watch has passed, and until the list that makes up for what was lost:
  // who has just come to know of a run, or to lead, may have something to write. True when that
  // took time.
  bool AwaitKnowledge() {
    const Nanos from = world_.Now();
    const Nanos until = from + kCatchUp + Nanos(world_.plan.settings.watch.relist) * 5 / 4;
    std::string missing = ending_.WhatIsNotKnown(Alive());
    while (!missing.empty() && !world_.failure && world_.Now() < until) {
      RunUntil(world_.Now() + kLookEvery);
      missing = ending_.WhatIsNotKnown(Alive());
    }
    if (!missing.empty()) world_.Fail("I15", missing);
    ending_.LookAgain();
    return world_.Now() > from;
  }

  std::vector<Replica*> Alive() {
    std::vector<Replica*> alive;
    for (const auto& replica : replicas_) {
      if (replica->Alive()) alive.push_back(replica.get());
    }
    return alive;
  }

  Outcome Result() {
    if (world_.failure) Explain();
    return {.failure = world_.failure,
            .hash = world_.trace.Hash(),
            .hits = world_.hits,
            .verdicts = oracle_.Verdicts(),
            .verdicts_in_storm = verdicts_in_storm_,
            .changes = world_.server.History().size(),
            .lasted = world_.Now()};
  }

  // What each replica thinks of the runs that are not over.
  void Explain() {
    if (!world_.trace.Prints()) return;
    for (const auto& [uid, facts] : oracle_.Runs()) {
      if (facts.gone || facts.now == nullptr || facts.now->IsOver()) continue;
      world_.trace.Comment(world_.Now(), "store", facts.now->text);
      for (const auto& replica : replicas_) {
        if (!replica->Alive()) continue;
        world_.trace.Comment(world_.Now(), "replica", replica->Index(),
                             replica->Explain(facts.now->name_space, facts.now->name));
      }
    }
  }

  World world_;
  Oracle oracle_;
  Network network_;
  Crew crew_;
  std::vector<std::unique_ptr<Replica>> replicas_{};
  Storm storm_;
  Ending ending_;
  std::uint64_t verdicts_in_storm_{0};
};

}  // namespace

Outcome Simulate(const Plan& plan, const RunOptions& options) {
  return Simulation(plan, options).Run();
}

}  // namespace jobrun::simulation
