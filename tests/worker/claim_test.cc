// How a session comes by its run, and why it does not.
#include <gtest/gtest.h>

#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// How a claim ends that does not succeed.
SessionOver Refused(SessionHarness& harness) {
  harness.session.Start(harness.now);
  harness.Pass(5min);
  EXPECT_FALSE(harness.claimed);
  EXPECT_EQ(harness.session.NextWake(), std::nullopt);
  return harness.Over();
}
void FromWatch(SessionHarness& harness) {
  harness.session.Start(*ParseUid(harness.server.UidText()), harness.server.Version(), harness.now);
}
void ClaimBy(SessionHarness& harness, const std::string& worker) {
  harness.server.Write(
      {{"phase", "Running"}, {"claimedBy", worker}, {"claimedAt", "2026-11-22T11:00:00.000000Z"}});
}

TEST(ClaimTest, IsOneGuardedWriteWithPhaseTimeWorkerAndPlace) {
  SessionOptions options = SessionHarness::Options();
  options.executor = {.pod_name = "p", .pod_uid = "u", .node_name = "n"};
  SessionHarness harness(options);
  harness.Work({{"lane", "etl"}, {"attempt", 2}, {"payload", {{"a", 1}}}});
  ASSERT_EQ(harness.Writes().size(), 1U);
  EXPECT_NE(harness.Writes()[0].request.body.find(R"("resourceVersion":"101")"), std::string::npos);
  EXPECT_EQ(harness.server.Phase(), "Running");
  EXPECT_EQ(harness.server.Status("claimedBy"), "w1");
  EXPECT_EQ(harness.server.Status("executor"), R"({"nodeName":"n","podName":"p","podUID":"u"})");
  EXPECT_EQ(harness.claimed->lane, "etl");
  EXPECT_EQ(harness.claimed->attempt, 2U);
  EXPECT_EQ(harness.claimed->payload_json, R"({"a":1})");
}

TEST(ClaimTest, ALostReadIsSentAgain) {
  SessionHarness harness;
  harness.server.Create();
  harness.faults = {kLost};
  harness.session.Start(harness.now);
  harness.Pass(6500ms);
  EXPECT_TRUE(harness.session.Working());
}

TEST(ClaimTest, ALostAnswerToTheWriteIsFoundOutWithoutASecondWrite) {
  SessionHarness harness;
  harness.server.Create();
  harness.session.Start(harness.now);
  harness.faults = {kAnswerLost};
  harness.Pass(6500ms);
  EXPECT_TRUE(harness.session.Working());
  EXPECT_EQ(harness.Writes().size() - harness.Beats().size(), 1U);
}

TEST(ClaimTest, ALostWriteIsSentAgainWithTheSameTime) {
  SessionHarness harness;
  harness.server.Create();
  harness.session.Start(harness.now);
  harness.faults = {kLost};
  harness.Pass(6500ms);
  EXPECT_TRUE(harness.session.Working());
  ASSERT_GE(harness.Writes().size(), 2U);
  EXPECT_EQ(harness.Writes()[0].request.body, harness.Writes()[1].request.body);
}

// Else the work would go on for as long after its timeout as the answer took to find out.
TEST(ClaimTest, WhoseAnswerWasLostCountsFromWhenItWasSent) {
  SessionHarness harness;
  harness.server.Create({{"heartbeat", {{"intervalSeconds", 10}, {"timeoutSeconds", 30}}}});
  harness.session.Start(harness.now);
  harness.faults = {kAnswerLost};
  harness.PassUntilSent(2);
  const Boot claim = harness.sent[1].at.boot;
  harness.outage_of_writes = kLost;
  harness.PassUntilSent(3);
  harness.Pass(10ms);
  ASSERT_TRUE(harness.session.Working());
  EXPECT_EQ(harness.Beats().size(), 1U) << "it was due already";
  harness.Pass(1min);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  EXPECT_EQ(harness.stops[0].at.boot - claim, 30s);
}

TEST(ClaimTest, AConflictWithAnotherWriteIsReadAndTriedAgainAtOnce) {
  SessionHarness harness;
  harness.server.Create();
  harness.session.Start(harness.now);
  harness.PassUntilSent(2);
  harness.server.Edit({{"deadlineSeconds", 60}});
  harness.Pass(100ms);
  EXPECT_TRUE(harness.session.Working());
  EXPECT_EQ(harness.sent.size(), 4U);
}

TEST(ClaimTest, ConflictsWithoutEndAreTriedOnceASecondUntilItIsTooMuch) {
  SessionHarness harness;
  harness.server.Create();
  harness.outage_of_writes = Fault{.status = 409, .body = R"({"kind":"Status","message":"no"})"};
  const SessionOver over = Refused(harness);
  EXPECT_EQ(over.end, SessionEnd::kUnreachable);
  EXPECT_EQ(over.text, "ns/a: no");
  EXPECT_GE(harness.Writes().size(), 20U);
  EXPECT_LE(harness.Writes().size(), 32U);
}

TEST(ClaimTest, OfARunThatAnotherHasSaysByWhomAndSinceWhen) {
  SessionHarness harness;
  harness.server.Create();
  ClaimBy(harness, "w2");
  const SessionOver over = Refused(harness);
  EXPECT_EQ(over.end, SessionEnd::kTaken);
  EXPECT_EQ(over.text, "ns/a is claimed by w2 since 2026-11-22T11:00:00.000000Z");
  EXPECT_EQ(harness.sent.size(), 1U);
}

TEST(ClaimTest, OfARunThatAnotherProcessOfTheSameNameHasIsRefused) {
  SessionHarness harness;
  harness.server.Create();
  ClaimBy(harness, "w1");
  EXPECT_EQ(Refused(harness).end, SessionEnd::kTaken);
}

TEST(ClaimTest, ThatIsLostToAFasterWorkerSaysToWhom) {
  SessionHarness harness;
  harness.server.Create();
  harness.session.Start(harness.now);
  harness.PassUntilSent(2);
  ClaimBy(harness, "w2");
  harness.Pass(1s);
  EXPECT_EQ(harness.Over().end, SessionEnd::kTaken);
  EXPECT_EQ(harness.Over().text, "ns/a is claimed by w2 since 2026-11-22T11:00:00.000000Z");
}

TEST(ClaimTest, OfARunThatIsOverSaysHowAndSinceWhen) {
  SessionHarness harness;
  harness.server.Create();
  ClaimBy(harness, "w2");
  harness.server.Write({{"phase", "Stuck"},
                        {"reason", "HeartbeatTimeout"},
                        {"completionTime", "2026-11-22T11:59:00Z"}});
  const SessionOver over = Refused(harness);
  EXPECT_EQ(over.end, SessionEnd::kTerminal);
  EXPECT_EQ(over.text, "ns/a is Stuck (HeartbeatTimeout) since 2026-11-22T11:59:00Z");
}

TEST(ClaimTest, OfARunThatIsBeingDeletedIsNotTried) {
  SessionHarness harness;
  harness.server.Create();
  harness.server.MarkDeleted();
  const SessionOver over = Refused(harness);
  EXPECT_EQ(over.end, SessionEnd::kTerminal);
  EXPECT_EQ(over.text, "ns/a is being deleted");
  EXPECT_TRUE(harness.Writes().empty());
}

TEST(ClaimTest, OfACancelledRunIsNotTried) {
  SessionHarness harness;
  harness.server.Create({{"cancelled", true}});
  const SessionOver over = Refused(harness);
  EXPECT_EQ(over.end, SessionEnd::kTerminal);
  EXPECT_EQ(over.text, "ns/a is cancelled");
  EXPECT_TRUE(harness.Writes().empty());
}

TEST(ClaimTest, OfARunAssignedToAnotherIsNotTriedAndOfOnesOwnIs) {
  SessionHarness another;
  another.server.Create({{"assignedTo", "w2"}});
  const SessionOver over = Refused(another);
  EXPECT_EQ(over.end, SessionEnd::kTaken);
  EXPECT_EQ(over.text, "ns/a is assigned to w2, and this worker is w1");
  EXPECT_TRUE(another.Writes().empty());
  SessionHarness own;
  own.Work({{"assignedTo", "w1"}});
}

TEST(ClaimTest, OfARunThatIsNotThereSaysSo) {
  SessionHarness harness;
  const SessionOver over = Refused(harness);
  EXPECT_EQ(over.end, SessionEnd::kNotFound);
  EXPECT_EQ(over.text, R"(ns/a: jobruns.jobrun.dev "a" not found)");
}

TEST(ClaimTest, WithoutTheRightSaysSoAtOnce) {
  for (const Fault& fault : {kForbidden, kUnauthorized}) {
    SessionHarness harness;
    harness.server.Create();
    harness.outage = fault;
    EXPECT_EQ(Refused(harness).end, SessionEnd::kForbidden);
    EXPECT_EQ(harness.sent.size(), 1U);
  }
}

TEST(ClaimTest, IsGivenUpWhenNothingUsableIsHeardForItsTime) {
  for (const Fault& fault : {kLost, kServerError, kProxyNotFound, Throttled(0s), Throttled(4s)}) {
    SessionHarness harness;
    harness.server.Create();
    harness.outage = fault;
    const Boot start = harness.now.boot;
    harness.session.Start(harness.now);
    harness.Pass(24s);
    EXPECT_FALSE(harness.over) << "tries as long as it may";
    harness.Pass(7s);
    EXPECT_EQ(harness.Over().end, SessionEnd::kUnreachable);
    EXPECT_LE(harness.sent.size(), 31U) << "with a pause between two tries";
    EXPECT_LE(harness.sent.back().at.boot - start, 30s);
  }
}

TEST(ClaimTest, ThatIsRefusedForItsContentIsTriedTwice) {
  SessionHarness harness;
  harness.server.Create();
  harness.outage_of_writes = Fault{.status = 422, .body = R"({"kind":"Status","message":"no"})"};
  const SessionOver over = Refused(harness);
  EXPECT_EQ(over.end, SessionEnd::kRefused);
  EXPECT_EQ(over.text, "ns/a: the claim is refused: no");
  EXPECT_EQ(harness.Writes().size(), 2U);
}

TEST(ClaimTest, FromAWatchTakesOneRequest) {
  SessionHarness harness;
  harness.server.Create();
  FromWatch(harness);
  harness.Pass(100ms);
  EXPECT_TRUE(harness.session.Working());
  EXPECT_EQ(harness.sent.size(), 1U);
}

TEST(ClaimTest, FromAWatchThatIsLostTakesOneRequestToo) {
  SessionHarness harness;
  harness.server.Create();
  FromWatch(harness);
  ClaimBy(harness, "w2");
  harness.Pass(1min);
  EXPECT_EQ(harness.Over().end, SessionEnd::kTaken);
  EXPECT_EQ(harness.sent.size(), 1U);
}

TEST(ClaimTest, FromAWatchWhoseAnswerWasLostIsFoundOut) {
  for (const Fault& fault : {kLost, kAnswerLost}) {
    SessionHarness harness;
    harness.server.Create();
    harness.faults = {fault};
    FromWatch(harness);
    harness.Pass(7s);
    EXPECT_TRUE(harness.session.Working());
  }
}

// It may be of another lane: this worker does not know what to do for it.
TEST(ClaimTest, FromAWatchIsNotTriedOnANewRunOfTheSameName) {
  SessionHarness harness;
  harness.server.Create();
  harness.faults = {kLost};
  FromWatch(harness);
  harness.server.Delete();
  harness.server.Create({{"lane", "other"}});
  harness.Pass(1min);
  EXPECT_EQ(harness.Over().end, SessionEnd::kNotFound);
  EXPECT_EQ(harness.Over().text, "ns/a is another run by now");
  EXPECT_EQ(harness.Writes().size(), 1U);
}

}  // namespace
}  // namespace jobrun
