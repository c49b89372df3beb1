// What the engine's soak holds true of runs, as plainly as can be said: when each rule is due, from
// the moments at which the server accepted what was written. The engine knows less and later.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/time.h"
#include "controller/engine/settings.h"
#include "controller/model/reason.h"
#include "controller/model/thresholds.h"
#include "tests/engine/soak_run.h"

namespace jobrun {

// A rule counts from `since`.
struct Limit {
  Mono since{};
  Nanos limit{};
  [[nodiscard]] Mono Due() const { return since + limit; }
};

class SoakModel {
 public:
  SoakModel(const SoakRun& run, const Settings& settings) : run_(run), settings_(settings) {
    for (const Lane& lane : settings.lanes) {
      if (lane.name == run.object.lane) lane_ = &lane;
    }
  }

  [[nodiscard]] bool MayBeWritten() const {
    const Reaping asked = Said(&Thresholds::reaping).value_or(Reaping::kEnabled);
    return asked == Reaping::kEnabled && settings_.reaping == Reaping::kEnabled &&
           !(lane_ != nullptr && lane_->held);
  }

  // Nothing: the rule does not apply.
  [[nodiscard]] std::optional<Limit> LimitOf(Reason reason) const {
    if (run_.object.deleting) return {};
    if (run_.Is(Phase::kPending)) return LimitWhilePending(reason);
    if (!run_.Is(Phase::kRunning)) return {};
    return run_.object.exit_code ? LimitOnceExited(reason) : LimitWhileRunning(reason);
  }

  [[nodiscard]] Seconds Interval() const {
    return Said(&Thresholds::heartbeat_interval).value_or(Seconds(30));
  }
  [[nodiscard]] Seconds Timeout() const {
    return std::max(Said(&Thresholds::heartbeat_timeout).value_or(Seconds(150)), 2 * Interval());
  }

  // ---- of a run that has ended ----

  // What is to be recorded of its retry.
  [[nodiscard]] RetryState RightRetry(const std::string& reason) const {
    if (!IsRetried(reason)) return RetryState::kNotDue;
    if (reason == "HandedBack") return RetryState::kPending;
    const int attempts = SaidOfRetry(&RetryRules::max_attempts).value_or(1);
    if (attempts <= 1) return RetryState::kNotDue;
    return run_.Attempt() < static_cast<std::uint32_t>(attempts) ? RetryState::kPending
                                                                 : RetryState::kExhausted;
  }
  // How long it waits at least; at most a tenth more.
  [[nodiscard]] Nanos RetryWait() const {
    const Seconds first = SaidOfRetry(&RetryRules::backoff).value_or(Seconds(10));
    const Seconds asked = SaidOfRetry(&RetryRules::max_backoff).value_or(Seconds(360));
    const Nanos longest = Nanos(std::max(asked, first)) * 10 / 11;
    Nanos wait = first;
    for (std::uint32_t attempt = 1; attempt < run_.Attempt(); ++attempt) wait *= 2;
    return std::min(wait, longest);
  }
  // When its time to live is over at the earliest; nothing: never.
  [[nodiscard]] std::optional<ServerTime> MayBeDeletedAt(ServerTime ended) const {
    const std::optional<Seconds> ttl = Said(&Thresholds::ttl);
    if (!ttl) return {};
    const ServerTime created = *ParseRfc3339(run_.object.created);
    const ServerTime told = ParseRfc3339(run_.object.completion_time).value_or(ended);
    return std::clamp(told, created, std::max(ended, created)) + *ttl;
  }

 private:
  [[nodiscard]] std::optional<Limit> LimitWhilePending(Reason reason) const {
    if (reason == Reason::kPendingDeadlineExceeded)
      return From(run_.created, Said(&Thresholds::pending_deadline));
    if (reason == Reason::kCancelled && run_.cancelled) return From(*run_.cancelled, Seconds(0));
    return {};
  }

  [[nodiscard]] std::optional<Limit> LimitOnceExited(Reason reason) const {
    if (reason == Reason::kBackstopExceeded) return From(run_.claimed, Said(&Thresholds::backstop));
    Reason right = Reason::kFinalizedByController;
    for (const std::string& gate : Gates()) {
      if (!run_.IsTrue(gate)) right = Reason::kCompletionGateUnmet;
    }
    if (run_.object.exit_code != 0) right = Reason::kExitNonZero;
    if (reason != right) return {};
    const bool beats_count = run_.has_beaten && Mode() != HeartbeatMode::kIgnored;
    return From(beats_count ? std::max(run_.exited, run_.heartbeat) : run_.exited,
                Said(&Thresholds::finalize_grace).value_or(Seconds(300)));
  }

  [[nodiscard]] std::optional<Limit> LimitWhileRunning(Reason reason) const {
    switch (reason) {
      case Reason::kDeadlineExceeded:
        return From(run_.claimed, Said(&Thresholds::deadline));
      case Reason::kCancelled:
        if (!run_.cancelled) return {};
        return From(*run_.cancelled, Said(&Thresholds::cancel_grace).value_or(Seconds(60)));
      case Reason::kHeartbeatTimeout:
        if (!Heartbeating()) return {};
        return From(run_.heartbeat, Timeout());
      case Reason::kHeartbeatNeverStarted:
        if (run_.has_beaten || Mode() != HeartbeatMode::kRequired) return {};
        return From(run_.claimed, Said(&Thresholds::first_timeout).value_or(Timeout()));
      case Reason::kClaimExpired:
        return Heartbeating() ? std::nullopt : From(run_.claimed, ClaimTtl());
      case Reason::kNoProgress:
        return From(run_.progressed, Said(&Thresholds::progress_timeout));
      case Reason::kBackstopExceeded:
        return From(run_.claimed, Said(&Thresholds::backstop));
      case Reason::kPendingDeadlineExceeded:
      case Reason::kCompletionGateUnmet:
      case Reason::kExecutorLost:  // no executors here: tests/engine/executors_test.cc
      case Reason::kExitNonZero:
      case Reason::kFinalizedByController:
        return {};
    }
    return {};
  }

  [[nodiscard]] bool IsRetried(const std::string& reason) const {
    const auto on = SaidOfRetry(&RetryRules::on);
    if (on ? std::ranges::count(*on, reason) == 0
           : reason == "PendingDeadlineExceeded" || reason == "DeadlineExceeded" ||
                 reason == "Cancelled") {
      return false;
    }
    if (run_.object.exit_code.value_or(0) == 0) return true;
    const auto in = SaidOfRetry(&RetryRules::exit_codes_in);
    const auto not_in = SaidOfRetry(&RetryRules::exit_codes_not_in);
    if (in && std::ranges::count(*in, *run_.object.exit_code) == 0) return false;
    return !not_in || std::ranges::count(*not_in, *run_.object.exit_code) == 0;
  }

  static std::optional<Limit> From(Mono since, std::optional<Seconds> limit) {
    if (!limit) return {};
    return Limit{since, *limit};
  }

  template <class T>
  [[nodiscard]] std::optional<T> SaidByRunOrLane(std::optional<T> Thresholds::* field) const {
    if (run_.spec.*field) return run_.spec.*field;
    return lane_ != nullptr ? lane_->thresholds.*field : std::nullopt;
  }
  template <class T>
  [[nodiscard]] std::optional<T> Said(std::optional<T> Thresholds::* field) const {
    const std::optional<T> said = SaidByRunOrLane(field);
    return said ? said : settings_.defaults.*field;
  }
  template <class T>
  [[nodiscard]] std::optional<T> SaidOfRetry(std::optional<T> RetryRules::* field) const {
    if (run_.spec.retry.*field) return run_.spec.retry.*field;
    if (lane_ != nullptr && lane_->thresholds.retry.*field) return lane_->thresholds.retry.*field;
    return settings_.defaults.retry.*field;
  }
  [[nodiscard]] std::vector<std::string> Gates() const {
    return Said(&Thresholds::completion_gates).value_or(std::vector<std::string>());
  }
  [[nodiscard]] HeartbeatMode Mode() const {
    return Said(&Thresholds::heartbeat_mode).value_or(HeartbeatMode::kAuto);
  }
  [[nodiscard]] bool Heartbeating() const {
    return run_.has_beaten && Mode() != HeartbeatMode::kIgnored;
  }
  [[nodiscard]] std::optional<Seconds> ClaimTtl() const {
    if (Mode() == HeartbeatMode::kIgnored) return SaidByRunOrLane(&Thresholds::claim_ttl);
    return Said(&Thresholds::claim_ttl).value_or(Seconds(7200));
  }

  const SoakRun& run_;
  const Settings& settings_;
  const Lane* lane_{nullptr};
};

}  // namespace jobrun
