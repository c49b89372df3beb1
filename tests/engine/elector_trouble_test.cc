// What the Elector makes of conflicts, lost answers, refusals, and a Lease that others have
// touched.
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/elector_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// ---- conflicts ----

TEST_F(ElectorTest, WhoLosesTheRaceToCreateLooksWhoHasWon) {
  it_.Wake();
  it_.Answer(404);
  it_.Answer(409);
  ExpectRead();
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(it_.Quiet());
  EXPECT_FALSE(it_.It().Leading());
  EXPECT_EQ(it_.It().Holder(), "other");
  EXPECT_TRUE(it_.It().Problem().empty());
}

TEST_F(ElectorTest, WhoLosesTheRaceForAnEmptyLeaseLooksWhoHasWon) {
  lease_.holder = "";
  it_.Wake();
  it_.Answer(200, lease_.Json());
  it_.Answer(409);
  ExpectRead();
  it_.Answer(200, ElectionText{.version = 8}.Json());
  EXPECT_TRUE(it_.Quiet());
  EXPECT_FALSE(it_.It().Leading());
}

TEST_F(ElectorTest, ALeaderWhoseLeaseGotALabelRenewsItInTheNewVersion) {
  Lead();
  const std::string record = lease_.Written({.body = R"("spec":{"holderIdentity":"me"}})"});
  it_.Pass(2s);
  it_.Answer(409);
  ExpectRead();
  EXPECT_TRUE(it_.It().Leading()) << "what it had is valid to its end";
  it_.Answer(200, record);
  ExpectUpdate();
  Accept();
  EXPECT_TRUE(it_.It().Leading());
}

TEST_F(ElectorTest, AnothersIdentityEndsItAtOnce) {
  Lead();
  it_.Pass(2s);
  it_.Answer(409);
  it_.Answer(200, ElectionText{.version = 30}.Json());
  EXPECT_FALSE(it_.It().Leading());
  EXPECT_TRUE(it_.It().Expired());
  EXPECT_TRUE(it_.Quiet());
  EXPECT_EQ(it_.Logged("no longer the leader"), 1);
  EXPECT_EQ(it_.Logged("another replica leads"), 1);
}

TEST_F(ElectorTest, ALeaseThatSomebodyWritesToAllTheTimeIsNotFoughtOverWithoutAPause) {
  lease_.holder = "";
  it_.Wake();
  int sent = 0;
  while (!it_.Quiet() && ++sent < 100) {
    const bool is_read = it_.Only().method == Method::kGet;
    ++lease_.version;
    it_.Answer(is_read ? 200 : 409, is_read ? lease_.Json() : "");
  }
  EXPECT_EQ(sent, 4);
  EXPECT_GE(it_.It().NextWake(), it_.Time() + 2s);
  EXPECT_FALSE(it_.It().Problem().empty());
}

// ---- lost answers ----

TEST_F(ElectorTest, ARenewalWhoseAnswerWasLostCountsFromItsSend) {
  Lead();
  it_.Pass(2s);
  it_.PassAsleep(5s);
  const std::string written = AcceptUnheard();
  ExpectRead();
  it_.Answer(200, written);
  it_.PassAsleep(5s - 1ns);
  EXPECT_TRUE(it_.It().Leading());
  it_.PassAsleep(1ns);
  EXPECT_FALSE(it_.It().Leading()) << "sent at 2 s";
}

TEST_F(ElectorTest, ItCountsAlsoWhenTheFirstLookFails) {
  Lead();
  it_.Pass(2s);
  it_.PassAsleep(1s);
  const std::string written = AcceptUnheard();
  it_.Answer(500);
  EXPECT_TRUE(it_.Quiet());
  it_.Pass(1s);
  ExpectRead();
  it_.Answer(200, written);
  it_.PassAsleep(8s - 1ns);
  EXPECT_TRUE(it_.It().Leading()) << "sent at 2 s";
  it_.PassAsleep(1ns);
  EXPECT_FALSE(it_.It().Leading());
}

TEST_F(ElectorTest, ARenewalThatWasNotCarriedOutIsMadeAnew) {
  Lead();
  const std::string before = lease_.Written(
      {.body = R"("spec":{"holderIdentity":"me","renewTime":"2026-11-22T12:00:00.000000Z"}})"});
  it_.Pass(2s);
  it_.PassAsleep(5s);
  it_.Answer(0);
  it_.Answer(200, before);
  ExpectUpdate();
  it_.PassAsleep(3s);
  EXPECT_FALSE(it_.It().Leading()) << "since 0 s";
}

TEST_F(ElectorTest, TheTakingOverWhoseAnswerWasLostCountsFromItsSend) {
  it_.Wake();
  it_.Answer(404);
  it_.PassAsleep(3s);
  const std::string written = AcceptUnheard();
  ExpectRead();
  EXPECT_FALSE(it_.It().Leading());
  it_.Answer(200, written);
  EXPECT_TRUE(it_.It().Leading());
  it_.PassAsleep(7s);
  EXPECT_FALSE(it_.It().Leading());
}

TEST_F(ElectorTest, AnAnswerThatCanNotBeReadIsNoProof) {
  it_.Wake();
  it_.Answer(404);
  it_.Answer(201, "<html>");
  EXPECT_FALSE(it_.It().Leading());
  ExpectRead();
}

TEST_F(ElectorTest, AfterAFaultOfTheServerItLooksBeforeItWrites) {
  Lead();
  it_.Pass(2s);
  it_.Answer(504);
  EXPECT_TRUE(it_.Quiet());
  it_.Pass(2s);
  ExpectRead();
  EXPECT_TRUE(it_.It().Leading());
}

// ---- refusals ----

struct Refusal {
  int status;
  const char* body;
  const char* problem;
};
class RefusedTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedTest, IsToldAndTriedAgain) {
  ElectorHarness it;
  it.Wake();
  it.Answer(GetParam().status, GetParam().body);
  EXPECT_FALSE(it.It().Leading());
  EXPECT_EQ(it.It().Problem(),
            "can't read the Lease ns/jobrun: " + std::string(GetParam().problem));
  EXPECT_TRUE(it.Quiet());
  it.Pass(2s - 1ns);
  EXPECT_TRUE(it.Quiet());
  it.Pass(3s);
  it.Answer(200, ElectionText{}.Json());
  EXPECT_TRUE(it.It().Problem().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Statuses, RefusedTest,
    testing::Values(
        Refusal{0, "", "no answer"}, Refusal{401, "", "HTTP 401"},
        Refusal{403, R"({"kind":"Status","code":403,"message":"no"})",
                "no; leader election needs get, create and patch on leases.coordination.k8s.io"},
        Refusal{429, "", "HTTP 429"}, Refusal{500, "", "HTTP 500"}, Refusal{503, "", "HTTP 503"}));

TEST_F(ElectorTest, AMissingRightToWriteIsTold) {
  it_.Wake();
  it_.Answer(404);
  it_.Answer(403);
  EXPECT_TRUE(it_.It().Problem().starts_with("can't create the Lease ns/jobrun: HTTP 403"));
  it_.Pass(5s);
  it_.Answer(404);
  EXPECT_FALSE(it_.It().Problem().empty()) << "reading it was never the trouble";
  Accept(201);
  EXPECT_TRUE(it_.It().Problem().empty());
}

TEST_F(ElectorTest, AProblemIsLoggedOnceAMinute) {
  it_.Wake();
  while (it_.Time() < Mono(59s)) {
    it_.Answer(403);
    it_.Pass(5s);
  }
  EXPECT_EQ(it_.Log().size(), 1U);
  it_.Answer(403);
  EXPECT_EQ(it_.Log().size(), 2U);
}

TEST_F(ElectorTest, AThrottledCandidateWaitsAsLongAsItIsTold) {
  it_.Wake();
  it_.Answer(429, "", 20s);
  it_.Pass(20s - 1ns);
  EXPECT_TRUE(it_.Quiet());
  it_.Pass(1ns);
  ExpectRead();
}

TEST_F(ElectorTest, ALeaderThatIsRefusedLeadsToTheEndOfWhatItHad) {
  Lead();
  for (int tries = 0; tries < 4; ++tries) {
    it_.Pass(2s);
    it_.Answer(403);
    EXPECT_TRUE(it_.It().Leading());
  }
  it_.Pass(2s);
  EXPECT_FALSE(it_.It().Leading());
  EXPECT_FALSE(it_.It().Expired());
  EXPECT_TRUE(it_.It().Problem().starts_with("can't renew the Lease ns/jobrun"));
}

// A request that hangs leaves time for another within the renew deadline.
TEST_F(ElectorTest, OneHangingRenewalDoesNotCostTheLead) {
  Lead();
  it_.Pass(2s);
  it_.Pass(it_.Only().deadline);
  it_.Answer(0);
  EXPECT_TRUE(it_.It().Leading());
  ExpectRead();
  it_.Answer(200, lease_.Written({.body = R"("spec":{"holderIdentity":"me"}})"}));
  ExpectUpdate();
  Accept();
  it_.PassAsleep(10s - 1ns);
  EXPECT_TRUE(it_.It().Leading());
}

// ---- a Lease that others have touched ----

TEST_F(ElectorTest, ALeaseDeletedUnderALeaderIsCreatedAtTheNextRenewal) {
  Lead();
  it_.Pass(2s);
  it_.Answer(404);
  EXPECT_TRUE(it_.It().Leading()) << "what it had is valid to its end";
  ExpectCreate();
  it_.PassAsleep(8s - 1ns);
  EXPECT_TRUE(it_.It().Leading());
  it_.PassAsleep(1ns);
  EXPECT_FALSE(it_.It().Leading());
  Accept(201);
  EXPECT_TRUE(it_.It().Leading());
}

TEST_F(ElectorTest, AnotherThatMadeItAnewEndsTheLead) {
  Lead();
  it_.Pass(2s);
  it_.Answer(404);
  it_.Answer(409);
  it_.Answer(200, ElectionText{.uid = 9}.Json());
  EXPECT_FALSE(it_.It().Leading());
  EXPECT_TRUE(it_.Quiet());
}

TEST_F(ElectorTest, ALeaseEmptiedUnderALeaderIsTakenAgain) {
  Lead();
  it_.Pass(2s);
  it_.Answer(409);
  lease_.holder = "";
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(it_.It().Leading());
  ExpectUpdate();
  EXPECT_TRUE(Writes(R"("leaseTransitions":4)"));
  Accept();
  EXPECT_TRUE(it_.It().Leading());
}

TEST_F(ElectorTest, ALeaseWithoutASpecIsTakenAndMadeWhole) {
  it_.Wake();
  it_.Answer(200, R"({"metadata":{"resourceVersion":"7"}})");
  ExpectUpdate();
  EXPECT_TRUE(Writes(R"("leaseTransitions":1)"));
  EXPECT_TRUE(Writes(R"("leaseDurationSeconds":15)"));
}

TEST_F(ElectorTest, WhatIsNotFitToBeWrittenBackIsReplaced) {
  lease_.holder = "me";
  lease_.acquired = "yesterday";
  for (const auto& [stands, written] : {std::pair("-7", "0"), std::pair("2147483647", "2147483647"),
                                        std::pair("99999999999", "2147483647")}) {
    lease_.transitions = stands;
    ElectorHarness it;
    it.Wake();
    it.Answer(200, lease_.Json());
    const std::string& body = it.Only().body;
    EXPECT_NE(body.find(R"("leaseTransitions":)" + std::string(written) + "}"), std::string::npos)
        << body;
    EXPECT_NE(body.find(R"("acquireTime":"2026-11-22T12)"), std::string::npos) << body;
  }
}

TEST_F(ElectorTest, TheLastTransitionThatCanBeCountedStays) {
  lease_.holder = "";
  lease_.transitions = "2147483647";
  it_.Wake();
  it_.Answer(200, lease_.Json());
  EXPECT_TRUE(Writes(R"("leaseTransitions":2147483647})"));
}

TEST_F(ElectorTest, WhatIsNoLeaseIsAProblem) {
  it_.Wake();
  it_.Answer(200, "[]");
  EXPECT_FALSE(it_.It().Problem().empty());
  EXPECT_TRUE(it_.Quiet());
  it_.Pass(5s);
  ExpectRead();
}

TEST_F(ElectorTest, WithoutTheServersClockNothingIsWritten) {
  it_.Wake();
  const RequestId id = it_.TakeRequests().at(0).id;
  it_.Give({.id = id, .status = 404});
  EXPECT_TRUE(it_.Quiet());
  EXPECT_FALSE(it_.It().Problem().empty());
  it_.Pass(5s);
  ExpectRead();
}

}  // namespace
}  // namespace jobrun
