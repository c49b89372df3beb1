// When a run is no longer ours, and what only looks like it.
#include <gtest/gtest.h>

#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

const Fault kRefusedWrite{.status = 422, .body = R"({"kind":"Status","message":"a policy"})"};

class FenceTest : public ::testing::Test {
 protected:
  FenceTest() {
    harness.Work();
    harness.Pass(1min);
  }

  // By the next heartbeat it has noticed, and nothing more is written whatever is asked of it.
  void ExpectFenced(const std::string& why) {
    const std::size_t beats = harness.Beats().size();
    const std::uint64_t version = harness.server.Version();
    harness.Pass(31s);
    ASSERT_EQ(harness.Causes(), std::vector{StopCause::kFenced});
    EXPECT_EQ(harness.stops[0].why, why);
    EXPECT_FALSE(harness.session.Working());
    EXPECT_EQ(harness.session.NextWake(), std::nullopt);
    EXPECT_EQ(harness.Beats().size(), beats + 1);
    const std::size_t sent = harness.sent.size();
    harness.Progress("more");
    harness.session.BeatNow(harness.now);
    EXPECT_TRUE(harness.session.HasBeaten()) << "none is needed any more";
    harness.session.OnWake(harness.now);
    harness.Pass(10min);
    harness.EndWork(0);
    harness.Pass(10min);
    EXPECT_EQ(harness.sent.size(), sent);
    EXPECT_EQ(harness.server.Version(), version);
    EXPECT_EQ(harness.Over().end, SessionEnd::kFenced);
    EXPECT_EQ(harness.Over().text, why);
  }

  SessionHarness harness{};
};

TEST_F(FenceTest, ARunThatIsGone) {
  harness.server.Delete();
  ExpectFenced("ns/a is gone");
  EXPECT_EQ(harness.sent.back().status, 404) << "there is nothing to look at";
}

TEST_F(FenceTest, ARunThatWasGivenUp) {
  harness.server.Write({{"phase", "Stuck"},
                        {"reason", "HeartbeatTimeout"},
                        {"completionTime", "2026-11-22T12:30:00Z"}});
  ExpectFenced("ns/a is Stuck (HeartbeatTimeout) since 2026-11-22T12:30:00Z");
  EXPECT_EQ(harness.Beats().back().status, 422);
  EXPECT_EQ(harness.sent.back().request.method, Method::kGet) << "looks at why";
}

TEST_F(FenceTest, ARunThatAnotherWorkerHas) {
  harness.server.Write({{"claimedBy", "w2"}});
  ExpectFenced("ns/a is claimed by w2 since " + harness.server.Status("claimedAt"));
}

TEST_F(FenceTest, ANewRunOfTheSameNameThatNobodyHas) {
  harness.server.Delete();
  harness.server.Create();
  ExpectFenced("ns/a is another run by now");
  EXPECT_EQ(harness.server.Phase(), "");
}

TEST_F(FenceTest, ANewRunOfTheSameNameThatTheSameWorkerHas) {
  harness.server.Delete();
  harness.server.Create();
  harness.server.Write(
      {{"phase", "Running"}, {"claimedBy", "w1"}, {"claimedAt", "2026-11-22T12:30:00Z"}});
  ExpectFenced("ns/a is another run by now");
  EXPECT_EQ(harness.server.Status("lastHeartbeatAt"), "");
}

// Brought back from a backup, status and all.
TEST_F(FenceTest, ANewRunOfTheSameNameWithTheSameClaim) {
  const RunServer::Object status = harness.server.Run()["status"];
  harness.server.Delete();
  harness.server.Create();
  harness.server.Write(status);
  ExpectFenced("ns/a is another run by now");
}

TEST_F(FenceTest, IsSeenThoughTheLookHasToBeMadeAnew) {
  harness.server.Write({{"phase", "Stuck"}});
  harness.PassUntilSent(harness.sent.size() + 1);
  harness.faults = {kServerError};
  harness.Pass(20s);
  EXPECT_EQ(harness.Causes(), std::vector{StopCause::kFenced});
}

TEST_F(FenceTest, WorkOfAFencedRunThatEndsItselfIsToldSo) {
  harness.server.Write({{"phase", "Failed"}, {"reason", "DeadlineExceeded"}});
  harness.EndWork(0);
  harness.Pass(1s);
  EXPECT_EQ(harness.Over().end, SessionEnd::kFenced);
  EXPECT_EQ(harness.Over().text, "ns/a is Failed (DeadlineExceeded)");
}

TEST_F(FenceTest, ARefusalWhileTheRunIsOursIsNone) {
  harness.outage_of_writes = kRefusedWrite;
  harness.Pass(100s);
  EXPECT_TRUE(harness.stops.empty());
  EXPECT_TRUE(harness.session.Working());
  ASSERT_EQ(harness.logs.size(), 1U);
  EXPECT_EQ(harness.logs[0].fields.back().second, "a policy");
  harness.outage_of_writes.reset();
  harness.Pass(1min);
  EXPECT_EQ(harness.Beats().back().status, 200);
  EXPECT_EQ(harness.logs.size(), 2U);
}

TEST_F(FenceTest, APlain404OfAProxyIsNone) {
  harness.outage = kProxyNotFound;
  harness.Pass(100s);
  EXPECT_TRUE(harness.stops.empty());
  EXPECT_TRUE(harness.session.Working());
}

TEST_F(FenceTest, ARunThatIsBeingDeletedIsStillOurs) {
  harness.server.MarkDeleted();
  harness.Pass(10min);
  EXPECT_TRUE(harness.stops.empty());
  EXPECT_EQ(harness.Beats().back().status, 200);
}

// ---- cancelled ----

TEST_F(FenceTest, CancelledIsToldInTheAnswerToAHeartbeat) {
  harness.server.Edit({{"cancelled", true}});
  harness.Pass(31s);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCancelled});
  EXPECT_EQ(harness.stops[0].why, "ns/a is cancelled");
  const std::size_t beats = harness.Beats().size();
  harness.Pass(90s);
  EXPECT_EQ(harness.stops.size(), 1U) << "once";
  EXPECT_GE(harness.Beats().size(), beats + 3) << "it beats until the work has ended";
  harness.EndWork(143, StopCause::kCancelled);
  harness.Pass(1s);
  EXPECT_EQ(harness.Over().end, SessionEnd::kReported);
  EXPECT_EQ(harness.server.Phase(), "Failed");
  EXPECT_EQ(harness.server.Status("reason"), "Cancelled");
}

TEST_F(FenceTest, AGraverCauseIsToldAfterwards) {
  harness.server.Edit({{"cancelled", true}});
  harness.Pass(31s);
  harness.server.Write({{"phase", "Failed"}, {"reason", "Cancelled"}});
  harness.Pass(31s);
  EXPECT_EQ(harness.Causes(), (std::vector{StopCause::kCancelled, StopCause::kFenced}));
}

}  // namespace
}  // namespace jobrun
