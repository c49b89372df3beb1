// What is told as a Kubernetes Event, and when: what committed, once, and nothing else.
#include <gmock/gmock.h>

#include "tests/engine/outbox_fixture.h"
#include "tests/engine/soak_run.h"
#include "tests/engine/verdict_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> Reasons(const EngineHarness& engine) {
  std::vector<std::string> reasons;
  for (const EmitEvent& event : engine.Events()) reasons.push_back(event.reason);
  return reasons;
}

std::string Told(const EmitEvent& event) {
  const char* type = event.severity == EventSeverity::kWarning ? "Warning " : "Normal ";
  return type + event.reason + " " + event.action + ": " + event.note;
}

// The run after the verdict in `patch` has committed.
RunText After(const Request& patch, RunText run) {
  run.verdict_id = TextField(patch.body, "verdictID");
  run.reason = TextField(patch.body, "reason");
  run.Phase(TextField(patch.body, "phase")).Version(run.version + 1);
  const std::size_t retry = patch.body.find("\"retry\":{");
  if (retry == std::string::npos) return run;
  const std::size_t begin = retry + 9;
  return run.Retry(patch.body.substr(begin, patch.body.find('}', begin) - begin));
}

// ---- verdicts ----

struct VerdictCase {
  const char* sentence;
  RunText run;
  Nanos wait;
  std::string told;
};

void PrintTo(const VerdictCase& verdict, std::ostream* out) { *out << verdict.sentence; }

class VerdictEventTest : public ::testing::TestWithParam<VerdictCase> {};

TEST_P(VerdictEventTest, IsToldWhenItCommitted) {
  const VerdictCase& verdict = GetParam();
  EngineHarness engine;
  engine.Sync({verdict.run});
  engine.Pass(verdict.wait);
  ASSERT_EQ(engine.Requests().size(), 1U);
  EXPECT_THAT(engine.Events(), IsEmpty()) << "nothing has committed yet";
  const RunText after = After(engine.Requests()[0], verdict.run);
  engine.Answer(200, after.Json());
  ASSERT_EQ(engine.Events().size(), 1U);
  const EmitEvent& event = engine.Events()[0];
  EXPECT_EQ(Told(event), verdict.told);
  EXPECT_EQ(event.name_space, "ns");
  EXPECT_EQ(event.name, verdict.run.name);
  EXPECT_EQ(event.uid, verdict.run.uid);
  EXPECT_EQ(event.resource_version, after.version);
  EXPECT_EQ(event.at, std::optional(engine.ServerNow()));
}

INSTANTIATE_TEST_SUITE_P(
    OfEachKind, VerdictEventTest,
    ::testing::Values(
        VerdictCase{
            "a silent run", Beating(), 150s,
            "Warning HeartbeatTimeout Reap: Stuck: no heartbeat for 150 s; it is not retried"},
        VerdictCase{"a run that nobody claimed",
                    RunText("a").Spec(R"("pendingDeadlineSeconds":60)"), 61s,
                    "Warning PendingDeadlineExceeded Reap: Failed: not claimed within 60 s of its "
                    "creation; it is not retried"},
        VerdictCase{"a run that its user cancelled", RunText("a").Spec(R"("cancelled":true)"), 60s,
                    "Normal Cancelled Reap: Failed: cancelled before it was claimed; it is not "
                    "retried"},
        VerdictCase{"a run that its worker did not finish", Beating().Exited(0), 300s,
                    "Normal FinalizedByController Finalize: Succeeded: exit code 0, and not "
                    "finished by its worker within 300 s"}));

class EventTest : public ::testing::Test {
 protected:
  void BeSilent(const std::string& spec = "") {
    if (!spec.empty()) run_.Spec(spec);
    engine_.Sync({run_});
    engine_.Pass(150s);
    ASSERT_EQ(engine_.Requests().size(), 1U);
  }

  EngineHarness engine_;
  RunText run_ = Beating().Version(50);
};

TEST_F(EventTest, AVerdictSaysWhatIsNext) {
  BeSilent(kRetry);
  const RunText after = After(engine_.Requests()[0], run_);
  engine_.Watch(after);
  ASSERT_EQ(engine_.Events().size(), 1U);
  EXPECT_THAT(engine_.Events()[0].note, StartsWith("Stuck: no heartbeat for 150 s; " +
                                                   TextField(after.retry, "successorName") +
                                                   " retries it, not before 2026-11-22T12:0"));
}

TEST_F(EventTest, TheLastAttemptIsToldApart) {
  BeSilent(R"("attempt":3,"retry":{"maxAttempts":3})");
  engine_.Answer(200, After(engine_.Requests()[0], run_).Json());
  EXPECT_THAT(Reasons(engine_), ElementsAre("HeartbeatTimeout", "RetriesExhausted"));
  EXPECT_THAT(engine_.Events()[0].note, EndsWith("; no attempt is left"));
  EXPECT_EQ(Told(engine_.Events()[1]),
            "Warning RetriesExhausted Retry: not retried: attempt 3 was the last it may have");
}

TEST_F(EventTest, AVerdictIsToldOnceWhetherTheAnswerOrTheWatchComesFirst) {
  BeSilent();
  const RunText after = After(engine_.Requests()[0], run_);
  engine_.Watch(after);
  engine_.Answer(200, after.Json());
  engine_.Watch(after, "DELETED");
  EXPECT_THAT(Reasons(engine_), ElementsAre("HeartbeatTimeout"));
}

TEST_F(EventTest, AVerdictWhoseAnswerWasLostIsToldWhenItIsSeen) {
  BeSilent();
  const RunText after = After(engine_.Requests()[0], run_);
  engine_.Answer(0);
  EXPECT_THAT(engine_.Events(), IsEmpty());
  engine_.Watch(after);
  EXPECT_THAT(Reasons(engine_), ElementsAre("HeartbeatTimeout"));
  engine_.Pass(20s);
  EXPECT_EQ(engine_.Events().size(), 1U);
}

TEST_F(EventTest, WhatDidNotCommitIsNotTold) {
  BeSilent();
  engine_.Answer(409);
  engine_.Answer(200, run_.Beat(2).Version(60).Json());
  engine_.Pass(100s);
  EXPECT_THAT(engine_.Events(), IsEmpty());
}

TEST_F(EventTest, WhatAnotherControllerDidIsNotTold) {
  BeSilent();
  RunText after = After(engine_.Requests()[0], run_);
  after.verdict_id = "other-1";
  engine_.Watch(after);
  engine_.Watch(RunText(after).Version(90), "DELETED");
  EXPECT_THAT(engine_.Events(), IsEmpty());
}

TEST_F(EventTest, AVerdictInDryRunIsToldAsOftenAsItIsCounted) {
  EngineHarness engine(Settings{.reaping = Reaping::kDryRun});
  engine.Sync({run_});
  engine.Pass(300s);
  ASSERT_EQ(engine.Events().size(), 1U);
  EXPECT_EQ(Told(engine.Events()[0]),
            "Normal DryRun Reap: HeartbeatTimeout is due and not written: no heartbeat for 150 s");
  engine.Watch(run_.Beat(2).Version(60));
  engine.Pass(300s);
  EXPECT_EQ(engine.Events().size(), 2U);
  EXPECT_EQ(engine.Suppressed(Suppression::kDryRun), 2);
}

TEST_F(EventTest, AVerdictThatIsSwitchedOffOrHeldIsNotTold) {
  Settings off{.reaping = Reaping::kDisabled};
  Settings held{.lanes = {Lane{.name = "etl", .held = true}}};
  for (const Settings& settings : {off, held}) {
    EngineHarness engine(settings);
    engine.Sync({RunText(run_).Lane("etl")});
    engine.Pass(300s);
    EXPECT_EQ(engine.Counted(Metric::kSuppressed, 1) + engine.Counted(Metric::kSuppressed, 2), 1);
    EXPECT_THAT(engine.Events(), IsEmpty());
  }
}

TEST_F(EventTest, ARefusedVerdictIsTold) {
  for (const int status : {400, 403, 422}) {
    EngineHarness engine;
    engine.Sync({run_});
    engine.Pass(150s);
    engine.Answer(status, R"({"kind":"Status","message":"the webhook said no"})");
    ASSERT_EQ(engine.Events().size(), 1U) << status;
    EXPECT_EQ(Told(engine.Events()[0]),
              "Warning VerdictRefused Reap: the API server refused the verdict HeartbeatTimeout, "
              "the run is held and judged again: the webhook said no");
  }
}

TEST_F(EventTest, AnAnswerThatRefusesNothingIsNotTold) {
  for (const int status : {0, 401, 404, 409, 429, 500, 503}) {
    EngineHarness engine;
    engine.Sync({run_});
    engine.Pass(150s);
    engine.Answer(status);
    EXPECT_THAT(engine.Events(), IsEmpty()) << status;
  }
}

TEST_F(EventTest, ARefusedReadIsNotTold) {
  BeSilent();
  engine_.Answer(409);
  engine_.Answer(403);
  EXPECT_THAT(engine_.Events(), IsEmpty());
}

TEST_F(EventTest, ASignOfLifeAfterTheVerdictIsToldOnce) {
  RunText ended = RunText(run_).Phase("Stuck");
  ended.reason = "HeartbeatTimeout";
  engine_.Sync({ended});
  ended.late_heartbeat = "2026-11-22T12:00:05Z";
  engine_.Watch(ended.Version(60));
  engine_.Watch(ended.Version(61));
  ASSERT_EQ(engine_.Events().size(), 1U);
  EXPECT_EQ(Told(engine_.Events()[0]),
            "Warning DisputedReap Reap: a sign of life came after the verdict HeartbeatTimeout, at "
            "2026-11-22T12:00:05Z");
}

TEST_F(EventTest, AnObjectThatCantBeDecodedIsToldOnce) {
  const RunText bad = RunText("bad").Spec(R"("deadlineSeconds":"long")");
  engine_.Sync({run_});
  engine_.Watch(bad, "ADDED");
  engine_.Watch(RunText(bad).Version(60));
  ASSERT_EQ(engine_.Events().size(), 1U);
  const EmitEvent& event = engine_.Events()[0];
  EXPECT_EQ(event.reason, "InvalidJobRun");
  EXPECT_EQ(event.severity, EventSeverity::kWarning);
  EXPECT_EQ(event.name, "bad");
  EXPECT_EQ(event.uid, bad.uid);
  EXPECT_THAT(event.note, HasSubstr("spec.deadlineSeconds"));
}

TEST_F(EventTest, AnObjectWithoutAUidIsNotTold) {
  engine_.Sync({run_});
  engine_.Lines({R"({"type":"ADDED","object":{"metadata":{"name":"bad","namespace":"ns"}}})"});
  EXPECT_EQ(engine_.Counted(Metric::kInvalidObjects), 1);
  EXPECT_THAT(engine_.Events(), IsEmpty());
}

// ---- retries ----

using RetryEventTest = OutboxTest;

TEST_F(RetryEventTest, ASuccessorIsToldWhenItIsRecordedAndNotBefore) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(201, Successor().Json());
  EXPECT_THAT(engine_.Events(), IsEmpty());
  engine_.Answer(0);
  EXPECT_THAT(engine_.Events(), IsEmpty());
  engine_.Watch(run.Retry(R"("state":"Created","successorName":"a-b")").Version(60));
  engine_.Watch(RunText(run).Version(61));
  ASSERT_EQ(engine_.Events().size(), 1U);
  EXPECT_EQ(Told(engine_.Events()[0]), "Normal RetryCreated Retry: a-b retries it");
  EXPECT_EQ(engine_.Events()[0].uid, run.uid) << "about the run that ended";
}

TEST_F(RetryEventTest, ASkippedRetryNamesTheKey) {
  RunText run = Parent(R"("retry":{"maxAttempts":3},"concurrencyKey":"sync/users")");
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(404);
  engine_.Answer(200, List({RunText("sibling")}));
  engine_.Answer(200, run.Retry(R"("state":"Skipped")").Version(60).Json());
  ASSERT_EQ(engine_.Events().size(), 1U);
  EXPECT_EQ(Told(engine_.Events()[0]),
            "Normal RetrySkipped Retry: not retried: another run with concurrencyKey sync/users is "
            "active");
}

TEST_F(RetryEventTest, AForeignObjectOfTheNameIsTold) {
  RunText run = Parent();
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(409);
  engine_.Answer(200, Successor().Spec(R"("lane2":1)").Json());
  engine_.Answer(200, run.Retry(R"("state":"Blocked","successorName":"a-b")").Version(60).Json());
  ASSERT_EQ(engine_.Events().size(), 1U);
  EXPECT_EQ(
      Told(engine_.Events()[0]),
      "Warning RetryBlocked Retry: not retried: a-b is there and is no successor of this run");
}

TEST_F(RetryEventTest, ARefusedSuccessorIsToldEachTime) {
  RunText run = Parent();
  Sync(run);
  for (int attempt = 0; attempt < 3; ++attempt) {
    engine_.Answer(200, run.Json());
    if (attempt > 0) engine_.Answer(404);
    engine_.Answer(403, R"({"kind":"Status","message":"exceeded quota: runs"})");
    if (attempt == 0) engine_.Answer(200, run.Version(70).Json());
    engine_.Pass(10min);
  }
  EXPECT_THAT(Reasons(engine_), ElementsAre("RetryRefused", "RetryRefused", "RetryRefused"));
  EXPECT_EQ(Told(engine_.Events()[0]),
            "Warning RetryRefused Retry: the API server refused the successor, it is tried again: "
            "exceeded quota: runs");
}

TEST_F(RetryEventTest, WhatAnotherControllerRecordedIsNotTold) {
  RunText run = Parent();
  Sync(run);
  engine_.Watch(run.Retry(R"("state":"Created","successorName":"a-b")").Version(60));
  engine_.Watch(RunText("b").Claimed().Phase("Failed").Retry(R"("state":"Exhausted")"), "ADDED");
  EXPECT_THAT(engine_.Events(), IsEmpty());
}

TEST_F(RetryEventTest, NoRetryIsNoNews) {
  RunText run = RunText("a").Claimed().Phase("Failed").Retry("");
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(200, run.Retry(R"("state":"NotDue")").Version(60).Json());
  EXPECT_EQ(Retries(RetryResult::kNotDue), 1);
  EXPECT_THAT(engine_.Events(), IsEmpty());
}

}  // namespace
}  // namespace jobrun
