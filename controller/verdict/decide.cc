#include "controller/verdict/decide.h"

#include <algorithm>
#include <span>

#include "controller/verdict/rules.h"

namespace jobrun {
namespace {

struct Row {
  std::string_view number;
  std::string_view name;
  rules::Rule rule;
};
constexpr Row kDeadline = {"4", "Deadline", rules::Deadline};
constexpr Row kCancelled = {"4", "Cancelled", rules::Cancelled};
constexpr Row kBackstop = {"10", "Backstop", rules::Backstop};

constexpr Row kPendingRules[] = {{"2", "PendingDeadline", rules::PendingDeadline}, kCancelled};
constexpr Row kRunningRules[] = {kDeadline,
                                 kCancelled,
                                 {"5", "ExecutorLost", rules::ExecutorLost},
                                 {"6", "HeartbeatLost", rules::HeartbeatLost},
                                 {"7", "NeverBeat", rules::NeverBeat},
                                 {"8", "ClaimExpired", rules::ClaimExpired},
                                 {"9", "NoProgress", rules::NoProgress},
                                 kBackstop};
// Whatever else may be wrong with a run, its work is over: only how it ended is open.
constexpr Row kExitedRules[] = {{"3", "Finalize", rules::Finalize}, kBackstop};

std::span<const Row> RulesFor(const Subject& run) {
  if (run.being_deleted || IsTerminal(run.phase)) return {};
  if (run.phase == Phase::kPending) return kPendingRules;
  if (run.exit_code) return kExitedRules;
  return kRunningRules;
}

std::string InSeconds(Seconds seconds) { return std::to_string(seconds.count()) + " s"; }

}  // namespace

Decision Decide(const Subject& run, const Now& now) {
  Nanos soonest = Nanos::max();
  for (const Row& row : RulesFor(run)) {
    const rules::Outcome outcome = row.rule(run, now);
    if (const auto* reap = std::get_if<Reap>(&outcome)) return *reap;
    if (const auto* due = std::get_if<rules::DueIn>(&outcome))
      soonest = std::min(soonest, due->left);
  }
  if (soonest == Nanos::max()) return Ignore{};
  return Recheck{soonest};
}

std::vector<RowDecision> DecideByRow(const Subject& run, const Now& now) {
  std::vector<RowDecision> decisions;
  for (const Row& row : RulesFor(run)) {
    const rules::Outcome outcome = row.rule(run, now);
    Decision decision = Ignore{};
    if (const auto* due = std::get_if<rules::DueIn>(&outcome)) decision = Recheck{due->left};
    if (const auto* reap = std::get_if<Reap>(&outcome)) decision = *reap;
    decisions.push_back({row.number, row.name, decision});
  }
  return decisions;
}

std::string VerdictMessage(const Subject& run, Reason reason) {
  const Policy& policy = run.policy;
  switch (reason) {
    case Reason::kPendingDeadlineExceeded:
      return "not claimed within " + InSeconds(policy.pending_deadline.value_or(Seconds(0))) +
             " of its creation";
    case Reason::kCompletionGateUnmet:
      return "exit code 0, but completion gate " + std::string(run.unmet_gate) +
             " was not True within " + InSeconds(policy.finalize_grace);
    case Reason::kExitNonZero:
      return "exit code " + std::to_string(run.exit_code.value_or(0)) +
             ", and not finished by its worker within " + InSeconds(policy.finalize_grace);
    case Reason::kFinalizedByController:
      return "exit code 0, and not finished by its worker within " +
             InSeconds(policy.finalize_grace);
    case Reason::kDeadlineExceeded:
      return "deadline exceeded by sweeper";
    case Reason::kCancelled:
      if (run.phase == Phase::kPending) return "cancelled before it was claimed";
      return "cancelled, and still running after " + InSeconds(policy.cancel_grace);
    case Reason::kExecutorLost:
      return "executor lost: " + std::string(run.executor_fate);
    case Reason::kHeartbeatTimeout:
      return "no heartbeat for " + InSeconds(policy.heartbeat_timeout);
    case Reason::kHeartbeatNeverStarted:
      return "no first heartbeat within " + InSeconds(policy.first_timeout) + " of the claim";
    case Reason::kClaimExpired:
      return "claimed for " + InSeconds(policy.claim_ttl.value_or(Seconds(0))) +
             " without a heartbeat";
    case Reason::kNoProgress:
      return "no progress for " + InSeconds(policy.progress_timeout.value_or(Seconds(0)));
    case Reason::kBackstopExceeded:
      return "running for " + InSeconds(policy.backstop.value_or(Seconds(0))) + ", its backstop";
  }
  return {};
}

std::optional<Seconds> SilenceLimit(const Subject& run) {
  const Policy& policy = run.policy;
  if (run.phase == Phase::kPending) return policy.pending_deadline;
  if (run.phase != Phase::kRunning) return std::nullopt;
  if (run.has_beaten && policy.heartbeat_mode != HeartbeatMode::kIgnored) {
    return policy.heartbeat_timeout;
  }
  if (policy.heartbeat_mode == HeartbeatMode::kRequired && !run.has_beaten) {
    return std::min(policy.first_timeout, policy.claim_ttl.value_or(policy.first_timeout));
  }
  return policy.claim_ttl;
}

bool NeedsStartTime(const Policy& policy) {
  return policy.deadline.has_value() || policy.backstop.has_value();
}

}  // namespace jobrun
