#include "tests/simulation/exhaustive.h"

#include <utility>

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The first replica leads and writes so much at most in the small workload.
constexpr std::uint64_t kEffects = 700;
constexpr std::uint64_t kEvents = 60;
constexpr std::uint64_t kChanges = 150;

Job SmallJob(const std::string& name, Behaviour behaviour) {
  Job job{.name = name, .behaviour = behaviour};
  job.created = milliseconds(1500);
  job.claimed_after = milliseconds(400);
  job.works_for = seconds(4);
  job.beats_every = seconds(3);
  job.spec.heartbeat_interval = Seconds(3);
  job.spec.heartbeat_timeout = Seconds(6);
  job.spec.finalize_grace = Seconds(3);
  return job;
}

// One dies and is retried, one ends without a report, one hands its work back, one lives.
Plan SmallPlan() {
  Plan plan{.seed = 1};
  plan.settings.canary.period = Seconds(3);
  plan.settings.election = {.lease = Seconds(8), .renew_deadline = Seconds(6), .retry = Seconds(2)};
  plan.settings.breaker.enabled = false;
  plan.settings.watch.relist = seconds(20);
  plan.faults_end = seconds(45);
  plan.latency = milliseconds(5);
  plan.jobs = {SmallJob("dies", Behaviour::kDies), SmallJob("exits", Behaviour::kExitsBadly),
               SmallJob("back", Behaviour::kHandsBack), SmallJob("lives", Behaviour::kLives)};
  plan.jobs[0].attempts = 2;
  plan.jobs[1].key = "k1";
  plan.jobs[1].attempts = 2;
  plan.jobs[1].spec.deadline = Seconds(600);
  return plan;
}

void Add(std::vector<NamedPlan>& plans, std::string name, const Action& action) {
  plans.push_back({std::move(name), SmallPlan()});
  plans.back().plan.actions = {action};
}

// Nobody is dead: all are silent for longer than their timeout, and for less than the breaker
// holds.
Plan SilentPlan() {
  Plan plan = SmallPlan();
  plan.settings.breaker = {.min_runs = 3, .hold = seconds(30)};
  plan.jobs.clear();
  for (int i = 0; i < 8; ++i) {
    plan.jobs.push_back(SmallJob("lives" + std::to_string(i), Behaviour::kLives));
    Job& job = plan.jobs.back();
    job.works_for = seconds(55);
    job.beats_every = seconds(10);
    job.spec.heartbeat_interval = Seconds(10);
    job.spec.heartbeat_timeout = Seconds(20);
  }
  plan.faults_end = seconds(60);
  return plan;
}

}  // namespace

std::vector<NamedPlan> ExhaustivePlans() {
  std::vector<NamedPlan> plans;
  for (std::uint64_t i = 1; i <= kEffects; ++i) {
    Add(plans, "crash after effect " + std::to_string(i),
        {.fault = Fault::kCrashAtEffect,
         .at = milliseconds(1),
         .length = seconds(30),
         .where = 0,
         .size = i});
  }
  for (std::uint64_t i = 1; i <= kEvents; ++i) {
    Add(plans, "hide event " + std::to_string(i),
        {.fault = Fault::kHideNth, .at = milliseconds(1), .where = 0, .size = i});
  }
  for (std::uint64_t i = 1; i <= kChanges; ++i) {
    Add(plans, "rewind by " + std::to_string(i),
        {.fault = Fault::kRewind, .at = seconds(20), .size = i});
  }
  for (std::uint64_t i = 1; i <= 30; ++i) {
    Add(plans, "two leaders, seed " + std::to_string(i),
        {.fault = Fault::kTwoLeaders, .at = milliseconds(900), .length = seconds(44), .where = 0});
    plans.back().plan.seed = i;
  }
  for (std::uint64_t i = 1; i <= 10; ++i) {
    plans.push_back({"all silent, seed " + std::to_string(i), SilentPlan()});
    plans.back().plan.seed = i;
    plans.back().plan.actions = {{.fault = Fault::kMassSilence,
                                  .at = seconds(10),
                                  .length = seconds(28),
                                  .where = kWorkers}};
  }
  // The same once more where only what is active is watched.
  const std::size_t count = plans.size();
  for (std::size_t i = 0; i < count; ++i) {
    NamedPlan selected = plans[i];
    selected.name += ", selected";
    selected.plan.settings.watch.finished = false;
    plans.push_back(std::move(selected));
  }
  return plans;
}

}  // namespace jobrun::simulation
