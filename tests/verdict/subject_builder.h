// Runs for the rule tests, as sentences: Running().ClaimedAgo(10min).SilentFor(1min).
#pragma once

#include "controller/verdict/decide.h"

namespace jobrun {

// One fixed instant; the server's clock is known to within a second.
inline const Now kNow = [] {
  Now now;
  now.mono = Mono(std::chrono::hours(1000));
  now.boot = Boot(std::chrono::hours(2000));
  now.silence = Silence(std::chrono::hours(900));
  now.server.earliest = ServerTime(std::chrono::hours(490000));
  now.server.latest = now.server.earliest + std::chrono::seconds(1);
  return now;
}();

class SubjectBuilder {
 public:
  SubjectBuilder& CreatedAgo(Nanos age) { return SilentFor(age); }
  SubjectBuilder& ClaimedAgo(Nanos age) {
    run_.started_at =
        kNow.server.earliest - std::chrono::duration_cast<std::chrono::microseconds>(age);
    return SilentFor(age);
  }
  // Since its heartbeat, or since its claim without one.
  SubjectBuilder& SilentFor(Nanos age) {
    run_.since = kNow.silence - age;
    return *this;
  }
  SubjectBuilder& HasBeaten() {
    run_.has_beaten = true;
    return *this;
  }
  SubjectBuilder& BeingDeleted() {
    run_.being_deleted = true;
    return *this;
  }
  SubjectBuilder& Mode(HeartbeatMode mode) {
    run_.policy.heartbeat_mode = mode;
    return *this;
  }
  SubjectBuilder& PendingDeadline(Seconds limit) {
    run_.policy.pending_deadline = limit;
    return *this;
  }
  SubjectBuilder& WithDeadline(Seconds limit) {
    run_.policy.deadline = limit;
    return *this;
  }
  SubjectBuilder& WithBackstop(Seconds limit) {
    run_.policy.backstop = limit;
    return *this;
  }
  SubjectBuilder& ClaimTtl(Seconds limit) {
    run_.policy.claim_ttl = limit;
    return *this;
  }
  SubjectBuilder& Timeout(Seconds limit) {
    run_.policy.heartbeat_timeout = limit;
    return *this;
  }
  SubjectBuilder& FirstTimeout(Seconds limit) {
    run_.policy.first_timeout = limit;
    return *this;
  }

  SubjectBuilder& ExitedAgo(Nanos age, int code) {
    run_.exit_code = code;
    run_.finalizing_since = kNow.silence - age;
    return *this;
  }
  SubjectBuilder& FinalizeGrace(Seconds grace) {
    run_.policy.finalize_grace = grace;
    return *this;
  }
  SubjectBuilder& UnmetGate(std::string_view gate) {
    run_.unmet_gate = gate;
    return *this;
  }
  SubjectBuilder& ExecutorLostAgo(Nanos ago) {
    run_.executor_lost_since = kNow.silence - ago;
    return *this;
  }
  SubjectBuilder& CancelledAgo(Nanos age) {
    run_.cancelled_since = kNow.silence - age;
    return *this;
  }
  SubjectBuilder& CancelGrace(Seconds grace) {
    run_.policy.cancel_grace = grace;
    return *this;
  }
  SubjectBuilder& ProgressedAgo(Nanos age) {
    run_.progress_since = kNow.silence - age;
    return *this;
  }
  SubjectBuilder& ProgressTimeout(Seconds limit) {
    run_.policy.progress_timeout = limit;
    return *this;
  }

  operator Subject() const { return run_; }  // NOLINT: a sentence ends where a Subject is wanted

  explicit SubjectBuilder(Phase phase) { run_.phase = phase; }

 private:
  Subject run_;
};

inline SubjectBuilder Pending() { return SubjectBuilder(Phase::kPending); }
inline SubjectBuilder Running() { return SubjectBuilder(Phase::kRunning); }
inline SubjectBuilder InPhase(Phase phase) { return SubjectBuilder(phase); }

}  // namespace jobrun
