#include "tests/simulation/storm.h"

#include <utility>

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool IsOfWorkers(Fault fault) {
  return fault == Fault::kThrottleWorkers || fault == Fault::kOutageWorkers ||
         fault == Fault::kMassSilence || fault == Fault::kSlowNetwork ||
         fault == Fault::kWorkerHalfOpen;
}
bool IsOfAll(Fault fault) {
  return fault == Fault::kOutage || fault == Fault::kApiRestart || fault == Fault::kReadOnlyStore;
}

}  // namespace

void Storm::Plan() {
  for (const Action& action : parts_.world.plan.actions) {
    parts_.world.time.At(action.at, [this, action] {
      if (!calm_) Act(action);
    });
  }
}

void Storm::Act(const Action& planned) {
  Action action = planned;
  if (IsOfWorkers(action.fault)) action.where = kWorkers;
  if (IsOfAll(action.fault)) action.where = kEverywhere;
  parts_.world.trace.Line(parts_.world.Now(), "storm", Describe(action));
  if (ActOnServer(action) || ActOnNetwork(action)) return;
  for (auto& replica : parts_.replicas) {
    const int index = replica->Index();
    const bool here = action.where == kEverywhere ? index != kRogue : action.where == index;
    if (here && ActOnProcess(*replica, action)) continue;
  }
  parts_.crew.Act(action);
}

bool Storm::ActOnServer(const Action& action) {
  World& world = parts_.world;
  ApiServer& server = world.server;
  switch (action.fault) {
    case Fault::kCompact:
      server.Compact();
      break;
    case Fault::kSmallPages:
      server.SetPage(3);
      world.time.In(action.length, [&server] { server.SetPage(500); });
      break;
    case Fault::kCrdDeleted:
      server.SetServed(false, world.Now());
      world.time.In(action.length, [&server, &world] { server.SetServed(true, world.Now()); });
      break;
    case Fault::kQuota:
      server.SetQuota(true);
      world.time.In(action.length, [&server] { server.SetQuota(false); });
      break;
    case Fault::kRewind:
      server.Rewind(action.size, world.Now());
      parts_.oracle.OnRewind();
      world.events_lost = true;
      parts_.network.CutStreams(kEverywhere, false);
      break;
    case Fault::kPoison:
      if (server.Find(Kind::kRun, "work/poison") != nullptr) return true;
      server.Poison("work/poison", world.Now());
      break;
    case Fault::kLeaseMangled:
      MangleLease(action.size);
      break;
    case Fault::kReload:
      Reload(action);
      break;
    default:
      return false;
  }
  world.Hit(action.fault);
  return true;
}

bool Storm::ActOnNetwork(const Action& action) {
  World& world = parts_.world;
  const bool silently = action.size % 2 == 0;
  switch (action.fault) {
    case Fault::kHalfOpenWatch:
      world.Hit(action.fault);
      parts_.network.CutStreams(action.where, true);
      return true;
    case Fault::kCutWatch:
      world.Hit(action.fault);
      parts_.network.CutStreams(action.where, false);
      return true;
    case Fault::kOutage:
    case Fault::kReadOnlyStore:
      parts_.oracle.OnOutage(world.Now(), world.Now() + action.length);
      [[fallthrough]];
    case Fault::kOutageReplica:
    case Fault::kOutageWatch:
    case Fault::kApiRestart:
      world.Begin(action);
      if (action.fault != Fault::kReadOnlyStore) {
        parts_.network.CutStreams(action.where, silently && action.fault != Fault::kApiRestart);
      }
      return true;
    case Fault::kHideNth:
      parts_.network.HideNth(action.where, action.size);
      return true;
    case Fault::kServerClockSkew:
      world.Hit(action.fault);
      world.Begin(action);
      return true;
    case Fault::kEndlessWatch:
    case Fault::kNoInitialBookmark:
    case Fault::kHideEvent:
    case Fault::kLagWatch:
    case Fault::kVersionTooLarge:
    case Fault::kSlowNetwork:
    case Fault::kThrottleLease:
    case Fault::kThrottleWorkers:
    case Fault::kForbidden:
    case Fault::kUnauthorized:
    case Fault::kOutageWorkers:
    case Fault::kLeaseHangs:
    case Fault::kMassSilence:
      world.Begin(action);
      return true;
    default:
      return false;
  }
}

void Storm::StartIn(Replica& replica, Nanos wait) {
  parts_.world.time.In(wait, [this, &replica] {
    const bool stays_dead = calm_ && replica.Index() == parts_.world.plan.stays_dead;
    if (!stays_dead && (!calm_ || replica.Index() != kRogue)) replica.Start();
  });
}

void Storm::OnExit(Replica& replica, ExitCause cause) {
  if (cause == ExitCause::kStopped || replica.Index() == kRogue) return;
  StartIn(replica, seconds(1));
}

bool Storm::ActOnProcess(Replica& replica, const Action& action) {
  World& world = parts_.world;
  switch (action.fault) {
    case Fault::kPause:
      replica.Pause(action.length);
      break;
    case Fault::kPauseBeforeSend:
      replica.PauseBeforeNextWrite(action.length);
      return true;
    case Fault::kSlowLoop:
      SlowDown(replica, world.Now() + action.length);
      break;
    case Fault::kSuspend:
      replica.Suspend(action.length);
      break;
    case Fault::kFastClock:
    case Fault::kSlowClock:
      replica.SetRate(action.fault == Fault::kFastClock ? 2.0 : 0.5);
      world.time.In(action.length, [&replica] { replica.SetRate(1.0); });
      break;
    case Fault::kCrash:
      replica.Crash();
      StartIn(replica, action.length);
      break;
    case Fault::kCrashAtEffect:
      replica.CrashAfterEffects(action.size);
      StartIn(replica, action.length);
      StartIn(replica, action.length + seconds(5));
      return true;
    case Fault::kNewPod:
      replica.Crash();
      replica.NewPod();
      StartIn(replica, action.length);
      break;
    case Fault::kStop:
      replica.Stop(seconds(10));
      StartIn(replica, seconds(10) + action.length);
      break;
    case Fault::kCrashLoop:
      LoopCrashes(replica, world.Now() + action.length);
      break;
    case Fault::kLeaseDurations: {
      Settings settings = replica.Configured();
      settings.election = {.lease = seconds(8), .renew_deadline = seconds(6), .retry = seconds(1)};
      replica.Crash();
      replica.SetSettings(settings);
      StartIn(replica, seconds(1));
      break;
    }
    case Fault::kTwoLeaders: {
      Replica& rogue = *parts_.replicas.back();
      rogue.Start();
      world.time.In(action.length, [&rogue] { rogue.Crash(); });
      break;
    }
    default:
      return false;
  }
  world.Hit(action.fault);
  return true;
}

void Storm::LoopCrashes(Replica& replica, Nanos end) {
  if (calm_ || parts_.world.Now() >= end) return;
  replica.Crash();
  StartIn(replica, seconds(1));
  parts_.world.time.In(milliseconds(3000 + parts_.world.processes.Below(4000)),
                       [this, &replica, end] { LoopCrashes(replica, end); });
}

void Storm::SlowDown(Replica& replica, Nanos end) {
  if (calm_ || parts_.world.Now() >= end) return;
  replica.Pause(milliseconds(50 + parts_.world.processes.Below(400)));
  parts_.world.time.In(milliseconds(800), [this, &replica, end] { SlowDown(replica, end); });
}

void Storm::MangleLease(std::uint64_t size) {
  const std::string target = "/apis/coordination.k8s.io/v1/namespaces/" + std::string(kHome) +
                             "/leases/" + std::string(kElectionLease);
  constexpr std::array kSpecs = {
      R"({"spec":{"holderIdentity":""}})", R"({"spec":{"leaseDurationSeconds":0}})",
      R"({"spec":{"holderIdentity":"","leaseDurationSeconds":2147483647}})",
      R"({"spec":{"holderIdentity":"nobody-knows","leaseDurationSeconds":5}})",
      R"({"spec":{"renewTime":null,"acquireTime":null,"leaseTransitions":-3}})"};
  const std::size_t variant = size % (kSpecs.size() + 1);
  Call call{.method = Method::kDelete, .target = target, .manager = "user"};
  if (variant < kSpecs.size()) {
    call.method = Method::kPatch;
    call.content_type = "application/merge-patch+json";
    call.body = kSpecs.at(variant);
  }
  (void)parts_.world.server.Handle(call, parts_.world.Now());
}

void Storm::ReloadAll(const Settings& settings) {
  for (auto& replica : parts_.replicas) {
    Settings its = settings;
    its.election = replica->Configured().election;  // read at the start only
    replica->Reload(its);
  }
}

void Storm::Reload(const Action& action) {
  Settings settings = parts_.world.plan.settings;
  switch (action.size % 6) {
    case 0:
      settings.reaping = Reaping::kDisabled;
      break;
    case 1:
      settings.reaping = Reaping::kDryRun;
      break;
    case 2:
      settings.breaker.override_by_operator = BreakerOverride::kClosed;
      parts_.world.breaker_touched = true;
      break;
    case 3:
      settings.breaker.override_by_operator = BreakerOverride::kOpen;
      parts_.world.breaker_touched = true;
      break;
    case 4:
      settings.lanes.clear();
      settings.rate_limit.in_flight = 1;
      break;
    default:
      settings.lanes[0].held = true;
      break;
  }
  ReloadAll(settings);
  parts_.world.time.In(action.length, [this] { ReloadAll(parts_.world.plan.settings); });
}

void Storm::Calm() {
  calm_ = true;
  World& world = parts_.world;
  world.trace.Line(world.Now(), "storm", "is over");
  world.faults_on = false;
  for (auto& places : world.until) places.fill(world.Now());
  world.server.SetQuota(false);
  world.server.SetPage(500);
  world.server.SetServed(true, world.Now());
  parts_.replicas.back()->Crash();
  for (auto& replica : parts_.replicas) {
    if (replica->Index() == kRogue) continue;
    replica->SetRate(1.0);
    replica->CrashAfterEffects(0);
    replica->PauseBeforeNextWrite(Nanos::zero());
    if (replica->Index() == world.plan.stays_dead) {
      replica->Crash();
    } else {
      replica->Start();
    }
  }
  ReloadAll(world.plan.settings);
  parts_.network.Heal();
}

}  // namespace jobrun::simulation
