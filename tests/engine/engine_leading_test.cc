// Only the holder of the Lease writes; who stands by knows as much.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/canary_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LeadingTest : public CanaryFixture {
 protected:
  LeadingTest() {
    EngineOptions options = Options();
    options.replica.lease = "jobrun-controller";
    engine_.Restart(options);
    engine_.Pass(0s);
    BeginToSee();
    engine_.Sync({});
  }

  // The defaults.
  static constexpr Nanos kRenewDeadline = 10s;
  static constexpr Nanos kRetryPeriod = 2s;

  [[nodiscard]] static bool IsOfLease(const Request& request) {
    return request.target.find("/leases") != std::string::npos;
  }
  [[nodiscard]] std::vector<Request> OfLease() const {
    std::vector<Request> found = Others();
    std::erase_if(found, [](const Request& request) { return !IsOfLease(request); });
    return found;
  }
  [[nodiscard]] std::vector<Request> Writes() const {
    std::vector<Request> found = Others();
    std::erase_if(found, IsOfLease);
    return found;
  }

  static std::string LeaseHeldBy(const std::string& holder, int renewal) {
    return R"({"metadata":{"name":"jobrun-controller","uid":"0b5b2f9a-0000-4000-8000-000000000009",)"
           R"("resourceVersion":")" +
           std::to_string(renewal) + R"("},"spec":{"holderIdentity":")" + holder +
           R"(","leaseDurationSeconds":15,"leaseTransitions":0,)"
           R"("acquireTime":"2026-11-22T12:00:00.000000Z","renewTime":"2026-11-22T12:00:0)" +
           std::to_string(renewal % 10) + R"(.000000Z"}})";
  }

  // Lets the server take what was written to the Lease.
  void LeaseIsTaken() {
    for (const Request& request : OfLease()) {
      if (request.method == Method::kGet) {
        engine_.AnswerTo(request.id, 404, "{}");
        return LeaseIsTaken();
      }
      engine_.AnswerTo(request.id, 200, LeaseHeldBy("r1", ++renewals_));
    }
  }
  void LeaseIsAnothers() {
    for (const Request& request : OfLease()) {
      engine_.AnswerTo(request.id, 200, LeaseHeldBy("r2", ++renewals_));
    }
  }

  // Beats are seen, and the Lease is renewed by us or by another.
  void PassLeading(Nanos time) {
    Each(time, [this] { LeaseIsTaken(); });
  }
  void PassStandingBy(Nanos time) {
    Each(time, [this] { LeaseIsAnothers(); });
  }
  template <class Then>
  void Each(Nanos time, Then then) {
    const Mono until = engine_.Time() + time;
    while (engine_.Time() < until) {
      engine_.Pass(std::min<Nanos>(1s, until - engine_.Time()));
      if (!Canaries().empty()) BeatIsSeen();
      then();
    }
  }

  static RunText Judged(const std::string& name) {
    return RunText(name)
        .Spec(R"("heartbeat":{"intervalSeconds":5,"timeoutSeconds":20})")
        .Claimed("2026-11-22T11:59:59Z")
        .Beat(1)
        .Version(10);
  }
  [[nodiscard]] bool Leads() { return engine_.Scrape().leading; }

  int renewals_{0};
};

TEST_F(LeadingTest, LeadsOnceItHasTheLease) {
  EXPECT_FALSE(Leads());
  LeaseIsTaken();
  EXPECT_TRUE(Leads());
}

TEST_F(LeadingTest, WhoStandsByWritesNothing) {
  PassStandingBy(70s);
  engine_.Watch(Judged("a"), "ADDED");
  engine_.Watch(RunText("b").Claimed().Phase("Failed").Retry("").Version(11), "ADDED");
  PassStandingBy(60s);
  EXPECT_FALSE(Leads());
  EXPECT_THAT(Writes(), IsEmpty());
  EXPECT_EQ(engine_.Scrape().queued, 0U);
}

TEST_F(LeadingTest, AndReapsAtOnceWhenItComesToLead) {
  PassStandingBy(70s);
  engine_.Watch(Judged("a"), "ADDED");
  PassStandingBy(60s);
  ASSERT_THAT(Writes(), IsEmpty());
  // The other has gone: its Lease passes unrenewed.
  Nanos waited{};
  while (!Leads()) {
    ASSERT_LT(waited += 1s, 30s);
    Each(1s, [this] {
      for (const Request& request : OfLease()) {
        const bool reads = request.method == Method::kGet;
        engine_.AnswerTo(request.id, 200,
                         reads ? LeaseHeldBy("r2", renewals_) : LeaseHeldBy("r1", ++renewals_));
      }
    });
  }
  EXPECT_THAT(Writes(), SizeIs(1)) << "its silence was measured all the time";
}

TEST_F(LeadingTest, WithoutRenewalItStepsDownBeforeTheLeaseEnds) {
  LeaseIsTaken();
  PassLeading(70s);
  engine_.Watch(Judged("a"), "ADDED");
  PassLeading(8s);
  Each(11s, [] {});  // the Lease can't be renewed any more
  EXPECT_FALSE(Leads());
  Each(20s, [] {});
  EXPECT_THAT(Writes(), IsEmpty());
  EXPECT_FALSE(engine_.Exited()) << "nothing was under way: it stands by, and knows all it knew";
}

TEST_F(LeadingTest, WithAWriteUnderWayItEndsWhenTheLeaseDoes) {
  LeaseIsTaken();
  PassLeading(70s);
  engine_.Watch(Judged("a"), "ADDED");
  PassLeading(20s);
  ASSERT_THAT(Writes(), SizeIs(1));
  Each(12s, [] {});
  EXPECT_FALSE(engine_.Exited());
  Each(5s, [] {});
  EXPECT_EQ(engine_.ExitedFor(), ExitCause::kLeaseLost);
}

TEST_F(LeadingTest, OneThatHungWritesNothingAfterwards) {
  LeaseIsTaken();
  PassLeading(70s);
  engine_.Watch(Judged("a"), "ADDED");
  PassLeading(15s);
  engine_.Hang(60s);
  EXPECT_FALSE(Leads());
  EXPECT_THAT(Writes(), IsEmpty());
}

TEST_F(LeadingTest, AnAnswerThatComesAfterTheEndLeadsToNoWrite) {
  LeaseIsTaken();
  PassLeading(70s);
  const RunText run = Judged("a").Conditions(R"({"type":"Uploaded","status":"True"})");
  engine_.Watch(run, "ADDED");
  PassLeading(20s);
  ASSERT_THAT(Writes(), SizeIs(1));
  const Request read = Writes()[0];
  ASSERT_EQ(read.method, Method::kGet) << "the conditions of others are read first";
  // No renewal is answered any more; the last one was sent a period before the one that comes next.
  LeaseIsTaken();
  while (OfLease().empty()) engine_.Pass(1ms);
  Each(kRenewDeadline - kRetryPeriod - 50ms, [] {});
  ASSERT_TRUE(Leads());
  // Too short to count as a pause of our own, which would hold the verdict as well.
  engine_.Freeze(100ms);
  engine_.AnswerTo(read.id, 200, run.Json());
  EXPECT_THAT(Writes(), IsEmpty());
  EXPECT_FALSE(Leads());
}

TEST_F(LeadingTest, GivesTheLeaseUpOnceItsWritesAreAnswered) {
  LeaseIsTaken();
  PassLeading(70s);
  engine_.Watch(Judged("a"), "ADDED");
  PassLeading(20s);
  ASSERT_THAT(Writes(), SizeIs(1));
  LeaseIsTaken();
  engine_.Give(StopAsked{});
  EXPECT_THAT(OfLease(), IsEmpty()) << "another must not lead yet";
  engine_.AnswerTo(Writes()[0].id, 409);
  ASSERT_THAT(OfLease(), SizeIs(1));
  EXPECT_THAT(OfLease()[0].body, HasSubstr(R"("holderIdentity":"")"));
  EXPECT_FALSE(engine_.Exited());
  engine_.AnswerTo(OfLease()[0].id, 200, LeaseHeldBy("", ++renewals_));
  EXPECT_EQ(engine_.ExitedFor(), ExitCause::kStopped);
}

TEST_F(LeadingTest, DoesNotWaitForEverToGiveItUp) {
  LeaseIsTaken();
  PassLeading(5s);
  engine_.Give(StopAsked{});
  EXPECT_FALSE(engine_.Exited());
  engine_.Pass(10s);
  EXPECT_EQ(engine_.ExitedFor(), ExitCause::kStopped);
}

TEST_F(LeadingTest, AStandbyTellsOfNoDispute) {
  PassStandingBy(5s);
  RunText run = Judged("a").Phase("Stuck");
  engine_.Watch(run, "ADDED");
  run.late_heartbeat = "2026-11-22T12:00:09Z";
  engine_.Watch(run.Version(11));
  EXPECT_EQ(engine_.Counted(Metric::kDisputed), 0);
}

TEST_F(LeadingTest, WhileItStopsTheLeaseMayEndToo) {
  LeaseIsTaken();
  PassLeading(70s);
  engine_.Watch(Judged("a"), "ADDED");
  PassLeading(20s);
  ASSERT_THAT(Writes(), SizeIs(1));
  engine_.Give(StopAsked{});
  engine_.Pass(10s);
  EXPECT_FALSE(engine_.Exited());
  engine_.Pass(6s);
  EXPECT_EQ(engine_.ExitedFor(), ExitCause::kLeaseLost);
}

}  // namespace
}  // namespace jobrun
