// What must be true once the soak's network has been healthy for long enough: the dead are judged,
// what ended is done with, and the counters agree with what the server holds.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "tests/engine/engine_harness.h"
#include "tests/engine/soak_checks.h"
#include "tests/engine/soak_server.h"

namespace jobrun {

class SoakOutcome {
 public:
  // A run that ended is held for five minutes and a jitter at most.
  static constexpr Nanos kSettlingOfEnded = std::chrono::seconds(450);

  struct Parts {
    const SoakApi& api;
    const SoakServer& server;
    EngineHarness& engine;
    const SoakChecks& checks;
    const Settings& settings;
  };
  // `lives`: processes of the engine.
  SoakOutcome(Parts parts, int lives) : parts_(parts), lives_(lives) {}

  void Check() {
    CheckThatTheDeadAreJudged();
    CheckThatTheEndedAreDoneWith();
    CheckVerdictCounts();
    CheckRetryCounts();
    CheckEvents();
    CheckSnapshot();
  }

 private:
  void CheckThatTheDeadAreJudged() {
    const Nanos late = SoakChecks::kSlack + parts_.checks.Queue();
    for (const auto& [name, run] : parts_.api.All()) {
      const SoakModel model(run, parts_.settings);
      if (!model.MayBeWritten()) continue;
      for (std::size_t i = 0; i < kReasonCount; ++i) {
        const auto limit = model.LimitOf(static_cast<Reason>(i));
        if (!limit) continue;
        EXPECT_GT(limit->Due() + late, parts_.engine.Time())
            << kReasons[i].name << " of " << run.object.Json();
      }
    }
  }

  void CheckThatTheEndedAreDoneWith() {
    const Mono past = parts_.engine.Time() - kSettlingOfEnded;
    for (const auto& [name, run] : parts_.api.All()) {
      const SoakModel model(run, parts_.settings);
      if (run.IsActive() || run.object.deleting || !model.MayBeWritten()) continue;
      // The last of a chain has just failed, perhaps.
      const Nanos wait = model.RetryWait() * 2 + SoakChecks::kSlack + parts_.checks.Queue();
      const bool must_be_settled = run.MayBeRetried() && run.ended + wait < parts_.engine.Time();
      EXPECT_TRUE(!must_be_settled || run.retry.IsSettled()) << run.object.Json();
      if (IsToBeRecorded(run)) continue;
      const auto until = model.MayBeDeletedAt(SoakApi::TimeAt(run.ended));
      EXPECT_GT(until.value_or(ServerTime::max()), SoakApi::TimeAt(past)) << run.object.Json();
    }
  }

  // The run before it is not to be written, and its retry open.
  [[nodiscard]] bool IsToBeRecorded(const SoakRun& run) const {
    const auto origin = parts_.api.All().find(run.retry_of);
    return origin != parts_.api.All().end() && origin->second.object.uid == run.parent &&
           !origin->second.retry.IsSettled();
  }

  [[nodiscard]] static bool IsOurs(const std::string& verdict) {
    return verdict.starts_with("life");
  }
  [[nodiscard]] bool IsOfThisLife(const std::string& verdict) const {
    return verdict.starts_with("life" + std::to_string(lives_) + "-");
  }

  void CheckVerdictCounts() {
    std::map<std::string, SoakRun> committed;  // by verdictID
    for (const auto& [version, change] : parts_.api.Log()) {
      const std::string& id = change.run.object.verdict_id;
      if (IsOurs(id)) committed.insert_or_assign(id, change.run);
    }
    EngineHarness::LaneCounts reaps;
    EngineHarness::LaneCounts finalized;
    std::set<std::string> counted;
    for (const LogLine& line : parts_.engine.Log()) {
      if (line.message != "reaped" && line.message != "finalized") continue;
      const std::string& id = line.fields.back().second;
      EXPECT_TRUE(counted.insert(id).second) << id << " is counted twice";
      ASSERT_TRUE(committed.contains(id)) << id << " did not commit";
      const SoakRun& run = committed.at(id);
      const bool succeeded = run.Is(Phase::kSucceeded);
      EXPECT_EQ(line.message, succeeded ? "finalized" : "reaped");
      ++(succeeded ? finalized : reaps)[{run.Label(), run.object.reason}];
    }
    EXPECT_EQ(parts_.engine.CountedByLane(Metric::kReaps), reaps);
    EXPECT_EQ(parts_.engine.CountedByLane(Metric::kFinalized), finalized);
    for (const auto& [name, run] : parts_.api.All()) {
      const std::string& id = run.object.verdict_id;
      EXPECT_TRUE(!IsOfThisLife(id) || counted.contains(id)) << id << " is not counted";
    }
  }

  // At most once each, and never missed by a process that was told and lives on.
  void CheckRetryCounts() {
    EngineHarness::LaneCounts most;
    EngineHarness::LaneCounts least;
    for (const SoakServer::Settled& settled : parts_.server.AllSettled()) {
      const auto state = ParseEnum<RetryState>(kRetryStateNames, settled.state);
      const std::pair place{settled.lane, std::string(kRetryResultNames.at(ResultOf(*state)))};
      ++most[place];
      const bool seen = parts_.checks.Witnessed().contains(settled.uid.low) ||
                        parts_.api.FindUid(settled.uid) != nullptr;
      if (seen && lives_ == 1) ++least[place];
    }
    const EngineHarness::LaneCounts& counted = parts_.engine.CountedByLane(Metric::kRetries);
    for (const auto& [place, count] : counted)
      EXPECT_LE(count, most[place]) << place.first << " " << place.second;
    for (const auto& [place, count] : least) {
      const auto found = counted.find(place);
      EXPECT_GE(found == counted.end() ? 0 : found->second, count)
          << place.first << " " << place.second;
    }
  }
  static std::size_t ResultOf(RetryState state) {
    return static_cast<std::size_t>(state) - 1;  // there is none for Pending
  }

  // Whatever is counted is told as often.
  void CheckEvents() {
    std::map<std::string_view, double> told;
    for (const EmitEvent& event : parts_.engine.Events()) ++told[event.reason];
    const auto expect = [&](std::string_view reason, Metric metric, std::size_t label) {
      EXPECT_EQ(told[reason], parts_.engine.Counted(metric, static_cast<std::uint8_t>(label)))
          << reason;
    };
    for (std::size_t i = 0; i < kReapReasonCount; ++i) {
      expect(kReasons[i].name, Metric::kReaps, i);
    }
    expect("FinalizedByController", Metric::kFinalized, 0);
    constexpr std::array<std::string_view, 4> kRetries = {"RetryCreated", "RetrySkipped",
                                                          "RetryBlocked", "RetriesExhausted"};
    for (std::size_t i = 0; i < kRetries.size(); ++i) expect(kRetries[i], Metric::kRetries, i);
    expect("DryRun", Metric::kSuppressed, static_cast<std::size_t>(Suppression::kDryRun));
    expect("DisputedReap", Metric::kDisputed, 0);
  }

  void CheckSnapshot() {
    std::map<std::string, std::array<std::uint64_t, kPhaseCount>> runs;
    for (const auto& [name, run] : parts_.api.All()) {
      for (std::size_t i = 0; i < kPhaseCount; ++i) {
        if (run.Is(static_cast<Phase>(i))) ++runs[run.Label()].at(i);
      }
    }
    const Snapshot snapshot = parts_.engine.Scrape();
    EXPECT_TRUE(snapshot.synced);
    EXPECT_EQ(snapshot.runs, parts_.api.All().size());
    EXPECT_EQ(snapshot.queued + snapshot.in_flight, 0U);
    for (const auto& lane : snapshot.lanes) EXPECT_EQ(lane.runs, runs[lane.lane]) << lane.lane;
  }

  Parts parts_;
  int lives_;
};

}  // namespace jobrun
