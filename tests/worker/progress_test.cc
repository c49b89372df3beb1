// Progress, and heartbeats that mean it.
#include <gtest/gtest.h>

#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

SessionOptions MeansProgress() {
  SessionOptions options = SessionHarness::Options();
  options.liveness = Liveness::kProgress;
  return options;
}

TEST(ProgressTest, GoesWithTheNextHeartbeatOnce) {
  SessionHarness harness;
  harness.Work();
  harness.Pass(5s);
  harness.Progress("1/3");
  harness.Progress("2/3");
  harness.Pass(30s);
  EXPECT_EQ(harness.server.Status("progress"), "2/3");
  EXPECT_EQ(harness.Beats().back().Value("progress"), "2/3");
  harness.Pass(30s);
  EXPECT_FALSE(harness.Beats().back().Says("progress"));
}

TEST(ProgressTest, IsNotLostWhenItsHeartbeatFails) {
  for (const Fault& fault : {kLost, kServerError, kForbidden, kProxyNotFound}) {
    SessionHarness harness;
    harness.Work();
    harness.Pass(5s);
    harness.Progress("1/3");
    harness.faults = {fault};
    harness.Pass(1min);
    EXPECT_EQ(harness.server.Status("progress"), "1/3") << fault.status;
  }
}

TEST(ProgressTest, MadeWhileAHeartbeatIsUnderWayGoesWithTheNext) {
  SessionHarness harness;
  harness.Work();
  harness.latency = 2s;
  harness.PassUntilSent(3);
  harness.Progress("1/3");
  harness.Pass(35s);
  EXPECT_EQ(harness.server.Status("progress"), "1/3");
}

TEST(ProgressTest, MadeBeforeTheClaimIsNotForgotten) {
  SessionHarness harness;
  harness.Progress("0/3");
  harness.Work();
  harness.Pass(2s);
  EXPECT_EQ(harness.server.Status("progress"), "0/3");
}

TEST(ProgressTest, TheLastOneGoesWithTheEnd) {
  SessionHarness harness;
  harness.Work();
  harness.Pass(5s);
  harness.Progress("3/3");
  harness.EndWork(0);
  harness.Pass(1s);
  EXPECT_EQ(harness.server.Status("progress"), "3/3");
}

// ---- heartbeats that mean progress ----

TEST(MeansProgressTest, NoneIsSentWithoutItAndOneWithinAPeriodAfterIt) {
  SessionHarness harness(MeansProgress());
  harness.Work();
  harness.Pass(100s);
  EXPECT_TRUE(harness.Beats().empty());
  harness.Progress("1/3");
  harness.Pass(30s);
  EXPECT_EQ(harness.Beats().size(), 1U);
  harness.Pass(30s);
  EXPECT_EQ(harness.Beats().size(), 1U);
}

TEST(MeansProgressTest, AFailedHeartbeatIsMadeAgainBecauseThereWasProgress) {
  for (const Fault& fault : {kLost, kServerError}) {
    SessionHarness harness(MeansProgress());
    harness.Work();
    harness.Progress("1/3");
    harness.faults = {fault};
    harness.Pass(20s);
    EXPECT_EQ(harness.server.Status("progress"), "1/3");
    EXPECT_EQ(harness.Beats().size(), 2U);
  }
}

TEST(MeansProgressTest, LooksSeeTheFenceAndCancellation) {
  SessionHarness fenced(MeansProgress());
  fenced.Work();
  fenced.Pass(1min);
  fenced.server.Write({{"phase", "Stuck"}});
  fenced.Pass(30s);
  EXPECT_EQ(fenced.Causes(), std::vector{StopCause::kFenced});
  EXPECT_EQ(fenced.Writes().size(), 1U) << "the claim";
  SessionHarness cancelled(MeansProgress());
  cancelled.Work();
  cancelled.Pass(1min);
  cancelled.server.Edit({{"cancelled", true}});
  cancelled.Pass(30s);
  EXPECT_EQ(cancelled.Causes(), std::vector{StopCause::kCancelled});
  SessionHarness gone(MeansProgress());
  gone.Work();
  gone.Pass(1min);
  gone.server.Delete();
  gone.Pass(30s);
  EXPECT_EQ(gone.Causes(), std::vector{StopCause::kFenced});
}

TEST(MeansProgressTest, WithoutItForTheWholeTimeoutTheWorkIsAskedToStop) {
  SessionHarness harness(MeansProgress());
  harness.Work();
  harness.faults = {kServerError};  // of the first look
  harness.Pass(149s);
  EXPECT_TRUE(harness.stops.empty());
  harness.Pass(1s);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  EXPECT_EQ(harness.stops[0].why, "ns/a: no progress was reported for 150 s, its whole timeout");
}

TEST(MeansProgressTest, WhenNothingGetsThroughThatIsWhatIsSaid) {
  SessionHarness harness(MeansProgress());
  harness.Work();
  harness.outage = kLost;
  harness.Pass(150s);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  EXPECT_EQ(harness.stops[0].why, "ns/a: no heartbeat was accepted for 150 s, its whole timeout");
}

TEST(MeansProgressTest, ARefusalThatIsOverIsForgotten) {
  SessionHarness harness(MeansProgress());
  harness.Work();
  harness.Progress("1/3");
  harness.faults = {Fault{.status = 422}, kServerError};  // the heartbeat, and the look after it
  harness.Pass(20s);
  EXPECT_EQ(harness.server.Status("progress"), "1/3");
  ASSERT_EQ(harness.logs.size(), 2U);
  harness.Pass(100s);
  EXPECT_EQ(harness.logs.size(), 2U);
}

}  // namespace
}  // namespace jobrun
