// The end: the Lease is given up, so that another need not wait for it to pass.
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/elector_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class ReleaseTest : public ElectorTest {
 protected:
  // As client-go leaves it behind.
  void ExpectGivenUp() {
    ExpectUpdate();
    EXPECT_TRUE(Writes(R"("holderIdentity":"","leaseDurationSeconds":1,)")) << it_.Only().body;
  }
};

TEST_F(ReleaseTest, ALeaderGivesItsLeaseUp) {
  Lead();
  it_.Pass(1s);
  it_.Release();
  EXPECT_FALSE(it_.It().Leading());
  EXPECT_FALSE(it_.It().Released());
  ExpectGivenUp();
  EXPECT_TRUE(Writes(R"("acquireTime":"2026-11-22T12:00:00.99)")) << it_.Only().body;
  EXPECT_TRUE(Writes(R"("leaseTransitions":0)")) << "as it was";
  EXPECT_LE(it_.Only().deadline, 3s);
  Accept();
  EXPECT_TRUE(it_.It().Released());
  EXPECT_FALSE(it_.It().Expired()) << "it was not lost";
  it_.Pass(1min);
  EXPECT_TRUE(it_.Quiet()) << "it does not run again";
  EXPECT_EQ(it_.It().NextWake(), std::nullopt);
}

TEST_F(ReleaseTest, AStandbyHasNothingToGiveUp) {
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.Release();
  EXPECT_TRUE(it_.It().Released());
  EXPECT_TRUE(it_.Quiet());
}

TEST_F(ReleaseTest, AStandbyDoesNotWaitForItsRead) {
  it_.Wake();
  it_.Release();
  EXPECT_TRUE(it_.It().Released());
  lease_.holder = "";
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(it_.Quiet()) << "it is not taken either";
}

TEST_F(ReleaseTest, ARenewalUnderWayIsWaitedFor) {
  Lead();
  it_.Pass(2s);
  it_.Release();
  EXPECT_FALSE(it_.It().Released());
  Accept();
  ExpectGivenUp();
  Accept();
  EXPECT_TRUE(it_.It().Released());
}

TEST_F(ReleaseTest, ATakingOverUnderWayIsGivenUpAgain) {
  it_.Wake();
  it_.Answer(404);
  it_.Release();
  EXPECT_FALSE(it_.It().Released());
  Accept(201);
  EXPECT_FALSE(it_.It().Leading());
  ExpectGivenUp();
}

TEST_F(ReleaseTest, AfterALostAnswerItLooksWhetherItIsStillItsOwn) {
  Lead();
  const std::string ours = lease_.Written({.body = R"("spec":{"holderIdentity":"me"}})"});
  it_.Release();
  it_.Answer(0);
  ExpectRead();
  it_.Answer(200, ours);
  ExpectGivenUp();
  it_.Answer(409);
  ExpectRead();
  it_.Answer(200, ElectionText{}.Json());
  EXPECT_TRUE(it_.It().Released());
  EXPECT_TRUE(it_.Quiet());
}

TEST_F(ReleaseTest, AWriteOfUnknownOutcomeIsLookedAtFirst) {
  it_.Wake();
  it_.Answer(404);
  const std::string written = lease_.Written(it_.Only());
  it_.Answer(503);
  it_.Release();
  ExpectRead();
  it_.Answer(200, written);
  ExpectGivenUp();
}

TEST_F(ReleaseTest, ItDoesNotWaitLongForAnAnswer) {
  Lead();
  it_.Release();
  it_.PassAsleep(3s - 1ns);
  EXPECT_FALSE(it_.It().Released());
  EXPECT_EQ(it_.It().NextWake(), it_.Time() + 1ns);
  it_.PassAsleep(1ns);
  EXPECT_TRUE(it_.It().Released());
  it_.Answer(0);
  EXPECT_TRUE(it_.Quiet());
}

TEST_F(ReleaseTest, ARefusalEndsItToo) {
  Lead();
  it_.Release();
  it_.Answer(403);
  EXPECT_TRUE(it_.It().Released());
}

TEST_F(ReleaseTest, ALeaseThatIsGoneNeedsNoGivingUp) {
  Lead();
  it_.Release();
  it_.Answer(404);
  EXPECT_TRUE(it_.It().Released());
}

TEST_F(ReleaseTest, OneThatHasPassedButNamesUsIsGivenUpToo) {
  Lead();
  it_.PassAsleep(20s);
  it_.Release();
  ExpectGivenUp();
}

}  // namespace
}  // namespace jobrun
