#include "tests/simulation/ordeals.h"

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Seconds kInterval{20};
constexpr Seconds kTimeout{60};
constexpr Nanos kBegin = seconds(60);  // of the faults: by then all is as it always is

// The first kOrdealDead of the runs lose their worker, at even steps from `from` to `to`.
Plan Crowd(Nanos from, Nanos to) {
  Plan plan{.seed = 1};
  plan.latency = milliseconds(5);
  for (std::size_t i = 0; i < kOrdealRuns; ++i) {
    const auto place = static_cast<int>(i);
    Job job{.name = "r" + std::to_string(i), .behaviour = Behaviour::kLives};
    job.created = milliseconds(1000 + 10 * place);
    job.claimed_after = milliseconds(500);
    job.beats_every = kInterval;
    job.spec.heartbeat_interval = kInterval;
    job.spec.heartbeat_timeout = kTimeout;
    if (i < kOrdealDead) {
      job.behaviour = Behaviour::kDies;
      const Nanos dies = from + (to - from) * place / static_cast<int>(kOrdealDead);
      job.works_for = dies - job.created - job.claimed_after;
    }
    plan.jobs.push_back(job);
  }
  return plan;
}

}  // namespace

Plan LongOutage() {
  constexpr Nanos kOutage = minutes(15);
  Plan plan = Crowd(kBegin - kTimeout / 2, kBegin + kTimeout / 2);
  plan.actions = {{.fault = Fault::kOutage, .at = kBegin, .length = kOutage}};
  plan.faults_end = kBegin + kOutage;
  return plan;
}

Plan RolledReplicas(Fault how) {
  constexpr Nanos kRolling = minutes(10);
  Plan plan = Crowd(kBegin, kBegin + kRolling - minutes(2));
  for (Nanos at = kBegin; at < kBegin + kRolling; at += seconds(20)) {
    const auto turn = static_cast<int>(plan.actions.size()) % kReplicas;
    plan.actions.push_back({.fault = how, .at = at, .length = seconds(1), .where = turn});
  }
  plan.faults_end = kBegin + kRolling;
  return plan;
}

}  // namespace jobrun::simulation
