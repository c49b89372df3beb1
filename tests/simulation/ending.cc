#include "tests/simulation/ending.h"

#include <algorithm>

#include "controller/base/rfc3339.h"
#include "tests/simulation/replica.h"

namespace jobrun::simulation {
namespace {

using std::chrono::seconds;

// Limits further away than this are not waited for.
constexpr Nanos kFar = seconds(300);
constexpr int kCalmLooks = 3;
constexpr Nanos kUsersFinish = seconds(6);

std::optional<Nanos> Limit(const Object& run, std::string_view field,
                           const std::string& member = {}) {
  const auto found = run.spec->find(field);
  if (found == run.spec->end()) return std::nullopt;
  const std::string text = member.empty() ? found->second : MemberText(found->second, member);
  if (text.empty()) return std::nullopt;
  return seconds(std::stoll(text));
}

std::string RetryState(const Object& run) {
  const auto retry = run.status.find("retry");
  return retry == run.status.end() ? "" : MemberText(retry->second, "state");
}

bool SpecHas(const Object& run, std::string_view text) {
  const auto heartbeat = run.spec->find("heartbeat");
  return heartbeat != run.spec->end() && heartbeat->second.find(text) != std::string::npos;
}

}  // namespace

void Ending::Begin() { began_ = world_.Now(); }

// docs/safety.md, "The bound": what a dead run may wait beyond its limit, all at their worst. Where
// streams hang, until that is noticed; where answers are late, until they are given up.
Nanos Ending::Bound() const {
  const Settings& settings = world_.plan.settings;
  Nanos bound = 4 * Nanos(settings.canary.period) + seconds(16) + seconds(7);
  if (settings.breaker.enabled) bound += settings.breaker.hold;
  bound += settings.election.lease + 3 * settings.election.retry;
  bound += seconds(30) + seconds(30);  // waits after failures; requests under way
  if (world_.events_lost) bound += RelistedWithin();
  if (!world_.plan.heals) bound += seconds(90) + seconds(60);
  if (settings.rate_limit.reaps_per_second > 0) {
    bound += seconds(static_cast<int>(30 / settings.rate_limit.reaps_per_second));
  }
  return bound;
}

// Whatever no event told a list has told by then.
Nanos Ending::RelistedWithin() const {
  return Nanos(world_.plan.settings.watch.relist) * 5 / 4 + seconds(20);
}

std::optional<Nanos> Ending::DueOfSilence(const RunFacts& facts) const {
  const Object& run = *facts.now;
  const Nanos timeout = Limit(run, "heartbeat", "timeoutSeconds").value_or(seconds(150));
  const Nanos claimed = facts.claimed.value_or(facts.created);
  if ((facts.beaten && IsBeat(run)) || facts.lease_beaten) {
    Nanos sign = std::max(facts.beaten.value_or(claimed), facts.lease_beaten.value_or(claimed));
    // A Lease that is gone is looked for twice, a timeout apart.
    if (SpecHas(run, "\"Lease\"")) sign = std::max(sign, began_) + timeout;
    return std::max(sign, began_) + timeout;
  }
  std::optional<Nanos> due;
  if (SpecHas(run, "\"Required\"")) {
    due = Limit(run, "heartbeat", "firstTimeoutSeconds").value_or(timeout);
  }
  if (const auto coarse = Limit(run, "claimTTLSeconds"))
    due = std::min(due.value_or(*coarse), *coarse);
  if (!due) return std::nullopt;
  return std::max(claimed, began_) + *due;
}

std::optional<Nanos> Ending::DueOfLimits(const RunFacts& facts) const {
  const Object& run = *facts.now;
  std::optional<Nanos> due;
  const auto sooner = [&](std::optional<Nanos> when, const char* field) {
    const auto limit = Limit(run, field);
    if (!when || !limit) return;
    const Nanos at = std::max(*when, began_) + *limit;
    if (at <= began_ + kFar) due = std::min(due.value_or(at), at);
  };
  if (run.Phase() == "Pending") {
    if (facts.cancelled) return std::max(*facts.cancelled, began_);
    sooner(facts.created, "pendingDeadlineSeconds");
    return due;
  }
  sooner(facts.exited, "finalizeGraceSeconds");
  if (facts.exited) return due;
  sooner(facts.claimed, "deadlineSeconds");
  sooner(facts.claimed, "backstopSeconds");
  sooner(facts.cancelled, "cancelGraceSeconds");
  sooner(std::max(facts.progressed, facts.claimed), "progressTimeoutSeconds");
  return due;
}

std::optional<Nanos> Ending::DueAt(const RunFacts& facts) const {
  const Object& run = *facts.now;
  if (run.deleted_at || run.Spec("reaping") != "") return std::nullopt;
  const std::optional<Nanos> due = DueOfLimits(facts);
  if (run.Phase() == "Pending" || facts.exited) return due;
  const std::optional<Nanos> silent = DueOfSilence(facts);
  if (due && silent) return std::min(*due, *silent);
  return due ? due : silent;
}

// Its pod was seen alive and is gone: that has to be noticed, twice.
bool Ending::AwaitsItsPod(const Object& run) const {
  const auto executor = run.status.find("executor");
  const auto conditions = run.status.find("conditions");
  if (!world_.plan.settings.executors.enabled || executor == run.status.end()) return false;
  if (run.deleted_at || run.Spec("reaping") != "") return false;
  if (run.Phase() != "Running" || run.status.contains("exitCode")) return false;
  const std::string name(Unquoted(MemberText(executor->second, "podName")));
  return conditions != run.status.end() &&
         conditions->second.find("\"ExecutorFound\"") != std::string::npos &&
         world_.server.Find(Kind::kPod, run.name_space + "/" + name) == nullptr;
}

// Somebody has made its timeout as short as its worker's interval: it may be given up at any time.
bool Ending::MayBeLate(const Object& run) const {
  const Worker* const worker = crew_.Of(run.uid);
  const auto timeout = Limit(run, "heartbeat", "timeoutSeconds");
  return worker != nullptr && timeout && worker->GetJob().beats_every >= *timeout;
}

// Whether nothing more is to become of it; fails what is overdue.
bool Ending::IsOver(const RunFacts& facts) {
  const Object& run = *facts.now;
  const std::string name = run.Key().substr(0, 30);
  const Nanos now = world_.Now();
  if (!run.IsOver()) {
    const std::optional<Nanos> due = DueAt(facts);
    const Worker* const worker = crew_.Of(run.uid);
    const Nanos timeout = Limit(run, "heartbeat", "timeoutSeconds").value_or(seconds(150));
    // Somebody may have shortened its timeout.
    const bool in_time = worker != nullptr && worker->GetJob().beats_every <= timeout;
    const bool lives = in_time && worker->LivesOn();
    if (AwaitsItsPod(run)) return false;
    if (!due) return worker == nullptr || !worker->Busy();
    if (now > *due + Bound()) {
      world_.Fail("I6", name + " is " + std::string(run.Phase()) + " and long overdue");
    }
    const bool beats = std::max(facts.beaten, facts.lease_beaten) > began_;
    return lives && beats && !DueOfLimits(facts);
  }
  if (run.deleted_at) return true;
  const std::string retry = RetryState(run);
  const bool open = run.Phase() != "Succeeded" && (retry.empty() || retry == "\"Pending\"");
  const Nanos ended = std::max(facts.ended.value_or(now), began_);
  constexpr Nanos kRetryWaits = seconds(20 + 120);
  if (open && run.Spec("reaping").empty()) {
    if (now > ended + Bound() + kRetryWaits) world_.Fail("I7", name + " waits for its retry");
    return false;
  }
  if (const auto ttl = Limit(run, "ttlSecondsAfterFinished"); ttl && run.Spec("reaping").empty()) {
    if (now > ended + *ttl + Bound() + kRetryWaits) world_.Fail("L", name + " is not deleted");
    return false;
  }
  return true;
}

bool Ending::Settled() {
  bool settled = true;
  for (const auto& [uid, facts] : oracle_.Runs()) {
    if (facts.gone || facts.now == nullptr || facts.now->name == "poison") continue;
    if (world_.server.Find(Kind::kRun, facts.now->Key()) == nullptr) continue;
    if (IsOver(facts)) continue;
    settled = false;
    open_ = facts.now->Key().substr(0, 30);
  }
  // Who is still to come.
  for (const auto& worker : crew_.All()) {
    if (worker->GetJob().created <= world_.Now() && !worker->Coming()) continue;
    settled = false;
    open_ = worker->Name();
  }
  calm_looks_ = settled ? calm_looks_ + 1 : 0;
  // What users had begun may still be on its way.
  Nanos least = kUsersFinish;
  if (world_.events_lost) least = std::max(least, RelistedWithin());
  return calm_looks_ >= kCalmLooks && world_.Now() > began_ + least;
}

void Ending::CheckQuiet() {
  const auto& history = world_.server.History();
  for (std::size_t i = quiet_from_; i < history.size(); ++i) {
    const Change& change = history[i];
    const Object& object = *change.object;
    if (object.kind != Kind::kRun || object.Spec("lane") == "jobrun-canary") continue;
    if (MayBeLate(object)) return;  // what follows from its end is no news either
    if (change.by_controller)
      world_.Fail("I12", "something is written where all is settled: " + object.text);
  }
}

std::string Ending::WhatIsNotKnown(const std::vector<Replica*>& alive) const {
  bool one_leads = false;
  for (Replica* replica : alive) {
    std::map<std::string, std::uint64_t> known;
    const Snapshot snapshot = replica->Scrape();
    std::map<std::string, std::uint64_t> there;
    for (const auto& [key, object] : world_.server.All(Kind::kRun)) {
      if (snapshot.selects && object->IsOver()) continue;
      if (object->Spec("lane") != "jobrun-canary" && object->name != "poison")
        ++there[std::string(object->Phase())];
    }
    if (!replica->Alive()) return "a replica has just ended";
    one_leads = one_leads || snapshot.leading;
    for (const auto& lane : snapshot.lanes) {
      for (std::size_t phase = 0; phase < lane.runs.size(); ++phase) {
        const bool counts = !snapshot.selects || !IsTerminal(static_cast<Phase>(phase));
        if (lane.runs[phase] == 0 || !counts) continue;
        known[std::string(PhaseName(static_cast<Phase>(phase)))] += lane.runs[phase];
      }
    }
    if (known == there) continue;
    std::string text = "replica " + std::to_string(replica->Index()) + " knows";
    for (const auto& [phase, count] : known) text += " " + std::to_string(count) + " " + phase;
    text += " where there are";
    for (const auto& [phase, count] : there) text += " " + std::to_string(count) + " " + phase;
    return text;
  }
  return one_leads ? "" : "nobody leads";
}

// ---- how they end ----

bool Ending::MayEndSo(const Worker& worker, const Object& run) const {
  const std::string_view reason = run.Status("reason");
  const std::string_view phase = run.Phase();
  const Job& job = worker.GetJob();
  // What may befall any run: a limit beside its own, its worker cut off for too long, a user.
  if (reason == "HeartbeatTimeout" || reason == "Cancelled" || reason == "DeadlineExceeded")
    return true;
  if (reason == "NoProgress" && run.spec->contains("progressTimeoutSeconds")) return true;
  if (reason == "ClaimExpired" || reason == "PendingDeadlineExceeded" ||
      reason == "BackstopExceeded" || reason == "HeartbeatNeverStarted")
    return true;
  switch (job.behaviour) {
    case Behaviour::kNeverBeats:
      return reason == "HeartbeatNeverStarted";
    case Behaviour::kPastBackstop:
      return reason == "BackstopExceeded";
    case Behaviour::kExits:
      return phase == "Succeeded";
    case Behaviour::kExitsBadly:
      return reason == "ExitNonZero";
    case Behaviour::kMissesAGate:
      return reason == "CompletionGateUnmet";
    case Behaviour::kFails:
      return reason == "OutOfDisk";
    case Behaviour::kHandsBack:
      return reason == "HandedBack";
    case Behaviour::kStalls:
      return reason == "NoProgress";
    case Behaviour::kLosesItsPod:
      return reason == "ExecutorLost";
    case Behaviour::kFinishes:
    case Behaviour::kBeatsByLease:
      return phase == "Succeeded";
    default:
      return false;
  }
}

void Ending::CheckEnds() {
  for (const auto& [uid, facts] : oracle_.Runs()) {
    if (facts.gone || facts.restored || facts.now == nullptr || !facts.now->IsOver()) continue;
    const Worker* const worker = crew_.Of(uid);
    if (worker == nullptr || MayEndSo(*worker, *facts.now)) continue;
    world_.Fail("D", facts.now->Key().substr(0, 30) + ", which " +
                         std::string(BehaviourName(worker->GetJob().behaviour)) + ", ended as " +
                         std::string(facts.now->Phase()) + " " +
                         std::string(facts.now->Status("reason")));
  }
}

}  // namespace jobrun::simulation
