// A run that one Lease beats for, with others of its worker.
#include <gtest/gtest.h>

#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

const RunServer::Object kByLease = {{"heartbeat", {{"source", "Lease"}}}};

struct Leased : SessionHarness {
  Leased() {
    Work(kByLease);
    EXPECT_TRUE(session.BeatsByLease());
    Pass(2s);  // the one heartbeat before the Lease is made
    EXPECT_TRUE(session.HasBeaten());
  }
  // Renews every ten seconds.
  void PassRenewing(Nanos time) {
    for (Nanos past{0}; past < time; past += 10s) {
      session.OnLeaseRenewed(now);
      Pass(10s);
    }
  }
};

TEST(LeaseSourceTest, TheRunSaysItOrElseTheWorker) {
  SessionOptions options = SessionHarness::Options();
  options.source = HeartbeatSource::kLease;
  SessionHarness by_worker(options);
  by_worker.Work();
  EXPECT_TRUE(by_worker.session.BeatsByLease());
  SessionHarness by_run(options);
  by_run.Work({{"heartbeat", {{"source", "Status"}}}});
  EXPECT_FALSE(by_run.session.BeatsByLease());
  options.liveness = Liveness::kProgress;
  SessionHarness by_progress(options);
  by_progress.Work(kByLease);
  EXPECT_FALSE(by_progress.session.BeatsByLease()) << "a Lease tells nothing of progress";
}

TEST(LeaseSourceTest, AfterTheFirstThereAreNoRegularHeartbeatsInTheStatus) {
  Leased harness;
  ASSERT_EQ(harness.Beats().size(), 1U);
  harness.PassRenewing(1h);
  EXPECT_EQ(harness.Beats().size(), 1U);
  EXPECT_TRUE(harness.stops.empty());
  EXPECT_LE(harness.sent.size(), 155U) << "a look in each half of the grace";
  EXPECT_GE(harness.sent.size(), 120U);
}

TEST(LeaseSourceTest, LooksSeeTheFenceAndCancellation) {
  Leased fenced;
  fenced.server.Write({{"phase", "Stuck"}});
  fenced.PassRenewing(30s);
  EXPECT_EQ(fenced.Causes(), std::vector{StopCause::kFenced});
  Leased cancelled;
  cancelled.server.Edit({{"cancelled", true}});
  cancelled.PassRenewing(30s);
  EXPECT_EQ(cancelled.Causes(), std::vector{StopCause::kCancelled});
}

// The controller ends it 60 s after it was cancelled.
TEST(LeaseSourceTest, CancellationIsSeenWithinHalfItsGraceWheneverItComes) {
  for (Nanos after{0}; after < 40s; after += 3s) {
    Leased harness;
    harness.PassRenewing(after);
    harness.server.Edit({{"cancelled", true}});
    const Boot cancelled = harness.now.boot;
    harness.PassRenewing(60s);
    ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCancelled});
    EXPECT_LE(harness.stops[0].at.boot - cancelled, 31s);
  }
}

TEST(LeaseSourceTest, AGraceThatIsMadeShorterCountsFromTheNextLook) {
  Leased harness;
  harness.server.Edit({{"cancelGraceSeconds", 10}});
  harness.PassRenewing(40s);
  harness.server.Edit({{"cancelled", true}});
  const Boot cancelled = harness.now.boot;
  harness.PassRenewing(10s);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCancelled});
  EXPECT_LE(harness.stops[0].at.boot - cancelled, 6s);
}

TEST(LeaseSourceTest, ARenewalPutsTheCutOffForward) {
  Leased harness;
  harness.outage = kLost;
  harness.PassRenewing(10min);
  EXPECT_TRUE(harness.stops.empty());
  const Boot renewed = harness.now.boot - 10s;
  harness.Pass(150s);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  EXPECT_EQ(harness.stops[0].at.boot - renewed, 150s);
}

TEST(LeaseSourceTest, ARenewalFromBeforeTheLastHeartbeatDoesNotPutItBack) {
  Leased harness;
  const Clocks early = harness.now;
  harness.Pass(1min);
  harness.session.OnLeaseRenewed(harness.now);
  const Boot renewed = harness.now.boot;
  harness.session.OnLeaseRenewed(early);
  harness.outage = kLost;
  harness.Pass(5min);
  ASSERT_EQ(harness.stops.size(), 1U);
  EXPECT_EQ(harness.stops[0].at.boot - renewed, 150s);
}

TEST(LeaseSourceTest, AHeartbeatAnsweredAfterALaterRenewalDoesNotPutItBack) {
  Leased harness;
  harness.latency = 8s;
  harness.session.BeatNow(harness.now);
  harness.Pass(5s);
  harness.session.OnLeaseRenewed(harness.now);
  const Boot renewed = harness.now.boot;
  harness.Pass(4s);
  EXPECT_TRUE(harness.session.HasBeaten());
  harness.outage = kLost;
  harness.Pass(5min);
  ASSERT_EQ(harness.stops.size(), 1U);
  EXPECT_EQ(harness.stops[0].at.boot - renewed, 150s);
}

TEST(LeaseSourceTest, ARenewalMeansNothingWhereTheStatusIsBeatenIn) {
  SessionHarness harness;
  harness.Work();
  harness.Pass(5s);
  harness.outage = kLost;
  for (int i = 0; i < 20; ++i) {
    harness.session.OnLeaseRenewed(harness.now);
    harness.Pass(10s);
  }
  EXPECT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
}

// ---- before the Lease is made ----

TEST(LeaseSourceTest, AfterTheClaimItHasNotBeaten) {
  SessionHarness harness;
  harness.Work(kByLease);
  EXPECT_FALSE(harness.session.HasBeaten());
  harness.session.BeatNow(harness.now);
  harness.Pass(20ms);
  EXPECT_TRUE(harness.session.HasBeaten());
  EXPECT_NE(harness.server.Status("lastHeartbeatAt"), "");
}

TEST(LeaseSourceTest, AskedToItBeatsAtOnceAndSaysWhenItHas) {
  Leased harness;
  harness.PassRenewing(10s);
  harness.session.BeatNow(harness.now);
  EXPECT_EQ(harness.Beats().size(), 2U);
  EXPECT_FALSE(harness.session.HasBeaten());
  harness.Pass(20ms);
  EXPECT_TRUE(harness.session.HasBeaten());
}

TEST(LeaseSourceTest, AskedToItBeatsUntilOneGetsThrough) {
  Leased harness;
  harness.outage = kServerError;
  harness.session.BeatNow(harness.now);
  harness.Pass(30s);
  EXPECT_FALSE(harness.session.HasBeaten());
  harness.outage.reset();
  harness.Pass(6s);
  EXPECT_TRUE(harness.session.HasBeaten());
}

TEST(LeaseSourceTest, AskedToDuringALookItBeatsAfterIt) {
  for (const std::optional<Fault>& fault : {std::optional<Fault>{}, std::optional(kServerError)}) {
    Leased harness;
    const std::size_t sent = harness.sent.size();
    harness.PassUntilSent(sent + 1);
    ASSERT_EQ(harness.sent.back().request.method, Method::kGet);
    if (fault) harness.faults = {*fault};
    harness.session.BeatNow(harness.now);
    harness.Pass(6s);
    EXPECT_TRUE(harness.session.HasBeaten());
  }
}

// ---- progress ----

TEST(LeaseSourceTest, ProgressIsStillWrittenWithinAPeriod) {
  Leased harness;
  harness.PassRenewing(1min);
  harness.Progress("1/3");
  harness.PassRenewing(30s);
  EXPECT_EQ(harness.server.Status("progress"), "1/3");
  EXPECT_EQ(harness.Beats().size(), 2U);
}

TEST(LeaseSourceTest, ProgressWithoutEndIsWrittenOnceInAPeriod) {
  Leased harness;
  for (int i = 0; i < 600; ++i) {
    harness.Progress(std::to_string(i));
    harness.session.OnLeaseRenewed(harness.now);
    harness.Pass(1s);
  }
  EXPECT_GE(harness.Beats().size(), 20U);
  EXPECT_LE(harness.Beats().size(), 27U);
}

TEST(LeaseSourceTest, ProgressMadeWhileARequestIsUnderWayIsToo) {
  Leased harness;
  harness.latency = 4s;
  harness.PassUntilSent(harness.sent.size() + 1);
  ASSERT_EQ(harness.sent.back().request.method, Method::kGet);
  harness.Progress("1/3");
  harness.PassRenewing(40s);
  EXPECT_EQ(harness.server.Status("progress"), "1/3");
}

}  // namespace
}  // namespace jobrun
