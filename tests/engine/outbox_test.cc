// Runs that ended: whether they are retried, and how their successors come to be.
#include <gtest/gtest.h>

#include "tests/engine/outbox_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// ---- the decision ----

TEST_F(OutboxTest, AVerdictRecordsTheRetryInTheSameWrite) {
  RunText run = RunText("a").Claimed().Beat(1).Spec(kRetry);
  engine_.Sync({run});
  engine_.Pass(150s);
  EXPECT_TRUE(Writes(R"("reason":"HeartbeatTimeout")"));
  EXPECT_TRUE(Writes(R"("retry":{"state":"Pending","successorName":"a-)"));
  EXPECT_TRUE(Writes(R"("notBeforeTime":"2026-11-22T12:02:5)"));
}

TEST_F(OutboxTest, AVerdictWithoutARetrySaysSoAndIsCounted) {
  RunText run = RunText("a").Claimed().Beat(1);
  engine_.Sync({run});
  engine_.Pass(150s);
  EXPECT_TRUE(Writes(R"("retry":{"state":"NotDue"})"));
  run.reason = "HeartbeatTimeout";
  run.verdict_id = "proc-1";
  engine_.Answer(200, run.Phase("Stuck").Version(200).Json());
  EXPECT_EQ(Retries(RetryResult::kNotDue), 1);
  ExpectNothingLeft();
}

TEST_F(OutboxTest, AFailureThatItsWorkerReportedIsDecidedOnce) {
  RunText run = RunText("a").Claimed().Phase("Failed").Spec(kRetry).Retry("");
  run.reason = "Reported";
  Sync(run);
  EXPECT_EQ(Only().method, Method::kGet);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(Only().method, Method::kPatch);
  EXPECT_TRUE(Writes(R"("resourceVersion":"1")"));
  EXPECT_TRUE(Writes(R"("retry":{"state":"Pending","successorName":"a-)"));
  EXPECT_FALSE(Writes("phase"));
  EXPECT_FALSE(Writes("conditions"));
}

TEST_F(OutboxTest, OneConflictIsMetAtOnceTheNextOnesAfterAWait) {
  RunText run = RunText("a").Claimed().Phase("Failed").Retry("");
  run.reason = "ExitNonZero";
  Sync(run);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(engine_.Answer(409).method, Method::kPatch);
  EXPECT_EQ(engine_.Answer(200, run.Version(2).Json()).method, Method::kGet);
  EXPECT_EQ(engine_.Answer(409).method, Method::kPatch);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(10s);
  EXPECT_EQ(engine_.Answer(200, run.Json()).method, Method::kGet);
  EXPECT_TRUE(Writes(R"("retry":{"state":"NotDue"})"));
}

TEST_F(OutboxTest, ExhaustedAttemptsAreCountedOnceAlsoWhenTheAnswerIsLost) {
  RunText run = RunText("a").Claimed().Phase("Failed").Retry("");
  run.Spec(R"("attempt":3,"retry":{"maxAttempts":3})");
  run.reason = "ExitNonZero";
  Sync(run);
  engine_.Answer(200, run.Json());
  EXPECT_TRUE(Writes(R"("retry":{"state":"Exhausted"})"));
  engine_.Answer(0);
  EXPECT_EQ(Retries(RetryResult::kExhausted), 0);
  run.Retry(R"("state":"Exhausted")").Version(200);
  engine_.Watch(run);
  engine_.Pass(10s);
  if (!engine_.Requests().empty()) engine_.Answer(200, run.Json());
  EXPECT_EQ(Retries(RetryResult::kExhausted), 1);
  ExpectNothingLeft();
}

TEST_F(OutboxTest, WhatAnotherDecidedIsNotCounted) {
  Sync(RunText("a").Claimed().Phase("Failed").Retry(R"("state":"Exhausted")"));
  EXPECT_EQ(Retries(RetryResult::kExhausted), 0);
  ExpectNothingLeft();
}

TEST_F(OutboxTest, AReadThatIsOlderThanTheWatchDecidesNothing) {
  RunText run = RunText("a").Claimed().Phase("Failed").Retry("");
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(0);
  engine_.Pass(2s);
  RunText decided = run;
  engine_.Watch(decided.Retry(R"("state":"NotDue")").Version(200));
  engine_.Answer(200, run.Json());
  EXPECT_EQ(Only().method, Method::kGet) << "reads again";
  engine_.Answer(200, decided.Json());
  EXPECT_EQ(Retries(RetryResult::kNotDue), 1);
  ExpectNothingLeft();
}

TEST_F(OutboxTest, ASucceededRunIsNotRetried) {
  Sync(RunText("a").Claimed().Phase("Succeeded").Spec(kRetry));
  ExpectNothingLeft();
}

// ---- the successor ----

TEST_F(OutboxTest, TheSuccessorIsCreatedWhenItIsDueAndThenRecorded) {
  RunText run = Parent();
  run.Retry(R"("state":"Pending","successorName":"a-b","notBeforeTime":"2026-11-22T12:00:30Z")");
  engine_.Sync({run});
  engine_.Pass(29s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(3s);
  EXPECT_EQ(Only().target, "/apis/jobrun.dev/v1/namespaces/ns/jobruns/a");
  engine_.Answer(200, run.Version(50).Json());
  EXPECT_EQ(Only().method, Method::kPost);
  EXPECT_EQ(Only().target, "/apis/jobrun.dev/v1/namespaces/ns/jobruns");
  EXPECT_TRUE(Writes(R"("name":"a-b")"));
  EXPECT_TRUE(Writes(R"("attempt":2)"));
  engine_.Answer(201, Successor().Json());
  EXPECT_TRUE(Writes(R"({"metadata":{"resourceVersion":"50"},"status":{"retry":{"state":"Created",)"
                     R"("successorUID":")" +
                     FormatUid(kSuccessor) + "\"}}}"));
  engine_.Answer(200, run.Retry(R"("state":"Created")").Version(60).Json());
  EXPECT_EQ(Retries(RetryResult::kCreated), 1);
  engine_.Watch(run);
  EXPECT_EQ(Retries(RetryResult::kCreated), 1);
  ExpectNothingLeft();
}

TEST_F(OutboxTest, ASuccessorThatIsDeletedIsNotCreatedAgain) {
  RunText run = Parent();
  run.Retry(R"("state":"Created","successorName":"a-b","successorUID":")" + FormatUid(kSuccessor) +
            '"');
  engine_.Sync({run, Successor()});
  engine_.Watch(Successor().Version(50), "DELETED");
  ExpectNothingLeft();
  EngineHarness restarted;
  restarted.Sync({run});
  restarted.Pass(1h);
  EXPECT_TRUE(restarted.Requests().empty());
}

TEST_F(OutboxTest, ACrashBetweenTheVerdictAndTheSuccessorLosesNothing) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(engine_.Answer(409).method, Method::kPost);  // an earlier life has created it
  EXPECT_EQ(Only().target, "/apis/jobrun.dev/v1/namespaces/ns/jobruns/a-b");
  engine_.Answer(200, Successor().Json());
  EXPECT_TRUE(Writes(R"("state":"Created")"));
}

TEST_F(OutboxTest, AForeignObjectOfTheNameBlocksAndIsNeverAdopted) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(409);
  RunText foreign = Successor();
  engine_.Answer(200, foreign.Spec(R"("lane2":1)").Json());
  EXPECT_TRUE(Writes(R"("retry":{"state":"Blocked"})"));
  engine_.Answer(200, run.Retry(R"("state":"Blocked")").Version(60).Json());
  EXPECT_EQ(Retries(RetryResult::kBlocked), 1);
  ExpectNothingLeft();
}

TEST_F(OutboxTest, ARefusalIsToldOnTheRunAndTriedAgainForEver) {
  RunText run = Parent();
  Sync(run);
  for (int attempt = 0; attempt < 6; ++attempt) {
    engine_.Answer(200, run.Json());
    if (attempt > 0) engine_.Answer(404);
    EXPECT_EQ(Only().method, Method::kPost);
    engine_.Answer(403, R"({"kind":"Status","message":"exceeded quota: runs"})");
    if (attempt == 0) {
      EXPECT_TRUE(Writes(R"("type":"SuccessorCreated","status":"False","reason":"Refused",)"
                         R"("message":"exceeded quota: runs")"));
      run.Conditions(R"({"type":"SuccessorCreated","status":"False"})").Version(70);
      engine_.Answer(200, run.Json());
    }
    EXPECT_TRUE(engine_.Requests().empty());
    engine_.Pass(10min);
  }
  engine_.Answer(200, run.Json());
  engine_.Answer(404);
  engine_.Answer(201, Successor().Json());
  EXPECT_TRUE(Writes(R"("conditions":[]})")) << "the refusal is over";
}

TEST_F(OutboxTest, AParentDeletedMeanwhileGetsNoSuccessor) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(404);
  ExpectNothingLeft();
}

TEST_F(OutboxTest, AParentBeingDeletedGetsNoSuccessor) {
  RunText run = Parent();
  Sync(run);
  run.deleting = true;
  engine_.Answer(200, run.Version(50).Json());
  ExpectNothingLeft();
}

TEST_F(OutboxTest, AnotherObjectOfTheParentsNameIsLeftAlone) {
  RunText run = Parent();
  Sync(run);
  RunText other = run;
  other.uid = Uid{5, 5};
  engine_.Answer(200, other.Json());
  ExpectNothingLeft();
}

TEST_F(OutboxTest, AConflictWithNothingBehindItIsTriedAgainAfterAWait) {
  for (const char* spec : {kRetry, R"("retry":{"maxAttempts":3},"concurrencyKey":"k")"}) {
    RunText run = Parent(spec);
    EngineHarness engine;
    engine.Sync({run});
    engine.Pass(2s);
    engine.Answer(200, run.Json());
    if (spec != kRetry) {
      engine.Answer(404);
      engine.Answer(200, List({}));
    }
    EXPECT_EQ(engine.Answer(409).method, Method::kPost);
    engine.Answer(404);
    EXPECT_TRUE(engine.Requests().empty());
    engine.Pass(1s);
    EXPECT_EQ(engine.Requests().size(), 1U);
  }
}

TEST_F(OutboxTest, ALostAnswerStartsOverFromWhatIsRecorded) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(engine_.Answer(0).method, Method::kPost);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(2s);
  EXPECT_EQ(engine_.Answer(200, run.Json()).method, Method::kGet);
  EXPECT_EQ(engine_.Answer(404).method, Method::kGet);
  EXPECT_EQ(Only().method, Method::kPost);
}

TEST_F(OutboxTest, ALostRaceForTheRecordStartsOver) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(201, Successor().Json());
  engine_.Answer(409);
  EXPECT_EQ(Only().method, Method::kGet);
  engine_.Answer(200, run.Retry(R"("state":"Created")").Version(80).Json());
  ExpectNothingLeft();
}

TEST_F(OutboxTest, NothingIsDoneWhileReapingIsOff) {
  engine_.Give(ConfigLoaded{Settings{.reaping = Reaping::kDisabled}});
  RunText run = Parent();
  Sync(run);
  engine_.Pass(1h);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Give(ConfigLoaded{});
  EXPECT_EQ(Only().method, Method::kGet);
}

TEST_F(OutboxTest, ReapingSwitchedOffInTheMiddleOfAPassStopsItAndItIsResumed) {
  RunText run = Parent(R"("retry":{"maxAttempts":3},"concurrencyKey":"k")");
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Give(ConfigLoaded{Settings{.reaping = Reaping::kDisabled}});
  engine_.Answer(404);
  EXPECT_TRUE(engine_.Requests().empty()) << "the key need not be listed";
  ExpectNothingLeft();
  engine_.Give(ConfigLoaded{});
  engine_.Answer(200, run.Json());
  engine_.Answer(404);
  engine_.Give(ConfigLoaded{Settings{.reaping = Reaping::kDryRun}});
  engine_.Answer(200, List({}));
  ExpectNothingLeft();
}

TEST_F(OutboxTest, ReapingSwitchedOffByTheVeryReadOfAPassStopsIt) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Edited(R"("reaping":"Disabled")").Json());
  ExpectNothingLeft();
}

TEST_F(OutboxTest, AParentThatMovesOnInTheMiddleOfAPassIsReadAgain) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(409);
  RunText settled = run;
  engine_.Watch(settled.Retry(R"("state":"Blocked")").Version(60));
  RunText foreign = Successor();
  engine_.Answer(200, foreign.Spec(R"("lane2":1)").Json());
  EXPECT_EQ(Only().method, Method::kGet) << "nothing is recorded on what was read before";
  engine_.Answer(200, settled.Json());
  ExpectNothingLeft();
}

// ---- one active run per concurrencyKey ----

constexpr const char* kKeyed = R"("retry":{"maxAttempts":3},"concurrencyKey":"k=1")";

TEST_F(OutboxTest, AnActiveSiblingPreventsTheRetry) {
  RunText run = Parent(kKeyed);
  Sync(run);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(engine_.Answer(404).target, "/apis/jobrun.dev/v1/namespaces/ns/jobruns/a-b");
  EXPECT_NE(Only().target.find("fieldSelector=spec.concurrencyKey%3Dk%5C%3D1%2C"),
            std::string::npos)
      << Only().target;
  EXPECT_EQ(Only().target.find("resourceVersion"), std::string::npos) << "not consistent";
  engine_.Answer(200, List({RunText("sibling")}));
  EXPECT_TRUE(Writes(R"("retry":{"state":"Skipped"})"));
  engine_.Answer(200, run.Retry(R"("state":"Skipped")").Version(60).Json());
  EXPECT_EQ(Retries(RetryResult::kSkipped), 1);
  EXPECT_TRUE(std::ranges::any_of(engine_.Log(), [](const LogLine& line) {
    return line.message == "Skipped sync retries: another active run exists";
  }));
}

TEST_F(OutboxTest, WithoutOneItIsCreatedAndLookedAtAgain) {
  RunText run = Parent(kKeyed);
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(404);
  engine_.Answer(200, List({}));
  EXPECT_EQ(engine_.Answer(201, Successor().Json()).method, Method::kPost);
  engine_.Answer(200, List({Successor()}));
  EXPECT_TRUE(Writes(R"("state":"Created")"));
}

TEST_F(OutboxTest, OfTwoUnclaimedDuplicatesTheLaterOneGoes) {
  RunText run = Parent(kKeyed);
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(404);
  engine_.Answer(200, List({}));
  engine_.Answer(201, Successor().Version(33).Json());
  RunText earlier("earlier");
  engine_.Answer(200, List({Successor(), earlier}));
  EXPECT_EQ(Only().method, Method::kDelete);
  EXPECT_TRUE(Writes(R"("resourceVersion":"33")"));
  engine_.Answer(200, "{}");
  EXPECT_TRUE(Writes(R"("retry":{"state":"Skipped"})"));
}

TEST_F(OutboxTest, TheEarlierDuplicateStays) {
  RunText run = Parent(kKeyed);
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(404);
  engine_.Answer(200, List({}));
  engine_.Answer(201, Successor().Json());
  RunText later("later");
  later.created = "2026-11-22T12:00:09Z";
  engine_.Answer(200, List({Successor(), later}));
  EXPECT_TRUE(Writes(R"("state":"Created")"));
}

TEST_F(OutboxTest, ASuccessorOfAnEarlierLifeThatIsClaimedIsRecorded) {
  RunText run = Parent(kKeyed);
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(200, Successor().Claimed().Json());
  EXPECT_TRUE(Writes(R"("state":"Created")"));
}

TEST_F(OutboxTest, TwoRetriesOfOneKeyAreMadeOneAfterTheOther) {
  RunText a = Parent(kKeyed);
  RunText b = Parent(kKeyed);
  b.name = "b";
  b.uid = Uid{2, 2};
  b.Retry(R"("state":"Pending","successorName":"b-b","notBeforeTime":"2026-11-22T12:00:00Z")");
  engine_.Sync({a, b});
  engine_.Pass(2s);
  ASSERT_EQ(engine_.Requests().size(), 2U);
  const bool a_first = engine_.Requests()[0].target.ends_with("/a");
  engine_.Answer(200, (a_first ? a : b).Json());
  engine_.Answer(200, (a_first ? b : a).Json());
  EXPECT_EQ(engine_.Requests().size(), 1U) << "the other one waits";
  engine_.Pass(50ms);
  EXPECT_EQ(engine_.Requests().size(), 1U);
  engine_.Pass(1s);
  EXPECT_EQ(engine_.Requests().size(), 2U) << "and looks again";
}

TEST_F(OutboxTest, AnAbsurdTimeOfARetryDisturbsNothing) {
  RunText run = Parent();
  run.Retry(R"("state":"Pending","successorName":"a-b","notBeforeTime":"9999-12-31T00:00:00Z")");
  Sync(run);
  ASSERT_TRUE(engine_.Wake());
  EXPECT_GT(*engine_.Wake(), engine_.Time());
  ExpectNothingLeft();
}

}  // namespace
}  // namespace jobrun
