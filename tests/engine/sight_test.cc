#include "controller/engine/sight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/canary_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

RunText Judged(const std::string& name) {
  return RunText(name)
      .Spec(R"("heartbeat":{"intervalSeconds":5,"timeoutSeconds":20})")
      .Claimed("2026-11-22T11:59:59Z")
      .Beat(1);
}

class SightTest : public CanaryFixture {
 protected:
  SightTest() {
    BeginToSee();
    engine_.Pass(2s);
    BeatIsSeen();
    engine_.Sync({});
    // The start is a stop of which nobody knows the length: no verdict for two intervals.
    Pass(60s);
    engine_.Watch(Judged("a").Version(10), "ADDED");
  }
};

TEST_F(SightTest, ASilentRunIsReapedAfterItsTimeout) {
  Pass(19s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(1s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(SightTest, TimeInWhichNobodyCouldWriteIsNoSilence) {
  Pass(10s);
  PassBlind(1h);
  EXPECT_TRUE(Blind());
  EXPECT_THAT(Others(), IsEmpty());
  BeatIsSeen();
  EXPECT_FALSE(Blind());
  Pass(9s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(4s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(SightTest, ABlindTimeIsTold) {
  PassBlind(30s);
  EXPECT_THAT(engine_.Log().back().message, HasSubstr("silence clock stands still"));
  ASSERT_THAT(engine_.Events(), SizeIs(1));
  EXPECT_EQ(engine_.Events()[0].reason, "SilenceClockStopped");
  EXPECT_EQ(engine_.Counted(Metric::kSilenceStops, static_cast<std::uint8_t>(SilenceStop::kNoBeat)),
            1);
  BeatIsSeen();
  ASSERT_THAT(engine_.Events(), SizeIs(2));
  EXPECT_EQ(engine_.Events()[1].reason, "SilenceClockRuns");
  EXPECT_THAT(engine_.Events()[1].note, HasSubstr("after 30 s"));
}

TEST_F(SightTest, AfterItARunGetsItsGrace) {
  Pass(15s);
  PassBlind(1h);
  BeatIsSeen();
  Pass(9s);
  EXPECT_THAT(Others(), IsEmpty()) << "silent for longer than its timeout, but two intervals…";
  EXPECT_EQ(engine_.Suppressed(Suppression::kGrace), 1);
  Pass(1s);
  EXPECT_THAT(Others(), SizeIs(1)) << "…are over";
}

TEST_F(SightTest, TheGraceIsNoLongerThanTheStop) {
  Pass(15s);
  PassBlind(6s);
  BeatIsSeen();
  Pass(5s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(2s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(SightTest, NoVerdictOfAnyKindIsWrittenWhileBlind) {
  engine_.Watch(RunText("b").Spec(R"("deadlineSeconds":75)").Claimed().Version(11), "ADDED");
  Pass(1s);
  for (const Request& visit : Others()) engine_.AnswerTo(visit.id, 409);
  PassBlind(1h);
  for (const Request& request : Others()) {
    EXPECT_EQ(request.body.find("DeadlineExceeded"), std::string::npos);
  }
  EXPECT_EQ(engine_.Suppressed(Suppression::kOutage), 1);
}

TEST_F(SightTest, AnOwnPauseIsNoSilence) {
  Pass(14s);
  engine_.Hang(3s);
  BeatIsSeen();
  EXPECT_EQ(
      engine_.Counted(Metric::kSilenceStops, static_cast<std::uint8_t>(SilenceStop::kOwnPause)), 1);
  Pass(3s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(3s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(SightTest, TheMachinesSleepIsFollowedByGrace) {
  Pass(19s);
  engine_.Sleep(1h);
  if (!Canaries().empty()) BeatIsSeen();
  Pass(9s);
  EXPECT_THAT(Others(), IsEmpty());
  EXPECT_EQ(
      engine_.Counted(Metric::kSilenceStops, static_cast<std::uint8_t>(SilenceStop::kSuspended)),
      1);
  Pass(2s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(SightTest, AStopInWhichItSleptIsFollowedByTheGraceOfAllOfIt) {
  Pass(15s);
  PassBlind(5s);
  engine_.Sleep(4s);
  BeatIsSeen();
  Pass(8s);
  EXPECT_THAT(Others(), IsEmpty()) << "nobody could write for nine seconds, not for five";
  Pass(2s);
  EXPECT_THAT(Others(), SizeIs(1));
}

// Whoever starts now would take the time for silence.
TEST_F(SightTest, AfterTheMachinesSleepItDoesNotSayThatItHasSeenBeatsAllTheTime) {
  const auto says_since = [this] {
    engine_.Pass(2s);
    const bool says = Canaries().at(0).body.find("writable-since") != std::string::npos;
    BeatIsSeen();
    return says;
  };
  EXPECT_TRUE(says_since());
  engine_.Sleep(1h);
  EXPECT_FALSE(says_since());
  EXPECT_TRUE(says_since());
}

// ---- others' ----

TEST_F(SightTest, TheCanaryOfAReplicaThatIsGoneIsRemoved) {
  engine_.Canary(CanaryOf("gone").Claimed().Beat(1).Version(77), "ADDED");
  Pass(5min - 1s);
  for (const Request& request : Canaries()) EXPECT_NE(request.method, Method::kDelete);
  Nanos waited{};
  while (Canaries().empty() || Canaries()[0].method != Method::kDelete) {
    ASSERT_LT(waited += 1s, 60s);
    engine_.Pass(1s);
    if (!Canaries().empty() && Canaries()[0].method == Method::kPatch) BeatIsSeen();
  }
  const Request removal = Answered("DELETE", 200, own_);
  EXPECT_THAT(removal.target, HasSubstr("jobrun-canary-gone"));
  EXPECT_THAT(removal.body, HasSubstr(R"("resourceVersion":"77")"));
}

TEST_F(SightTest, OneThatStillBeatsIsNot) {
  RunText other = CanaryOf("r2").Claimed();
  for (std::uint64_t beat = 1; beat < 20; ++beat) {
    engine_.Canary(other.Beat(static_cast<int>(beat)).Version(1000 + beat));
    Pass(60s);
    for (const Request& request : Canaries()) EXPECT_NE(request.method, Method::kDelete);
  }
}

TEST_F(SightTest, WhatHasBeenCountedAsSuppressedIsNotCountedAgain) {
  Pass(15s);
  for (int outage = 0; outage < 3; ++outage) {
    PassBlind(1h);
    BeatIsSeen();
    Pass(8s);
  }
  EXPECT_EQ(engine_.Suppressed(Suppression::kGrace), 1);
}

}  // namespace
}  // namespace jobrun
