// The half of the Oracle that looks at verdicts and retries as they are written.
#include <algorithm>
#include <utility>

#include "controller/base/rfc3339.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/replica.h"

namespace jobrun::simulation {
namespace {

using std::chrono::seconds;

std::uint64_t AttemptOf(const Object& run) {
  const auto found = run.spec->find("attempt");
  return found == run.spec->end() ? 1 : std::stoull(found->second);
}

std::string StateOf(const Object& run) {
  const auto retry = run.status.find("retry");
  if (retry == run.status.end()) return {};
  return std::string(Unquoted(MemberText(retry->second, "state")));
}

std::string ProcessIn(std::string_view verdict_id) {
  return std::string(verdict_id.substr(0, verdict_id.rfind('-')));
}

}  // namespace

bool IsBeat(const Object& run) {
  if (run.Status("lastHeartbeatAt") == run.Status("claimedAt")) return false;
  const auto beat = ParseRfc3339(run.Status("lastHeartbeatAt"));
  const auto claim = ParseRfc3339(run.Status("claimedAt"));
  const auto heartbeat = run.spec->find("heartbeat");
  const bool by_lease =
      heartbeat != run.spec->end() && heartbeat->second.find("\"Lease\"") != std::string::npos;
  return by_lease || !beat || !claim || std::chrono::abs(*beat - *claim) >= seconds(1);
}

std::optional<Nanos> Oracle::SecondsIn(const Object& run, std::string_view field,
                                       const std::string& member) {
  const auto found = run.spec->find(field);
  if (found == run.spec->end()) return std::nullopt;
  const std::string text = member.empty() ? found->second : MemberText(found->second, member);
  if (text.empty()) return std::nullopt;
  return seconds(std::stoll(text));
}

// `since`: when it last gave a sign, in truth. The writer may have seen it later, never earlier.
void Oracle::CheckElapsed(const Change& change, std::string_view invariant, Nanos since,
                          Nanos limit) {
  const std::string writer = ProcessIn(change.object->Status("verdictID"));
  const auto process = processes_.find(writer);
  if (process == processes_.end()) {
    return Fail("I15", *change.object, "a verdict of no process that ever was");
  }
  const auto real = static_cast<double>(limit.count()) / process->second.fastest;
  Nanos least(static_cast<Nanos::rep>(real));
  // A time that was stamped by one API server is compared with that of another.
  const bool skewed = world_.hits[static_cast<std::size_t>(Fault::kServerClockSkew)] > 0;
  const bool off = skewed || process->second.fastest > 1;
  if (invariant == "I2" && off) least -= seconds(3);
  const Nanos elapsed = change.at - since;
  if (elapsed < least) {
    return Fail(std::string(invariant), *change.object,
                "too early: " + std::string(change.object->Status("reason")) + " after " +
                    std::to_string(elapsed.count() / 1'000'000) + " ms of " +
                    std::to_string(least.count() / 1'000'000));
  }
  const Nanos blind = Blind(since, change.at);
  if (invariant == "I1" && blind > Nanos::zero() && elapsed - blind < least - kStampError) {
    Fail("I10", *change.object, "an outage was counted as silence");
  }
}

void Oracle::CheckVerdict(const Change& change, const RunFacts& facts) {
  const Object& run = *change.object;
  ++verdicts_;
  Process& process = processes_[ProcessIn(run.Status("verdictID"))];
  const auto reason = ParseReason(run.Status("reason"));
  if (!reason) return Fail("X", run, "a verdict of no known reason");
  if (*reason == Reason::kFinalizedByController) {
    process.finalized_committed += 1;
  } else {
    process.committed[*reason] += 1;
  }
  if (change.before->deleted_at) Fail("C", run, "a verdict on a run that is being deleted");
  if (Info(*reason).phase != Phase::kSucceeded && !run.status.contains("retry")) {
    Fail("I7", run, "a verdict without what becomes of its retry");
  }
  if (run.Spec("reaping") == "DryRun") Fail("I4", run, "a verdict on a dry run");
  if (facts.restored) return;
  CheckReason(change, facts, *reason);
  if (RestsOnBeats(*reason)) CheckBreaker(change);
}

bool Oracle::RestsOnBeats(Reason reason) {
  return reason == Reason::kHeartbeatTimeout || reason == Reason::kHeartbeatNeverStarted ||
         reason == Reason::kClaimExpired || reason == Reason::kNoProgress;
}

void Oracle::CheckReason(const Change& change, const RunFacts& facts, Reason reason) {
  const Object& run = *change.before;
  const Nanos claimed = facts.claimed.value_or(facts.created);
  const Nanos timeout = SecondsIn(run, "heartbeat", "timeoutSeconds").value_or(seconds(150));
  const auto own = [&](std::string_view field) {
    return SecondsIn(run, field, "").value_or(Nanos::zero());
  };
  const bool exited = facts.exited.has_value();
  const bool of_running = reason != Reason::kPendingDeadlineExceeded &&
                          reason != Reason::kExitNonZero && reason != Reason::kBackstopExceeded &&
                          reason != Reason::kCompletionGateUnmet &&
                          reason != Reason::kFinalizedByController;
  if (exited && of_running && run.Phase() == "Running") {
    Fail("D", *change.object, "it had exited: only how it ended was open");
  }
  switch (reason) {
    case Reason::kHeartbeatTimeout: {
      if (!facts.beaten && !facts.lease_beaten) return Fail("I1", *change.object, "it never beat");
      Nanos sign = facts.beaten.value_or(claimed);
      const bool by_lease = SpecHas(run, "\"source\":\"Lease\"");
      if (by_lease) sign = std::max(sign, facts.lease_beaten.value_or(sign));
      return CheckElapsed(change, "I1", sign, timeout);
    }
    case Reason::kHeartbeatNeverStarted:
      if (facts.beaten) return Fail("I1", *change.object, "it had beaten");
      return CheckElapsed(change, "I1", claimed,
                          SecondsIn(run, "heartbeat", "firstTimeoutSeconds").value_or(timeout));
    case Reason::kClaimExpired:
      if (facts.beaten) return Fail("I1", *change.object, "the coarse limit on one that beats");
      return CheckElapsed(change, "I1", claimed, own("claimTTLSeconds"));
    case Reason::kNoProgress:
      return CheckElapsed(change, "I1", facts.progressed.value_or(claimed),
                          own("progressTimeoutSeconds"));
    case Reason::kPendingDeadlineExceeded:
      return CheckElapsed(change, "I2", facts.created, own("pendingDeadlineSeconds"));
    case Reason::kDeadlineExceeded:
      return CheckStart(change, facts, own("deadlineSeconds"));
    case Reason::kBackstopExceeded:
      return CheckStart(change, facts, own("backstopSeconds"));
    case Reason::kCancelled:
      if (!facts.cancelled) return Fail("D", *change.object, "nobody cancelled it");
      if (run.Phase() == "Pending") return;
      return CheckElapsed(change, "I2", *facts.cancelled, own("cancelGraceSeconds"));
    case Reason::kFinalizedByController:
    case Reason::kExitNonZero:
    case Reason::kCompletionGateUnmet:
      if (!exited) return Fail("D", *change.object, "it has not exited");
      return CheckElapsed(change, "I2", *facts.exited, own("finalizeGraceSeconds"));
    case Reason::kExecutorLost:
      return CheckExecutor(change);
  }
}

bool Oracle::SpecHas(const Object& run, std::string_view text) {
  return std::ranges::any_of(
      *run.spec, [&](const auto& field) { return field.second.find(text) != std::string::npos; });
}

// Deadline and backstop count on the API server's clock from the claim; where that was not seen,
// from what its worker says of it, as far as the stamps allow.
void Oracle::CheckStart(const Change& change, const RunFacts& facts, Nanos limit) {
  Nanos start = facts.claimed.value_or(facts.created);
  const auto said = ParseRfc3339(change.object->Status("claimedAt"));
  if (said && *said < world_.server.TimeAt(start)) start = facts.created;
  constexpr Nanos kSkew = seconds(5);
  CheckElapsed(change, "I2", start - kSkew, limit);
}

void Oracle::CheckExecutor(const Change& change) {
  const auto executor = change.before->status.find("executor");
  if (executor == change.before->status.end()) {
    return Fail("I1", *change.object, "it names no executor");
  }
  const std::string name(Unquoted(MemberText(executor->second, "podName")));
  if (world_.server.Find(Kind::kPod, change.object->name_space + "/" + name) != nullptr) {
    Fail("I1", *change.object, "its pod is alive");
  }
}

// Where none is written for so long nobody can know whether workers could write.
void Oracle::NoteCanary(Nanos at) {
  if (at - std::exchange(canary_written_, at) <= 2 * Nanos(world_.plan.settings.canary.period))
    return;
  for (auto& [id, each] : processes_) each.blind = at;
}

// What was silent before it was first shown is known by stamps alone.
Nanos Oracle::AgeUnsure(const Process& process, const RunFacts& facts) {
  const auto known = process.delivered.find(KeyOf(facts.now->Key()));
  const bool seen = known != process.delivered.end() && known->second.first >= facts.created &&
                    known->second.first <= facts.beaten.value_or(facts.created);
  return seen ? Nanos::zero() : kStampError;
}

// I11: of the runs that are judged by heartbeats so many are silent that none is to be given up
// yet. In truth, and by a margin, so that what the writer could not know does not count.
void Oracle::CheckBreaker(const Change& change) {
  const BreakerSettings& settings = world_.plan.settings.breaker;
  if (!settings.enabled || world_.breaker_touched) return;
  const Object& run = *change.object;
  const RunFacts& facts = runs_[run.uid];
  if (run.Status("reason") != "HeartbeatTimeout") return;
  const auto process = processes_.find(ProcessIn(run.Status("verdictID")));
  // What comes late is silence that is not known yet.
  const bool lagged = world_.hits[static_cast<std::size_t>(Fault::kLagWatch)] > 0;
  if (process->second.fastest != 1.0 || lagged) return;
  constexpr Nanos kMargin = seconds(3);
  const auto limit = [](const Object& of, std::string_view) {
    return SecondsIn(of, "heartbeat", "timeoutSeconds").value_or(seconds(150));
  };
  if (change.at > facts.beaten.value_or(facts.created) + limit(run, "") + settings.hold - kMargin)
    return;
  int judged = 0;
  int late = 0;
  Nanos window = Nanos::max();
  for (const auto& [uid, other] : runs_) {
    if (other.gone || other.now == nullptr) continue;
    window = std::min(window,
                      SecondsIn(*other.now, "heartbeat", "intervalSeconds").value_or(seconds(30)));
  }
  for (const auto& [uid, other] : runs_) {
    if (other.gone || other.now == nullptr || other.exited || other.now->deleted_at) continue;
    if (other.now->Phase() != "Running" || other.now->Spec("reaping") != "") continue;
    const bool required = SpecHas(*other.now, "\"mode\":\"Required\"");
    if (!other.beaten && !required) continue;
    ++judged;
    if (!other.beaten || SpecHas(*other.now, "\"source\":\"Lease\"")) continue;
    // What it takes for silence is less than what truly passed.
    if (*other.beaten < process->second.blind) continue;
    const Nanos left = *other.beaten + limit(*other.now, "") - change.at;
    const bool news = left > -Nanos(settings.hold) + kMargin;
    if (news && left <= window - std::max(kMargin, AgeUnsure(process->second, other))) ++late;
  }
  const auto part = settings.fraction * (judged + 1);
  if (late > settings.min_runs && late > part + 1) {
    Fail(
        "I11", run,
        "given up while " + std::to_string(late) + " of " + std::to_string(judged) + " are silent");
  }
}

// ---- retries ----

void Oracle::CheckRetry(const Change& change, const RunFacts& facts) {
  const std::string before = StateOf(*change.before);
  const std::string after = StateOf(*change.object);
  if (before == after) return;
  if (after != "Pending") retries_settled_ += 1;
  if (facts.restored) return;
  if (!before.empty() && before != "Pending") Fail("I3", *change.object, "its retry has changed");
  if (after == "Created") {
    const std::string uid(Unquoted(MemberText(change.object->status.at("retry"), "successorUID")));
    const auto successor = runs_.find(uid);
    const bool ours = successor != runs_.end() && successor->second.now != nullptr &&
                      ParentOf(*successor->second.now) == change.object->uid;
    if (!ours) Fail("I5", *change.object, "a successor that is not its own is recorded");
  }
}

std::string Oracle::ParentOf(const Object& run) {
  const auto of = run.spec->find("retryOf");
  return of == run.spec->end() ? "" : std::string(Unquoted(MemberText(of->second, "uid")));
}

void Oracle::CheckCreated(const Change& change) {
  const Object& run = *change.object;
  const std::string parent_uid = ParentOf(run);
  if (parent_uid.empty()) return;
  const auto [known, first] = successor_of_.emplace(parent_uid, run.uid);
  const auto parent = runs_.find(parent_uid);
  if (parent == runs_.end() || parent->second.now == nullptr) {
    return Fail("I5", run, "a successor of nothing");
  }
  const RunFacts& facts = parent->second;
  if (facts.restored) return;
  const Object& of = *facts.now;
  if (!first) {
    // The declared gap: it was deleted before its uid was recorded, or by a user while a creation
    // of it was under way.
    const RunFacts& earlier = runs_[known->second];
    const std::string recorded =
        of.status.contains("retry") ? MemberText(of.status.at("retry"), "successorUID") : "";
    const bool under_way = world_.hits[static_cast<std::size_t>(Fault::kLateCommit)] > 0;
    const bool declared = recorded.empty() || (earlier.taken_away && under_way);
    if (!earlier.gone || !declared) Fail("I5", run, "a second successor");
    known->second = run.uid;
  }
  if (facts.gone) return;  // it was read before it went
  if (StateOf(of) != "Pending") return Fail("I5", run, "created before it was recorded");
  const std::string name(Unquoted(MemberText(of.status.at("retry"), "successorName")));
  if (name != run.name) Fail("I5", run, "its name is not the one that was recorded");
  const bool back = of.Status("reason") == "HandedBack";
  if (AttemptOf(run) != AttemptOf(of) + (back ? 0 : 1)) Fail("I7", run, "a wrong attempt");
  if (!back && AttemptOf(run) > AttemptsMax(of)) Fail("I7", run, "more attempts than allowed");
  const auto not_before =
      ParseRfc3339(Unquoted(MemberText(of.status.at("retry"), "notBeforeTime")));
  constexpr std::chrono::seconds kSkew{5};
  if (not_before && world_.ServerNow() + kSkew < *not_before) Fail("I7", run, "too soon");
  CheckCopied(run, facts);
}

// It may have been read just before it was edited.
void Oracle::CheckCopied(const Object& run, const RunFacts& parent) {
  const auto is_copy_of = [&](const ObjectPtr& of) {
    return of != nullptr && std::ranges::all_of(*of->spec, [&](const auto& entry) {
             const auto& [field, value] = entry;
             if (field == "attempt" || field == "retryOf" || field == "cancelled") return true;
             return run.spec->contains(field) && run.spec->at(field) == value;
           });
  };
  if (is_copy_of(parent.now) || is_copy_of(parent.before_edit)) return;
  Fail("D", run, "its spec is not that of the run before it");
}

std::uint64_t Oracle::AttemptsMax(const Object& run) {
  const auto retry = run.spec->find("retry");
  if (retry == run.spec->end()) return 1;
  return std::stoull(MemberText(retry->second, "maxAttempts"));
}

}  // namespace jobrun::simulation
