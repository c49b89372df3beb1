// What the engine's soak holds true of runs, as plainly as can be said: when each rule is due, from
// the moments at which the server accepted what was written. The engine knows less and later.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "controller/base/time.h"
#include "controller/engine/settings.h"
#include "controller/model/reason.h"
#include "controller/model/thresholds.h"
#include "tests/engine/run_text.h"

namespace jobrun {

struct SoakRun {
  RunText object{""};
  Thresholds spec{};
  Mono created{};
  Mono claimed{};
  Mono heartbeat{};        // the last one was accepted
  bool has_beaten{false};  // with a heartbeat that is not just the claim's
  bool worker_lives{false};
  Nanos worker_skew{};  // its clock against the server's

  [[nodiscard]] bool Is(Phase phase) const {
    return PhaseName(phase) == (object.phase.empty() ? "Pending" : object.phase);
  }
  [[nodiscard]] bool IsActive() const { return Is(Phase::kPending) || Is(Phase::kRunning); }
};

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
    const bool pending = reason == Reason::kPendingDeadlineExceeded;
    if (run_.object.deleting || !run_.Is(pending ? Phase::kPending : Phase::kRunning)) return {};
    switch (reason) {
      case Reason::kPendingDeadlineExceeded:
        return From(run_.created, Said(&Thresholds::pending_deadline));
      case Reason::kDeadlineExceeded:
        return From(run_.claimed, Said(&Thresholds::deadline));
      case Reason::kHeartbeatTimeout:
        if (!Heartbeating()) return {};
        return From(run_.heartbeat, Timeout());
      case Reason::kHeartbeatNeverStarted:
        if (run_.has_beaten || Mode() != HeartbeatMode::kRequired) return {};
        return From(run_.claimed, Said(&Thresholds::first_timeout).value_or(Timeout()));
      case Reason::kClaimExpired:
        return Heartbeating() ? std::nullopt : From(run_.claimed, ClaimTtl());
      case Reason::kBackstopExceeded:
        return From(run_.claimed, Said(&Thresholds::backstop));
    }
    return {};
  }

  [[nodiscard]] Seconds Interval() const {
    return Said(&Thresholds::heartbeat_interval).value_or(Seconds(30));
  }
  [[nodiscard]] Seconds Timeout() const {
    return std::max(Said(&Thresholds::heartbeat_timeout).value_or(Seconds(150)), 2 * Interval());
  }

 private:
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
