#include "controller/verdict/rules.h"

namespace jobrun::rules {
namespace {

// How often a limit on the server's clock is looked at again while that clock is not known yet.
constexpr Nanos kServerClockPoll = std::chrono::seconds(1);

Outcome After(Nanos left, Reason reason) {
  if (left > Nanos::zero()) return DueIn{left};
  return Reap{reason, -left};
}

Outcome Since(Silence since, const Now& now, Seconds limit, Reason reason) {
  return After(since + limit - now.silence, reason);
}
Outcome Silent(const Subject& run, const Now& now, Seconds limit, Reason reason) {
  return Since(run.since, now, limit, reason);
}

// The earliest the server's clock can read counts, so nothing is ever early.
Outcome OnServerClock(const Subject& run, const Now& now, Seconds limit, Reason reason) {
  if (!now.server.Known()) return DueIn{kServerClockPoll};
  return After(run.started_at + limit - now.server.earliest, reason);
}

bool Heartbeating(const Subject& run) {
  return run.has_beaten && run.policy.heartbeat_mode != HeartbeatMode::kIgnored;
}

}  // namespace

Outcome PendingDeadline(const Subject& run, const Now& now) {
  if (!run.policy.pending_deadline) return NeverDue{};
  return Silent(run, now, *run.policy.pending_deadline, Reason::kPendingDeadlineExceeded);
}

Outcome Deadline(const Subject& run, const Now& now) {
  if (!run.policy.deadline) return NeverDue{};
  return OnServerClock(run, now, *run.policy.deadline, Reason::kDeadlineExceeded);
}

Outcome Finalize(const Subject& run, const Now& now) {
  if (!run.exit_code) return NeverDue{};
  Reason reason = Reason::kFinalizedByController;
  if (!run.unmet_gate.empty()) reason = Reason::kCompletionGateUnmet;
  if (*run.exit_code != 0) reason = Reason::kExitNonZero;
  return Since(run.finalizing_since, now, run.policy.finalize_grace, reason);
}

Outcome Cancelled(const Subject& run, const Now& now) {
  if (!run.cancelled_since) return NeverDue{};
  const Seconds grace = run.phase == Phase::kPending ? Seconds(0) : run.policy.cancel_grace;
  return Since(*run.cancelled_since, now, grace, Reason::kCancelled);
}

Outcome ExecutorLost(const Subject& run, const Now& now) {
  if (!run.executor_lost_since) return NeverDue{};
  return Since(*run.executor_lost_since, now, Seconds(0), Reason::kExecutorLost);
}

Outcome HeartbeatLost(const Subject& run, const Now& now) {
  if (!Heartbeating(run)) return NeverDue{};
  return Silent(run, now, run.policy.heartbeat_timeout, Reason::kHeartbeatTimeout);
}

Outcome NeverBeat(const Subject& run, const Now& now) {
  if (run.has_beaten || run.policy.heartbeat_mode != HeartbeatMode::kRequired) return NeverDue{};
  return Silent(run, now, run.policy.first_timeout, Reason::kHeartbeatNeverStarted);
}

Outcome ClaimExpired(const Subject& run, const Now& now) {
  if (Heartbeating(run) || !run.policy.claim_ttl) return NeverDue{};
  return Silent(run, now, *run.policy.claim_ttl, Reason::kClaimExpired);
}

Outcome NoProgress(const Subject& run, const Now& now) {
  if (!run.policy.progress_timeout) return NeverDue{};
  return Since(run.progress_since, now, *run.policy.progress_timeout, Reason::kNoProgress);
}

Outcome Backstop(const Subject& run, const Now& now) {
  if (!run.policy.backstop) return NeverDue{};
  return OnServerClock(run, now, *run.policy.backstop, Reason::kBackstopExceeded);
}

}  // namespace jobrun::rules
