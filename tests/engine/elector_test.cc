// Who leads, since when, and until when, while the API server answers.
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/elector_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// ---- without an election ----

TEST(NoElectionTest, ItAlwaysLeadsAndSendsNothing) {
  ElectorHarness it("me", "");
  EXPECT_TRUE(it.It().Leading());
  it.Pass(1h);
  EXPECT_TRUE(it.It().Leading());
  EXPECT_FALSE(it.It().Expired());
  EXPECT_TRUE(it.Quiet());
  EXPECT_EQ(it.It().NextWake(), std::nullopt);
  it.Release();
  EXPECT_TRUE(it.It().Released());
  EXPECT_TRUE(it.Quiet());
}

// ---- taking it ----

TEST_F(ElectorTest, ItBeginsWithARead) {
  EXPECT_FALSE(it_.It().Leading());
  it_.Wake();
  ExpectRead();
  EXPECT_EQ(it_.Only().deadline, 5s) << "half of the renew deadline";
  EXPECT_FALSE(it_.It().Leading());
}

TEST_F(ElectorTest, ALeaseThatIsNotThereIsCreated) {
  it_.Wake();
  it_.Answer(404);
  ExpectCreate();
  EXPECT_EQ(it_.Only().deadline, 5s);
  EXPECT_EQ(it_.Only().body, R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)"
                             R"("metadata":{"namespace":"ns","name":"jobrun"},)"
                             R"("spec":{"holderIdentity":"me","leaseDurationSeconds":15,)"
                             R"("acquireTime":"2026-11-22T12:00:00.000000Z",)"
                             R"("renewTime":"2026-11-22T12:00:00.000000Z","leaseTransitions":0}})");
  EXPECT_FALSE(it_.It().Leading());
  Accept(201);
  EXPECT_TRUE(it_.It().Leading());
  EXPECT_EQ(it_.It().Holder(), "me");
  EXPECT_EQ(it_.Logged("became the leader"), 1);
}

TEST_F(ElectorTest, AnEmptyHolderIsTakenAtOnce) {
  it_.Wake();
  lease_.holder = "";
  it_.Answer(200, lease_.Json());
  ExpectUpdate();
  EXPECT_TRUE(Writes(R"("leaseTransitions":4)")) << "the holder changes";
  EXPECT_TRUE(Writes(R"("acquireTime":"2026-11-22T12:00:00.000000Z")"));
  Accept();
  EXPECT_TRUE(it_.It().Leading());
}

TEST_F(ElectorTest, OurOwnIdentityIsTakenOverAtOnceByARenewal) {
  lease_.holder = "me";  // an earlier container of this pod
  it_.Wake();
  it_.Answer(200, lease_.Json());
  EXPECT_FALSE(it_.It().Leading()) << "whose renewal it was is not known";
  ExpectUpdate();
  EXPECT_TRUE(Writes(R"("leaseTransitions":3)"));
  EXPECT_TRUE(Writes(R"("acquireTime":"2026-11-22T11:00:00.000000Z")"));
  Accept();
  EXPECT_TRUE(it_.It().Leading());
}

TEST_F(ElectorTest, AnothersIsTakenWhenItWasSeenUnchangedForItsDurationAndNotBefore) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(it_.Quiet());
  EXPECT_EQ(it_.It().Holder(), "other");
  it_.PassAsleep(15s - 1ns);
  it_.Wake();
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(it_.Quiet());
  it_.Pass(5s);
  it_.Answer(200, lease_.Json());
  ExpectUpdate();
  EXPECT_TRUE(Writes(R"("leaseTransitions":4)"));
}

TEST_F(ElectorTest, ExactlyAtItsDurationAnothersIsTaken) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.PassAsleep(15s);
  it_.Wake();
  it_.Answer(200, lease_.Json());
  ExpectUpdate();
}

TEST_F(ElectorTest, TheTimeInTheRecordDoesNotCount) {
  for (const char* renewed : {"2020-01-01T00:00:00.000000Z", "9999-01-01T00:00:00.000000Z"}) {
    ElectorHarness it;
    const ElectionText lease = lease_.Renewed(renewed);
    it.Wake();
    it.Answer(200, lease.Json());
    EXPECT_TRUE(it.Quiet()) << renewed << ": nobody knows yet whether it is renewed";
    it.PassAsleep(15s);
    it.Wake();
    it.Answer(200, lease.Json());
    EXPECT_EQ(it.Only().method, Method::kPatch) << renewed;
  }
}

TEST_F(ElectorTest, ARenewalSeenStartsItsDurationAnew) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.PassAsleep(14s);
  it_.Wake();
  lease_ = lease_.Renewed("2026-11-22T12:00:14.000000Z");
  it_.Answer(200, lease_.Json());
  it_.PassAsleep(15s - 1ns);
  it_.Wake();
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(it_.Quiet());
}

TEST_F(ElectorTest, AnotherVersionOfTheSameRecordIsNoRenewalButTheGuard) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.PassAsleep(15s);
  it_.Wake();
  lease_.version = 70;  // a label
  it_.Answer(200, lease_.Json());
  ExpectUpdate();
}

TEST_F(ElectorTest, ALeaseMadeAnewIsAnotherRecord) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.PassAsleep(15s);
  it_.Wake();
  lease_.uid = 2;
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(it_.Quiet());
}

TEST_F(ElectorTest, ASuspensionOfTheMachineCountsTowardsAnothersDuration) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.Pass(5s);
  it_.Suspend(10s);
  it_.Answer(200, lease_.Json());
  ExpectUpdate();
}

// The duration that counts, in seconds, for a record of another's.
struct Duration {
  const char* recorded;
  int counts;
};
class DurationTest : public testing::TestWithParam<Duration> {};

TEST_P(DurationTest, OfAnothersRecord) {
  ElectionText lease;
  lease.duration = GetParam().recorded;
  for (const Nanos short_of : {1ns, 0ns}) {
    ElectorHarness it;
    it.Wake();
    it.Answer(200, lease.Json());
    it.Pass(5s);  // it reads again
    it.PassAsleep(Seconds(GetParam().counts) - 5s - short_of);
    it.Answer(200, lease.Json());
    EXPECT_EQ(it.Quiet(), short_of != 0ns) << GetParam().recorded;
  }
}

INSTANTIATE_TEST_SUITE_P(Clamped, DurationTest,
                         testing::Values(Duration{"5", 5}, Duration{"3600", 3600},
                                         Duration{"3601", 3600},
                                         Duration{"99999999999999999999", 3600}, Duration{"0", 15},
                                         Duration{"-5", 15}, Duration{"null", 15},
                                         Duration{R"("30")", 15}, Duration{"30", 30}));

TEST_F(ElectorTest, AShortDurationIsOverAtTheNextLook) {
  lease_.duration = "1";
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.Pass(5s);
  it_.Answer(200, lease_.Json());
  ExpectUpdate();
}

// ---- how often ----

TEST_F(ElectorTest, ACandidateWaitsOneRetryAndUpToTwelveTenthsMore) {
  it_.Wake();
  Nanos shortest = 1h;
  Nanos longest = 0ns;
  for (int i = 0; i < 200; ++i) {
    lease_ = lease_.Renewed(FormatMicroTime(it_.ServerNow() + std::chrono::microseconds(i)));
    it_.Answer(200, lease_.Json());
    ASSERT_TRUE(it_.Quiet());
    const Nanos wait = it_.It().NextWake().value() - it_.Time();
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
    it_.Pass(wait - 1ns);
    ASSERT_TRUE(it_.Quiet());
    it_.Pass(1ns);
    ExpectRead();
  }
  EXPECT_GE(shortest, 2s);
  EXPECT_LT(shortest, 2100ms);
  EXPECT_LT(longest, 4400ms);
  EXPECT_GT(longest, 4300ms);
}

TEST_F(ElectorTest, ALeaderRenewsEveryRetryPeriodInTheVersionItLeft) {
  Lead();
  for (int second = 2; second <= 20; second += 2) {
    it_.Pass(2s - 1ns);
    ASSERT_TRUE(it_.Quiet());
    it_.Pass(1ns);
    ExpectUpdate();
    EXPECT_EQ(it_.Only().deadline, 5s);
    EXPECT_TRUE(Writes(R"("acquireTime":"2026-11-22T12:00:00.000000Z")")) << "kept";
    EXPECT_TRUE(Writes(R"("leaseTransitions":0)"));
    Accept();
    EXPECT_TRUE(it_.It().Leading());
  }
  EXPECT_EQ(it_.Logged("became the leader"), 1);
}

// It is by the stamp that others see a renewal, and that we know our own.
TEST_F(ElectorTest, NoTwoWritesAreStampedAlike) {
  it_.Wake();
  it_.Answer(404);
  EXPECT_TRUE(Writes(R"("renewTime":"2026-11-22T12:00:00.000000Z")"));
  it_.Answer(409);
  lease_.holder = "";
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(Writes(R"("renewTime":"2026-11-22T12:00:00.000001Z")")) << "in the same instant";
}

TEST_F(ElectorTest, ALeaderWhoseAnswersAreSlowRenewsWithoutAPause) {
  Lead();
  it_.Pass(2s);
  it_.Pass(4s);
  Accept();
  ExpectUpdate();
}

// ---- until when ----

TEST_F(ElectorTest, ItStepsDownWhenTheRenewDeadlineHasPassedSinceTheSendOfTheLastRenewal) {
  Lead();
  it_.Pass(2s);
  it_.PassAsleep(3s);
  Accept();  // sent at 2 s, answered at 5 s
  it_.PassAsleep(7s - 1ns);
  EXPECT_TRUE(it_.It().Leading());
  it_.PassAsleep(1ns);
  EXPECT_FALSE(it_.It().Leading()) << "though nobody has woken it";
  EXPECT_EQ(it_.Logged("no longer the leader"), 0);
  it_.Wake();
  EXPECT_EQ(it_.Logged("no longer the leader"), 1);
}

TEST_F(ElectorTest, WhatItLastHeldIsExpiredAfterItsWholeDuration) {
  Lead();
  EXPECT_FALSE(it_.It().Expired());
  it_.PassAsleep(15s - 1ns);
  EXPECT_FALSE(it_.It().Leading());
  EXPECT_FALSE(it_.It().Expired());
  it_.PassAsleep(1ns);
  EXPECT_TRUE(it_.It().Expired());
}

TEST_F(ElectorTest, WhoHasNeverLedHasNothingThatExpires) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.PassAsleep(1h);
  EXPECT_FALSE(it_.It().Expired());
}

TEST_F(ElectorTest, ASuspensionOfTheMachineCounts) {
  Lead();
  it_.Suspend(10s - 1ns);
  EXPECT_TRUE(it_.It().Leading());
  it_.Suspend(1ns);
  EXPECT_FALSE(it_.It().Leading());
  it_.Suspend(5s);
  EXPECT_TRUE(it_.It().Expired());
}

TEST_F(ElectorTest, ItAsksToBeWokenForEachEnd) {
  Lead();
  it_.Pass(2s);  // a renewal hangs from now on
  EXPECT_EQ(it_.It().NextWake(), Mono(10s));
  it_.Pass(8s);
  EXPECT_EQ(it_.Logged("no longer the leader"), 1);
  EXPECT_EQ(it_.It().NextWake(), Mono(15s));
  it_.Pass(5s);
  EXPECT_TRUE(it_.It().Expired());
  EXPECT_EQ(it_.It().NextWake(), std::nullopt) << "only the answer can tell";
}

TEST_F(ElectorTest, ARenewalAnsweredAfterItHasSteppedDownMakesItLeadAgain) {
  Lead();
  it_.PassAsleep(9s);
  it_.Wake();
  ExpectUpdate();
  it_.Pass(3s);
  EXPECT_FALSE(it_.It().Leading());
  Accept();
  EXPECT_TRUE(it_.It().Leading());
  it_.PassAsleep(7s - 1ns);
  EXPECT_TRUE(it_.It().Leading());
  it_.PassAsleep(1ns);
  EXPECT_FALSE(it_.It().Leading());
}

TEST_F(ElectorTest, OnceSteppedDownItReadsBeforeItWrites) {
  Lead();
  it_.PassAsleep(10s);
  it_.Wake();
  ExpectRead();
  ElectionText another;
  another.version = 20;
  it_.Answer(200, another.Json());
  EXPECT_FALSE(it_.It().Leading());
  EXPECT_TRUE(it_.It().Expired()) << "another leads: no need to wait for the end";
  EXPECT_TRUE(it_.Quiet());
  EXPECT_EQ(it_.It().Holder(), "other");
  EXPECT_EQ(it_.Logged("another replica leads"), 1);
}

TEST_F(ElectorTest, WhoLeadsIsSaidOncePerChange) {
  it_.Wake();
  for (int i = 0; i < 5; ++i) {
    it_.Answer(200, lease_.Json());
    it_.Pass(5s);
    lease_ = lease_.Renewed(FormatMicroTime(it_.ServerNow()));
  }
  EXPECT_EQ(it_.Logged("another replica leads"), 1);
  lease_.holder = "third";
  it_.Answer(200, lease_.Json());
  EXPECT_EQ(it_.Logged("another replica leads"), 2);
}

}  // namespace
}  // namespace jobrun
