#include "controller/engine/breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/engine_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kEvery10s = R"("heartbeat":{"intervalSeconds":10,"timeoutSeconds":60})";

Settings Lanes() {
  Settings settings;
  settings.lanes = {{.name = "etl"}, {.name = "sync"}};
  settings.rate_limit.in_flight = 1000;
  settings.rate_limit.reaps_per_second = 0;
  return settings;
}

class BreakerTest : public ::testing::Test {
 protected:
  explicit BreakerTest(Settings settings = Lanes()) : engine_(std::move(settings)) {
    engine_.Sync({});
  }

  RunText Run(const std::string& lane, int number) {
    RunText run(lane + std::to_string(number));
    return run.Lane(lane).Spec(kEvery10s).Claimed("2026-11-22T11:59:59Z");
  }
  void Beat(const std::string& lane, int from, int to) {
    ++beat_;
    for (int number = from; number < to; ++number) {
      engine_.Watch(Run(lane, number).Beat(beat_).Version(++version_));
    }
  }
  // The verdicts that were sent.
  [[nodiscard]] std::size_t Written() const { return engine_.Requests().size(); }
  [[nodiscard]] bool IsOpen(const std::string& lane) {
    const Snapshot snapshot = engine_.Scrape();
    if (lane == "*") return snapshot.breaker_open_for_all;
    for (const auto& gauges : snapshot.lanes) {
      if (gauges.lane == lane) return gauges.breaker_open;
    }
    ADD_FAILURE() << "no lane " << lane;
    return false;
  }

  EngineHarness engine_;
  int beat_{0};
  std::uint64_t version_{10};
};

TEST_F(BreakerTest, ALaneThatFallsSilentTogetherIsHeld) {
  Beat("etl", 0, 20);
  engine_.Pass(60s);
  EXPECT_EQ(Written(), 0U);
  EXPECT_TRUE(IsOpen("etl"));
  EXPECT_FALSE(IsOpen("sync"));
  EXPECT_EQ(engine_.Suppressed(Suppression::kBreaker), 20);
}

TEST_F(BreakerTest, ItSeesThoseThatAreNotDueYetButLate) {
  for (int number = 0; number < 20; ++number) {
    Beat("etl", number, number + 1);
    engine_.Pass(400ms);
  }
  engine_.Pass(52s);
  EXPECT_EQ(Written(), 0U) << "not even the first is written";
  EXPECT_TRUE(IsOpen("etl"));
}

TEST_F(BreakerTest, OpeningAndClosingAreTold) {
  Beat("etl", 0, 20);
  engine_.Pass(60s);
  ASSERT_FALSE(engine_.Events().empty());
  EXPECT_EQ(engine_.Events()[0].reason, "BreakerOpened");
  EXPECT_THAT(engine_.Events()[0].note, HasSubstr("20 of 20 runs of lane etl"));
  const std::size_t told = engine_.Events().size();
  Beat("etl", 0, 20);
  engine_.Pass(1s);
  ASSERT_GT(engine_.Events().size(), told);
  EXPECT_EQ(engine_.Events()[told].reason, "BreakerClosed");
}

TEST_F(BreakerTest, HeartbeatsThatComeBackMakeTheVerdictsVoid) {
  Beat("etl", 0, 20);
  engine_.Pass(60s);
  Beat("etl", 0, 15);
  engine_.Pass(1s);
  EXPECT_FALSE(IsOpen("etl"));
  EXPECT_EQ(Written(), 5U) << "those that stay silent, and no other";
}

TEST_F(BreakerTest, EachIsHeldForSoLongPastItsOwnDueTime) {
  Beat("etl", 0, 10);
  engine_.Pass(5s);
  Beat("etl", 10, 20);
  engine_.Pass(55s + 300s - 1ms);
  EXPECT_EQ(Written(), 0U);
  engine_.Pass(1ms);
  EXPECT_EQ(Written(), 10U);
  engine_.Pass(5s - 1ms);
  EXPECT_EQ(Written(), 10U);
  engine_.Pass(1ms);
  EXPECT_EQ(Written(), 20U);
}

// 55 of 100: the fraction.
TEST_F(BreakerTest, OneMoreOrLessThanTheFraction) {
  for (const int dead : {54, 55}) {
    engine_.Restart(EngineHarness::OptionsWith(Lanes()));
    engine_.Sync({});
    Beat("etl", 0, dead);
    engine_.Pass(50s);
    Beat("etl", dead, 100);
    engine_.Pass(10s);
    EXPECT_EQ(IsOpen("etl"), dead == 55) << dead;
    EXPECT_EQ(Written(), dead == 55 ? 0U : 54U);
  }
}

TEST_F(BreakerTest, FewRunsAreNoMass) {
  for (const int dead : {9, 10}) {
    engine_.Restart(EngineHarness::OptionsWith(Lanes()));
    engine_.Sync({});
    Beat("etl", 0, dead);
    engine_.Pass(60s);
    EXPECT_EQ(IsOpen("etl"), dead == 10) << dead;
    EXPECT_EQ(Written(), dead == 10 ? 0U : 9U);
  }
}

TEST_F(BreakerTest, OneLaneDoesNotHoldAnother) {
  Beat("etl", 0, 10);
  engine_.Pass(50s);
  Beat("sync", 1, 40);
  engine_.Pass(10s);
  EXPECT_TRUE(IsOpen("etl"));
  EXPECT_FALSE(IsOpen("*"));
  Beat("sync", 0, 1);
  for (int second = 0; second < 60; second += 10) {
    engine_.Pass(10s);
    Beat("sync", 1, 40);
  }
  EXPECT_EQ(Written(), 1U);
  EXPECT_THAT(engine_.Requests()[0].target, HasSubstr("/sync0/"));
}

TEST_F(BreakerTest, ManyLanesTogetherHoldAll) {
  Settings settings = Lanes();
  settings.lanes.clear();
  for (int lane = 0; lane < 5; ++lane)
    settings.lanes.push_back({.name = "l" + std::to_string(lane)});
  engine_.Restart(EngineHarness::OptionsWith(settings));
  engine_.Sync({});
  for (int lane = 0; lane < 5; ++lane) Beat("l" + std::to_string(lane), 0, 5);
  engine_.Pass(60s);
  EXPECT_TRUE(IsOpen("*"));
  EXPECT_FALSE(IsOpen("l0")) << "five are no mass";
  EXPECT_EQ(Written(), 0U);
}

TEST_F(BreakerTest, WhatDoesNotRestOnSilenceIsWritten) {
  Beat("etl", 0, 20);
  engine_.Watch(RunText("late")
                    .Lane("etl")
                    .Spec(R"("deadlineSeconds":30,"heartbeat":{"mode":"Ignored"})")
                    .Claimed("2026-11-22T11:59:59Z")
                    .Version(9),
                "ADDED");
  engine_.Pass(1s);
  for (const Request& visit : engine_.TakeRequests()) {
    engine_.Give(Response{.id = visit.id, .status = 422});
  }
  engine_.Pass(70s);
  int deadlines = 0;
  for (const Request& request : engine_.Requests()) {
    EXPECT_EQ(request.body.find("HeartbeatTimeout"), std::string::npos);
    deadlines += request.body.find("DeadlineExceeded") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(deadlines, 1);
}

TEST_F(BreakerTest, ADryRunCountsForNothing) {
  Settings settings = Lanes();
  settings.lanes[0].thresholds.reaping = Reaping::kDryRun;
  engine_.Restart(EngineHarness::OptionsWith(settings));
  engine_.Sync({});
  Beat("etl", 0, 20);
  engine_.Pass(60s);
  EXPECT_FALSE(IsOpen("etl"));
  EXPECT_EQ(engine_.Suppressed(Suppression::kDryRun), 20);
}

TEST_F(BreakerTest, AnOperatorCanHoldEverything) {
  Settings settings = Lanes();
  settings.breaker.override_by_operator = BreakerOverride::kOpen;
  engine_.Give(ConfigLoaded{settings});
  Beat("etl", 0, 1);
  engine_.Pass(60s + 301s);
  EXPECT_EQ(Written(), 0U);
  EXPECT_TRUE(engine_.Scrape().breaker_open_for_all) << "so that nobody forgets it";
  settings.breaker.override_by_operator = BreakerOverride::kNone;
  engine_.Give(ConfigLoaded{settings});
  EXPECT_EQ(Written(), 1U);
}

TEST_F(BreakerTest, AnOperatorCanLetEverythingPass) {
  Beat("etl", 0, 20);
  engine_.Pass(60s);
  EXPECT_EQ(Written(), 0U);
  Settings settings = Lanes();
  settings.breaker.override_by_operator = BreakerOverride::kClosed;
  engine_.Give(ConfigLoaded{settings});
  EXPECT_EQ(Written(), 20U);
  EXPECT_FALSE(IsOpen("etl"));
}

TEST_F(BreakerTest, SwitchedOffItHoldsNothing) {
  Settings settings = Lanes();
  settings.breaker.enabled = false;
  engine_.Give(ConfigLoaded{settings});
  Beat("etl", 0, 20);
  engine_.Pass(60s);
  EXPECT_EQ(Written(), 20U);
}

TEST_F(BreakerTest, TheirVerdictsAreWrittenByTurnsOfTheirNamespaces) {
  Settings settings = Lanes();
  settings.rate_limit.in_flight = 4;
  engine_.Restart(EngineHarness::OptionsWith(settings));
  engine_.Sync({});
  for (int number = 0; number < 20; ++number) {
    RunText run = Run("etl", number);
    run.name_space = number < 18 ? "large" : "small";
    engine_.Watch(run.Beat(1).Version(++version_), "ADDED");
  }
  engine_.Pass(60s + 300s);
  int small = 0;
  for (const Request& request : engine_.Requests()) {
    small += request.target.find("/small/") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(Written(), 4U);
  EXPECT_EQ(small, 2);
}

TEST_F(BreakerTest, RunsWhoseWorkIsOverCountForNothing) {
  for (int number = 0; number < 20; ++number) {
    engine_.Watch(Run("etl", number).Beat(1).Exited(0).Version(++version_), "ADDED");
  }
  Beat("etl", 20, 21);
  engine_.Pass(60s);
  EXPECT_FALSE(IsOpen("etl"));
  EXPECT_EQ(Written(), 1U);
}

TEST_F(BreakerTest, ToExplainIsNotToLook) {
  Beat("etl", 0, 20);
  engine_.Pass(59s);
  ASSERT_TRUE(engine_.Explain("ns", "etl0"));
  EXPECT_FALSE(IsOpen("etl"));
  EXPECT_TRUE(engine_.Events().empty());
}

}  // namespace
}  // namespace jobrun
