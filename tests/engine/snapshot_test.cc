// What gauges and histograms show of runs and of the queue.
#include "controller/engine/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/engine/engine_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class SnapshotTest : public ::testing::Test {
 protected:
  static Settings TwoLanes() {
    Settings settings;
    settings.lanes = {{.name = "etl"}, {.name = "broken", .held = true}};
    return settings;
  }
  // Of the lane that is called so.
  Snapshot::LaneGauges LaneOf(const std::string& name) {
    for (const auto& lane : engine_.Scrape().lanes) {
      if (lane.lane == name) return lane;
    }
    ADD_FAILURE() << name;
    return {};
  }
  static std::uint64_t Sum(const auto& counts) {
    return std::accumulate(counts.counts.begin(), counts.counts.end(), std::uint64_t{0});
  }

  // Beats of a worker whose clock is so far off.
  void BeatsOff(Nanos off, int number = 100) {
    RunText run("a");
    if (version_ == 0) engine_.Sync({run.Claimed().Version(++version_)});
    const auto skew = std::chrono::duration_cast<ServerTime::duration>(off);
    for (int i = 0; i < number; ++i) {
      run.heartbeat = FormatMicroTime(engine_.ServerNow() + skew + ServerTime::duration(i));
      engine_.Watch(run.Claimed().Version(++version_));
    }
  }

  EngineHarness engine_{TwoLanes()};
  std::uint64_t version_{0};
};

TEST_F(SnapshotTest, AGapIsTheTimeBetweenTwoBeatsOfARun) {
  RunText run("a");
  engine_.Sync({run.Lane("etl").Claimed()});
  engine_.Watch(run.Beat(1).Version(2));
  engine_.Pass(20s);
  EXPECT_EQ(Sum(LaneOf("etl").heartbeat_gaps), 0U) << "the first beat ends no gap";
  engine_.Watch(run.Beat(2).Version(3));
  engine_.Pass(30s);
  engine_.Watch(run.Version(4));
  EXPECT_EQ(Sum(LaneOf("etl").heartbeat_gaps), 1U) << "another change is no beat";
  const GapCounts gaps = LaneOf("etl").heartbeat_gaps;
  EXPECT_DOUBLE_EQ(gaps.sum, 20);
  EXPECT_EQ(gaps.counts[5], 1U) << "at most 20 s";
  EXPECT_EQ(Sum(LaneOf("default").heartbeat_gaps), 0U);
}

TEST_F(SnapshotTest, WhatAListShowsEndsNoGap) {
  RunText run("a");
  engine_.Sync({run.Claimed().Beat(1)});
  engine_.Pass(20s);
  engine_.CutStream(410);
  engine_.Pass(2s);
  engine_.Sync({run.Beat(5).Version(7)});
  EXPECT_EQ(Sum(LaneOf("default").heartbeat_gaps), 0U) << "there may have been others in between";
  engine_.Pass(10s);
  engine_.Watch(run.Beat(6).Version(8));
  EXPECT_DOUBLE_EQ(LaneOf("default").heartbeat_gaps.sum, 10);
}

TEST_F(SnapshotTest, ARunThatIsClaimedAnewByAnotherUidHasNoGap) {
  engine_.Sync({RunText("a").Claimed().Beat(1)});
  engine_.Pass(20s);
  engine_.Watch(RunText("a", 77).Claimed().Beat(2).Version(2), "ADDED");
  EXPECT_EQ(Sum(LaneOf("default").heartbeat_gaps), 0U);
}

TEST_F(SnapshotTest, SkewIsTheLeastDistanceFromTheServersClock) {
  BeatsOff(0s);
  EXPECT_GT(Sum(engine_.Scrape().worker_clock_skew), 0U);
  EXPECT_DOUBLE_EQ(engine_.Scrape().worker_clock_skew.sum, 0);
  BeatsOff(-10min);
  const SkewCounts behind = engine_.Scrape().worker_clock_skew;
  EXPECT_GT(behind.counts[9], 0U) << "more than 300 s, at most an hour";
  EXPECT_EQ(behind.counts[10], 0U);
  BeatsOff(3h);
  EXPECT_GT(engine_.Scrape().worker_clock_skew.counts[10], 0U);
}

TEST_F(SnapshotTest, SkewIsThatOfOneHeartbeatInEight) {
  BeatsOff(0s, 4000);
  EXPECT_NEAR(static_cast<double>(Sum(engine_.Scrape().worker_clock_skew)), 500, 100);
}

TEST_F(SnapshotTest, NobodyKnowsTheSkewOfWhatIsNoTimeOrWasSeenInAList) {
  RunText run("a");
  engine_.Sync({run.Claimed().Beat(1)});
  run.heartbeat = "soon";
  engine_.Watch(run.Version(2));
  EXPECT_EQ(Sum(engine_.Scrape().worker_clock_skew), 0U);
}

TEST_F(SnapshotTest, TheOldestPendingRunOfEachLaneIsShown) {
  RunText old("old");
  old.created = "2026-11-22T11:00:00Z";
  RunText claimed("claimed");
  claimed.created = "2026-11-22T10:00:00Z";
  RunText leaving("leaving");
  leaving.created = "2026-11-22T09:00:00Z";
  leaving.deleting = true;
  engine_.Sync({old, RunText("young"), claimed.Claimed(), leaving});
  EXPECT_EQ(LaneOf("default").oldest_pending, ParseRfc3339("2026-11-22T11:00:00Z"));
  EXPECT_EQ(LaneOf("etl").oldest_pending, std::nullopt);
  engine_.Watch(old.Claimed().Version(2));
  EXPECT_EQ(LaneOf("default").oldest_pending, ParseRfc3339("2026-11-22T11:59:59Z"));
}

TEST_F(SnapshotTest, AHeldLaneIsShown) {
  EXPECT_TRUE(LaneOf("broken").held);
  EXPECT_FALSE(LaneOf("etl").held);
  EXPECT_FALSE(LaneOf("other").held);
}

TEST_F(SnapshotTest, AVerdictIsTimedFromItsSlotToItsLastAnswer) {
  RunText run("a");
  engine_.Sync({run.Claimed().Spec(R"("heartbeat":{"mode":"Required"})")});
  engine_.Pass(160s);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  engine_.Pass(2s);
  EXPECT_EQ(engine_.Scrape().longest_running, engine_.Scrape().unfinished);
  EXPECT_GT(engine_.Scrape().unfinished, 2s);
  engine_.Answer(409);
  EXPECT_EQ(engine_.Counted(Metric::kWork), 0) << "it is read again: the matter goes on";
  engine_.Pass(1s);
  engine_.Answer(404);
  EXPECT_EQ(engine_.Counted(Metric::kWork), 1);
  EXPECT_GT(engine_.Observed(Metric::kWork), 3);
  EXPECT_EQ(engine_.Scrape().unfinished, 0s);
}

TEST_F(SnapshotTest, WhatWaitsForASlotIsCounted) {
  Settings settings;
  settings.rate_limit.in_flight = 1;
  EngineHarness engine(settings);
  engine.Sync({RunText("a").Claimed().Spec(R"("heartbeat":{"mode":"Required"})"),
               RunText("b").Claimed().Spec(R"("heartbeat":{"mode":"Required"})")});
  engine.Pass(160s);
  EXPECT_EQ(engine.Counted(Metric::kQueueAdds), 2);
  EXPECT_EQ(engine.Counted(Metric::kQueueWait), 1);
  EXPECT_EQ(engine.Scrape().in_flight_max, 1);
  engine.Answer(404);
  EXPECT_EQ(engine.Counted(Metric::kQueueWait), 2);
  EXPECT_GT(engine.Observed(Metric::kQueueWait), 5) << "as long as the first one took";
}

TEST_F(SnapshotTest, ARefusalIsARetry) {
  engine_.Sync({RunText("a").Claimed().Spec(R"("heartbeat":{"mode":"Required"})")});
  engine_.Pass(160s);
  engine_.Answer(500);
  EXPECT_EQ(engine_.Counted(Metric::kQueueRetries), 1);
}

}  // namespace
}  // namespace jobrun
