#include "tests/simulation/plan.h"

#include <algorithm>

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<std::string_view, static_cast<std::size_t>(Behaviour::kCount)> kNames = {
    "finishes",      "lives",         "dies",           "never-beats",   "never-beats-at-all",
    "unclaimed",     "past-deadline", "past-backstop",  "exits",         "exits-badly",
    "misses-a-gate", "fails",         "hands-back",     "stalls",        "ignores-cancel",
    "zombie",        "frozen",        "beats-by-lease", "dies-by-lease", "loses-its-pod"};

class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : random_(SubSeed(seed, 1)) {}

  bool Chance(double probability) { return random_.Unit() < probability; }
  std::uint64_t Below(std::uint64_t bound) { return random_.Below(bound); }
  std::int64_t Between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(Below(static_cast<std::uint64_t>(high - low + 1)));
  }
  Nanos Time(double low_seconds, double high_seconds) {
    const double drawn = low_seconds + (high_seconds - low_seconds) * random_.Unit();
    return milliseconds(static_cast<std::int64_t>(drawn * 1000));
  }
  template <class T>
  T OneOf(std::initializer_list<T> values) {
    return *(values.begin() + static_cast<std::ptrdiff_t>(Below(values.size())));
  }

 private:
  Random random_;
};

Settings DrawSettings(Drawer& draw) {
  Settings settings;
  settings.canary.period = seconds(draw.OneOf({2, 3, 4, 5}));
  if (draw.Chance(0.7)) {
    settings.election = {.lease = seconds(30), .renew_deadline = seconds(20), .retry = seconds(5)};
  }
  settings.breaker.min_runs = static_cast<int>(draw.OneOf({3, 5, 10}));
  settings.breaker.hold = seconds(draw.OneOf({10, 20, 40}));
  settings.breaker.enabled = draw.Chance(0.8);
  settings.rate_limit.in_flight = static_cast<int>(draw.OneOf({1, 4, 32}));
  if (draw.Chance(0.3)) settings.rate_limit.burst = static_cast<double>(draw.OneOf({1, 3, 10}));
  if (draw.Chance(0.3)) settings.rate_limit.reaps_per_second = draw.OneOf({1.0, 5.0, 0.0});
  settings.executors.enabled = draw.Chance(0.5);
  settings.executors.check = seconds(draw.OneOf({3, 10}));
  settings.lanes.push_back({.name = "default"});
  settings.lanes.push_back({.name = "etl"});
  return settings;
}

Thresholds DrawLimits(Drawer& draw, Job& job) {
  Thresholds spec;
  const std::int64_t interval = draw.OneOf<std::int64_t>({3, 5, 8});
  spec.heartbeat_interval = seconds(interval);
  spec.heartbeat_timeout = seconds(interval * draw.Between(2, 4));
  job.beats_every = seconds(interval);
  if (draw.Chance(0.2)) job.beats_every = *spec.heartbeat_timeout * 3 / 4;
  switch (job.behaviour) {
    case Behaviour::kNeverBeats:
      spec.heartbeat_mode = HeartbeatMode::kRequired;
      if (draw.Chance(0.5)) spec.first_timeout = seconds(draw.Between(5, 40));
      break;
    case Behaviour::kNeverBeatsAtAll:
      spec.claim_ttl = seconds(draw.Between(10, 50));
      break;
    case Behaviour::kUnclaimed:
      spec.pending_deadline = seconds(draw.Between(10, 50));
      break;
    case Behaviour::kPastDeadline:
      spec.deadline = seconds(draw.Between(10, 60));
      break;
    case Behaviour::kPastBackstop:
      spec.backstop = seconds(draw.Between(10, 60));
      break;
    case Behaviour::kMissesAGate:
      spec.completion_gates = std::vector<std::string>{"copied"};
      break;
    case Behaviour::kStalls:
      spec.progress_timeout = seconds(draw.Between(10, 50));
      break;
    case Behaviour::kBeatsByLease:
    case Behaviour::kDiesByLease:
      spec.heartbeat_source = HeartbeatSource::kLease;
      break;
    default:
      break;
  }
  // Whatever a run is judged by may also have limits that are not its end.
  if (draw.Chance(0.2) && !spec.deadline) spec.deadline = seconds(600);
  if (draw.Chance(0.1) && !spec.claim_ttl) spec.claim_ttl = seconds(draw.Between(10, 60));
  spec.finalize_grace = seconds(draw.Between(3, 20));
  spec.cancel_grace = seconds(draw.Between(2, 20));
  if (draw.Chance(0.15)) spec.ttl = seconds(draw.Between(0, 30));
  return spec;
}

Job DrawJob(Drawer& draw, std::size_t index, const Plan& plan) {
  // Those that finish and those that die are what most work does.
  constexpr std::array kOften = {Behaviour::kFinishes, Behaviour::kLives, Behaviour::kDies};
  Job job;
  job.behaviour = draw.Chance(0.45) ? kOften.at(draw.Below(kOften.size()))
                                    : static_cast<Behaviour>(draw.Below(kNames.size()));
  job.name = "r" + std::to_string(index);
  if (draw.Chance(0.05)) job.name += std::string(240, 'x');
  job.name_space = draw.Chance(0.8) ? "work" : "team-b";
  job.lane = draw.OneOf({"default", "etl", "unknown"});
  job.created = draw.Time(0, std::chrono::duration<double>(plan.faults_end).count() * 0.8);
  if (draw.Chance(0.4)) job.created = draw.Time(0, 3);
  job.claimed_after = draw.Time(0, 4);
  job.works_for = draw.Time(1, 80);
  job.spec = DrawLimits(draw, job);
  if (draw.Chance(0.3)) job.attempts = static_cast<int>(draw.Between(2, 3));
  if (draw.Chance(0.15)) job.key = draw.OneOf({"k1", "k2"});
  if (draw.Chance(0.4)) job.stamps = static_cast<Stamps>(draw.Below(5));
  job.finalizer = draw.Chance(0.05);
  job.spammed = draw.Chance(0.08);
  job.forged_claim = draw.Chance(0.1);
  job.dry = draw.Chance(0.03);
  if (job.behaviour == Behaviour::kPastDeadline && draw.Chance(0.3)) {
    job.beats_every = milliseconds(300);
  }
  return job;
}

// How long a fault of each kind lasts, in seconds, at most; 0: it happens at once. And how likely
// it is to be drawn, against the others.
struct Shape {
  Fault fault;
  double longest;
  int weight;
};
constexpr std::array kShapes = {
    Shape{Fault::kHalfOpenWatch, 0, 6},
    Shape{Fault::kEndlessWatch, 100, 1},
    Shape{Fault::kCompact, 0, 5},
    Shape{Fault::kSmallPages, 60, 4},
    Shape{Fault::kNoInitialBookmark, 60, 4},
    Shape{Fault::kLagWatch, 30, 6},
    Shape{Fault::kVersionTooLarge, 15, 2},
    Shape{Fault::kOutageWatch, 40, 4},
    Shape{Fault::kCrdDeleted, 20, 1},
    Shape{Fault::kSlowNetwork, 30, 4},
    Shape{Fault::kThrottleLease, 30, 3},
    Shape{Fault::kThrottleWorkers, 30, 4},
    Shape{Fault::kForbidden, 30, 3},
    Shape{Fault::kUnauthorized, 20, 2},
    Shape{Fault::kApiRestart, 5, 4},
    Shape{Fault::kOutage, 60, 6},
    Shape{Fault::kOutageWorkers, 30, 4},
    Shape{Fault::kOutageReplica, 50, 6},
    Shape{Fault::kReadOnlyStore, 40, 4},
    Shape{Fault::kQuota, 40, 3},
    Shape{Fault::kPause, 40, 7},
    Shape{Fault::kPauseBeforeSend, 30, 6},
    Shape{Fault::kSlowLoop, 30, 3},
    Shape{Fault::kSuspend, 60, 4},
    Shape{Fault::kFastClock, 60, 3},
    Shape{Fault::kSlowClock, 60, 3},
    Shape{Fault::kServerClockSkew, 60, 3},
    Shape{Fault::kCrash, 20, 7},
    Shape{Fault::kCrashAtEffect, 10, 7},
    Shape{Fault::kNewPod, 10, 4},
    Shape{Fault::kStop, 15, 4},
    Shape{Fault::kCrashLoop, 40, 2},
    Shape{Fault::kTwoLeaders, 60, 3},
    Shape{Fault::kLeaseHangs, 25, 3},
    Shape{Fault::kLeaseMangled, 0, 3},
    Shape{Fault::kLeaseDurations, 0, 2},
    Shape{Fault::kReload, 25, 5},
    Shape{Fault::kPoison, 0, 2},
    Shape{Fault::kMassSilence, 35, 4},
    Shape{Fault::kWorkerHalfOpen, 30, 4},
    Shape{Fault::kDeleted, 0, 4},
    Shape{Fault::kRecreated, 0, 3},
    Shape{Fault::kEdited, 0, 4},
    Shape{Fault::kCancelled, 0, 4},
    Shape{Fault::kForeignSuccessor, 0, 3},
    Shape{Fault::kSuccessorDeleted, 0, 3},
    Shape{Fault::kHideEvent, 20, 3},
    Shape{Fault::kCutWatch, 0, 5},
};

Action DrawAction(Drawer& draw, Nanos faults_end) {
  int sum = 0;
  for (const Shape& shape : kShapes) sum += shape.weight;
  auto left = static_cast<int>(draw.Below(static_cast<std::uint64_t>(sum)));
  const Shape* chosen = &kShapes[0];
  for (const Shape& shape : kShapes) {
    chosen = &shape;
    left -= shape.weight;
    if (left < 0) break;
  }
  Action action{.fault = chosen->fault};
  const double end = std::chrono::duration<double>(faults_end).count();
  action.at = draw.Time(1, end - 1);
  if (chosen->longest > 0) action.length = draw.Time(0.2, chosen->longest);
  action.length = std::min(action.length, faults_end - action.at);
  action.where = static_cast<int>(draw.Below(kReplicas));
  if (draw.Chance(0.2)) action.where = kEverywhere;
  action.size = draw.Below(1'000'000);
  if (action.fault == Fault::kCrashAtEffect) action.size = 1 + draw.Below(200);
  return action;
}

Rates DrawRates(Drawer& draw) {
  const auto rate = [&](double often, double most) {
    return draw.Chance(often) ? most * draw.Chance(0.5) + 0.2 * most : 0.0;
  };
  Rates rates;
  rates.lose_request = rate(0.4, 0.05);
  rates.lose_answer = rate(0.5, 0.08);
  rates.late_commit = rate(0.3, 0.03);
  rates.server_error = rate(0.4, 0.05);
  rates.throttle = rate(0.3, 0.05);
  rates.duplicate = rate(0.3, 0.1);
  rates.reorder = rate(0.3, 0.1);
  rates.replay = rate(0.2, 0.03);
  rates.hide = rate(0.15, 0.05);
  rates.split = rate(0.5, 0.5);
  rates.cut = rate(0.2, 0.01);
  return rates;
}

}  // namespace

std::string_view BehaviourName(Behaviour behaviour) {
  return kNames.at(static_cast<std::size_t>(behaviour));
}

// Neighbouring seeds of the generator are steps of one sequence: they are taken apart first.
std::uint64_t SubSeed(std::uint64_t seed, std::uint64_t concern) {
  return Random(Random(seed).Next() ^ (concern * 0xd1342543de82ef95U)).Next();
}

Plan DrawPlan(std::uint64_t seed) {
  Drawer draw(seed);
  Plan plan{.seed = seed};
  plan.settings = DrawSettings(draw);
  plan.faults_end = draw.Time(30, 150);
  plan.latency = draw.OneOf<Nanos>({milliseconds(5), milliseconds(40), milliseconds(300)});
  plan.heals = draw.Chance(0.8);
  if (draw.Chance(0.3)) plan.stays_dead = static_cast<int>(draw.Below(kReplicas));
  plan.rates = DrawRates(draw);
  const std::int64_t jobs = draw.Between(3, 12);
  for (std::int64_t i = 0; i < jobs; ++i) {
    plan.jobs.push_back(DrawJob(draw, static_cast<std::size_t>(i), plan));
  }
  const std::int64_t actions = draw.Between(0, 10);
  for (std::int64_t i = 0; i < actions; ++i) {
    plan.actions.push_back(DrawAction(draw, plan.faults_end));
  }
  // Of its own generator: what was added later must not change what older seeds stand for.
  plan.settings.watch.relist = seconds(Drawer(SubSeed(seed, 7)).OneOf({15, 30, 60}));
  Drawer selection(SubSeed(seed, 9));
  plan.settings.watch.finished = selection.Chance(0.4);
  plan.old_definition = selection.Chance(0.1);
  std::ranges::stable_sort(plan.actions, {}, &Action::at);
  return plan;
}

}  // namespace jobrun::simulation
