#include "controller/verdict/rules.h"

namespace jobrun::rules {
namespace {

// How often a limit on the server's clock is looked at again while that clock is not known yet.
constexpr Nanos kServerClockPoll = std::chrono::seconds(1);

Outcome After(Nanos left, Reason reason) {
  if (left > Nanos::zero()) return DueIn{left};
  return Reap{reason, -left};
}

Outcome Silent(const Subject& run, const Now& now, Seconds limit, Reason reason) {
  return After(run.since + limit - now.silence, reason);
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

Outcome Backstop(const Subject& run, const Now& now) {
  if (!run.policy.backstop) return NeverDue{};
  return OnServerClock(run, now, *run.policy.backstop, Reason::kBackstopExceeded);
}

}  // namespace jobrun::rules
