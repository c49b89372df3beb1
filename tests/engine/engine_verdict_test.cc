// Which runs the engine reaps, and when: observed change, the start, policies, gates.
#include <gtest/gtest.h>

#include "tests/engine/verdict_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST(EngineTest, ASilentRunIsReapedAtItsTimeoutAndNotBefore) {
  EngineHarness engine;
  engine.Sync({Beating()});
  engine.Pass(150s - 1ms);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1ms);
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, EveryChangeOfTheHeartbeatStartsTheSilenceAnew) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  for (int beat = 2; beat < 6; ++beat) {
    engine.Pass(149s);
    engine.Watch(run.Beat(beat).Version(run.version + 1));
  }
  engine.Pass(149s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, AChangeThatIsNoHeartbeatDoesNotExcuse) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  engine.Pass(100s);
  engine.Watch(run.Version(200));
  engine.Pass(50s);
  ExpectVerdict(engine, "HeartbeatTimeout");
  EXPECT_NE(engine.Requests()[0].body.find("\"resourceVersion\":\"200\""), std::string::npos);
}

TEST(EngineTest, HeartbeatsAreComparedNeverInterpreted) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  std::uint64_t version = 200;
  for (const char* beat : {"9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00Z",
                           "2026-11-22T12:00:00.123456789123z", "1999-01-01T00:00:00-12:00"}) {
    engine.Pass(149s);
    run.heartbeat = beat;
    engine.Watch(run.Version(version++));
  }
  engine.Pass(149s);
  EXPECT_TRUE(engine.Requests().empty());
}

TEST(EngineTest, ARunClaimedYearsAgoWithAFreshHeartbeatStaysRunning) {
  EngineHarness engine;
  RunText run = RunText("a").Claimed("2019-01-01T00:00:00Z").Beat(1);
  run.created = "2019-01-01T00:00:00Z";
  engine.Sync({run});
  engine.Pass(149s);
  EXPECT_TRUE(engine.Requests().empty());
}

TEST(EngineTest, ATimestampEqualToTheClaimIsNoHeartbeatYet) {
  EngineHarness engine;
  RunText run = RunText("a").Claimed("2026-11-22T12:00:00Z");
  run.heartbeat = "2026-11-22T14:00:00.9+02:00";
  engine.Sync({run});
  engine.Pass(7190s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(20s);
  ExpectVerdict(engine, "ClaimExpired");
}

TEST(EngineTest, ARunThatWasNeverClaimedFailsAtItsPendingDeadline) {
  EngineHarness engine;
  engine.Sync({RunText("a").Spec(R"("pendingDeadlineSeconds":60)")});
  engine.Pass(50s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(11s);
  ExpectVerdict(engine, "PendingDeadlineExceeded");
}

TEST(EngineTest, TheDeadlineCountsFromTheClaimSeenLive) {
  EngineHarness engine;
  RunText run("a");
  run.Spec(R"("deadlineSeconds":60)");
  engine.Sync({run});
  engine.Pass(500s);
  engine.Watch(run.Claimed("2020-01-01T00:00:00Z").Version(200));
  ASSERT_EQ(engine.Requests().size(), 1U);  // the first visit, which gets no answer
  EXPECT_NE(engine.Requests()[0].body.find("startTime"), std::string::npos);
  engine.Pass(59s);
  EXPECT_EQ(engine.Requests().size(), 1U);
  engine.Pass(3s);
  ASSERT_EQ(engine.Requests().size(), 2U);
  EXPECT_NE(engine.Requests()[1].body.find("DeadlineExceeded"), std::string::npos);
}

TEST(EngineTest, TheDeadlineOfAListedRunCountsFromItsRecordedStart) {
  EngineHarness engine;
  RunText run = Beating();
  run.Spec(R"("deadlineSeconds":3600)");
  run.created = "2026-11-22T10:00:00Z";
  run.claimed_at = "2026-11-22T10:00:00Z";
  run.start_time = "2026-11-22T11:30:00Z";
  engine.Sync({run});
  engine.Pass(1s);
  EXPECT_TRUE(engine.Requests().empty());
}

TEST(EngineTest, AClaimInTheFutureDoesNotPostponeTheDeadline) {
  EngineHarness engine;
  RunText run = RunText("a").Claimed("9999-01-01T00:00:00Z");
  run.Spec(R"("deadlineSeconds":60)");
  run.start_time = "9998-01-01T00:00:00Z";
  engine.Sync({run});
  engine.Pass(62s);
  ExpectVerdict(engine, "DeadlineExceeded");
}

TEST(EngineTest, RunBeforeLaneBeforeDefault) {
  Settings settings;
  settings.defaults.heartbeat_timeout = 100s;
  settings.lanes.push_back({.name = "fast", .thresholds = {.heartbeat_timeout = 80s}});
  EngineHarness engine(settings);
  engine.Sync({Beating("by-run").Lane("fast").Spec(R"("heartbeat":{"timeoutSeconds":60})"),
               Beating("by-lane").Lane("fast"), Beating("by-default").Lane("slow")});
  const auto silent = [&](std::string_view name) {
    return std::ranges::any_of(engine.Requests(), [&](const Request& request) {
      return request.target.find(name) != std::string::npos;
    });
  };
  engine.Pass(60s);
  EXPECT_TRUE(silent("by-run") && !silent("by-lane"));
  engine.Pass(20s);
  EXPECT_TRUE(silent("by-lane") && !silent("by-default"));
  engine.Pass(20s);
  EXPECT_TRUE(silent("by-default"));
}

TEST(EngineTest, AThresholdEditedOnALiveRunHoldsAtOnce) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  engine.Pass(100s);
  run.generation = 2;
  engine.Watch(run.Spec(R"("heartbeat":{"timeoutSeconds":1000})").Version(200));
  engine.Pass(899s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, ALoweredThresholdLeavesTheWorkerTwoIntervals) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run.Spec(R"("heartbeat":{"timeoutSeconds":1000})")});
  engine.Pass(500s);
  run.generation = 2;
  engine.Watch(run.Spec(R"("heartbeat":{"timeoutSeconds":90})").Version(200));
  engine.Pass(59s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, HeartbeatsThatWereIgnoredLeaveTheWorkerItsTimeoutOnceTheyCount) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run.Spec(R"("claimTTLSeconds":100,"heartbeat":{"mode":"Ignored"})")});
  engine.Pass(99s);
  engine.Watch(RunText(run).Beat(2).Version(200));
  run.generation = 2;
  engine.Watch(run.Beat(2).Spec(R"("heartbeat":{"mode":"Auto"})").Version(201));
  engine.Pass(149s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, AReloadedConfigurationJudgesEverythingAnew) {
  EngineHarness engine;
  engine.Sync({Beating()});
  engine.Pass(10s);
  Settings longer;
  longer.defaults.heartbeat_timeout = 1000s;
  engine.Give(ConfigLoaded{longer});
  engine.Pass(989s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, NothingIsWrittenInADryRunAndItIsCountedOnce) {
  EngineHarness engine(Settings{.reaping = Reaping::kDryRun});
  RunText run = Beating();
  engine.Sync({run.Spec(R"("deadlineSeconds":1)")});
  engine.Pass(600s);
  EXPECT_TRUE(engine.Requests().empty());
  EXPECT_EQ(engine.Suppressed(Suppression::kDryRun), 1);
  engine.Watch(run.Beat(2).Version(200));
  engine.Pass(600s);
  EXPECT_EQ(engine.Suppressed(Suppression::kDryRun), 2);
}

TEST(EngineTest, TheKillSwitchWritesNothingAndReapsNothing) {
  EngineHarness engine(Settings{.reaping = Reaping::kDisabled});
  engine.Sync({Beating().Spec(R"("reaping":"Enabled")")});
  engine.Pass(600s);
  EXPECT_TRUE(engine.Requests().empty());
  EXPECT_EQ(engine.Suppressed(Suppression::kDisabled), 1);
  engine.Give(ConfigLoaded{Settings{}});
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, ARunOfAHeldLaneGetsNoVerdict) {
  Settings settings;
  settings.lanes.push_back({.name = "broken", .held = true});
  EngineHarness engine(settings);
  engine.Sync({Beating().Lane("broken")});
  engine.Pass(600s);
  EXPECT_TRUE(engine.Requests().empty());
  EXPECT_EQ(engine.Suppressed(Suppression::kHeldLane), 1);
  EXPECT_EQ(engine.CheckHealth().held_lanes, "broken");
}

TEST(EngineTest, ARunBeingDeletedIsLeftAlone) {
  EngineHarness engine;
  RunText run = Beating();
  run.deleting = true;
  engine.Sync({run});
  engine.Pass(1000s);
  EXPECT_TRUE(engine.Requests().empty());
}

TEST(EngineTest, OneBadObjectDoesNotStopTheOthers) {
  EngineHarness engine;
  RunText bad = Beating("bad");
  bad.spec = R"(,"deadlineSeconds":"soon")";
  engine.Sync({Beating("before"), bad, Beating("behind")});
  engine.Pass(150s);
  EXPECT_EQ(engine.Requests().size(), 2U);
  EXPECT_EQ(engine.Counted(Metric::kInvalidObjects), 1);
  EXPECT_EQ(engine.Scrape().runs, 2U);
}

TEST(EngineTest, ARecreatedRunStartsAnew) {
  EngineHarness engine;
  engine.Sync({Beating()});
  engine.Pass(100s);
  RunText second = Beating();
  second.uid = Uid{7, 7};
  engine.Watch(Beating().Version(300), "DELETED");
  engine.Watch(second.Version(301), "ADDED");
  engine.Pass(149s);
  EXPECT_TRUE(engine.Requests().empty());
  EXPECT_EQ(engine.Scrape().runs, 1U);
  engine.Pass(1s);
  ExpectVerdict(engine, "HeartbeatTimeout");
}

TEST(EngineTest, AHeartbeatTouchesNoTimerAndAsksForNothing) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  engine.Pass(20s);
  const auto timers = engine.Scrape().timers;
  const auto wake = engine.Wake();
  for (int beat = 2; beat < 100; ++beat) engine.Watch(run.Beat(beat).Version(run.version + 1));
  EXPECT_EQ(engine.Scrape().timers, timers);
  EXPECT_EQ(engine.Wake(), wake);
}

TEST(EngineTest, RunsAreCountedByLaneAndPhase) {
  Settings settings;
  settings.lanes.push_back({.name = "etl"});
  EngineHarness engine(settings);
  RunText moving = RunText("moving").Lane("etl");
  engine.Sync({moving, RunText("b").Lane("etl"), Beating("c").Lane("unknown"), Beating("d")});
  engine.Watch(moving.Claimed().Version(200));
  const Snapshot snapshot = engine.Scrape();
  const auto runs = [&](std::string_view lane, Phase phase) {
    for (const auto& gauges : snapshot.lanes) {
      if (gauges.lane == lane) return gauges.runs[static_cast<std::size_t>(phase)];
    }
    return std::uint64_t{999};
  };
  EXPECT_EQ(runs("etl", Phase::kPending), 1U);
  EXPECT_EQ(runs("etl", Phase::kRunning), 1U);
  EXPECT_EQ(runs("other", Phase::kRunning), 1U);
  EXPECT_EQ(runs("default", Phase::kRunning), 1U);
}

}  // namespace
}  // namespace jobrun
