// How verdicts are written: guarded by the version judged, judged again after a conflict, counted
// once.
#include <gtest/gtest.h>

#include "tests/engine/engine_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

RunText Beating(const std::string& name = "a") {
  return RunText(name).Claimed().Beat(1).Version(50);
}

// The object after the patch in `request` committed.
RunText Stuck(const Request& request, RunText run) {
  const auto at = request.body.find("\"verdictID\":\"");
  const auto begin = at + 13;
  run.verdict_id = request.body.substr(begin, request.body.find('"', begin) - begin);
  run.reason = "HeartbeatTimeout";
  return run.Phase("Stuck").Version(run.version + 1);
}

class WriteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_.Sync({run_});
    engine_.Pass(150s);
    ASSERT_EQ(engine_.Requests().size(), 1U);
  }
  [[nodiscard]] double Reaps() const { return engine_.Reaps(Reason::kHeartbeatTimeout); }
  const Request& Open() { return engine_.Requests().at(0); }

  EngineHarness engine_;
  RunText run_ = Beating();
};

TEST_F(WriteTest, CarriesTheVersionJudgedAndTheVerdict) {
  EXPECT_EQ(Open().klass, RequestClass::kData);
  EXPECT_EQ(Open().target, "/apis/jobrun.dev/v1/namespaces/ns/jobruns/a/status");
  EXPECT_NE(Open().body.find(R"("resourceVersion":"50")"), std::string::npos);
  EXPECT_NE(Open().body.find(R"("phase":"Stuck")"), std::string::npos);
  EXPECT_NE(Open().body.find(R"("verdictID":"proc-1")"), std::string::npos);
}

TEST_F(WriteTest, IsCountedWhenItCommittedAndNotBefore) {
  EXPECT_EQ(Reaps(), 0);
  const RunText stuck = Stuck(Open(), run_);
  engine_.Answer(200, stuck.Json());
  EXPECT_EQ(Reaps(), 1);
  EXPECT_EQ(engine_.Counted(Metric::kDetectionLag), 1);
}

TEST_F(WriteTest, IsCountedOnceWhetherTheAnswerOrTheWatchComesFirst) {
  const RunText stuck = Stuck(Open(), run_);
  engine_.Watch(stuck);
  EXPECT_EQ(Reaps(), 1);
  engine_.Answer(200, stuck.Json());
  engine_.Watch(stuck);
  engine_.Watch(stuck, "DELETED");
  EXPECT_EQ(Reaps(), 1);
}

TEST_F(WriteTest, IsCountedOnceAlsoWhenItsRunWasGoneAndComesBack) {
  const RunText stuck = Stuck(Open(), run_);
  engine_.Watch(stuck);
  engine_.CutStream(410);
  engine_.Sync({});
  engine_.Watch(RunText(stuck).Version(stuck.version + 100), "ADDED");
  EXPECT_EQ(Reaps(), 1);
}

TEST_F(WriteTest, OfAnotherProcessIsNotCounted) {
  RunText stuck = Stuck(Open(), run_);
  stuck.verdict_id = "proc2-1";
  engine_.Watch(stuck);
  EXPECT_EQ(Reaps(), 0);
}

TEST_F(WriteTest, ThatLostToAHeartbeatIsJudgedAgainAndNotResent) {
  engine_.Answer(409);
  EXPECT_EQ(engine_.Counted(Metric::kConflicts), 1);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_EQ(Open().method, Method::kGet);
  engine_.Answer(200, run_.Beat(2).Version(60).Json());
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(149s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(1s);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_NE(Open().body.find(R"("resourceVersion":"60")"), std::string::npos);
}

TEST_F(WriteTest, ThatLostToAnAnnotationIsWrittenWithTheFreshVersion) {
  engine_.Answer(409);
  engine_.Answer(200, run_.Version(60).Json());
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_EQ(Open().method, Method::kPatch);
  EXPECT_NE(Open().body.find(R"("resourceVersion":"60")"), std::string::npos);
}

TEST_F(WriteTest, ThatLostToACompletionIsDropped) {
  engine_.Answer(409);
  engine_.Answer(200, run_.Phase("Succeeded").Version(60).Json());
  engine_.Pass(1000s);
  EXPECT_TRUE(engine_.Requests().empty());
  EXPECT_EQ(Reaps(), 0);
}

TEST_F(WriteTest, OfARunThatIsGoneIsDropped) {
  engine_.Answer(409);
  engine_.Answer(404);
  engine_.Pass(1000s);
  EXPECT_TRUE(engine_.Requests().empty());
  EXPECT_EQ(engine_.Scrape().runs, 0U);
}

TEST_F(WriteTest, OfARunRecreatedUnderItsNameIsDropped) {
  engine_.Answer(409);
  RunText other = Beating();
  other.uid = Uid{7, 7};
  engine_.Answer(200, other.Version(60).Json());
  engine_.Pass(1000s);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(WriteTest, WhoseAnswerWasLostButCommittedIsCountedOnceFromTheRead) {
  const RunText stuck = Stuck(Open(), run_);
  engine_.Answer(0);
  engine_.Pass(20s);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_EQ(Open().method, Method::kGet);
  engine_.Answer(200, stuck.Json());
  EXPECT_EQ(Reaps(), 1);
  engine_.Pass(1000s);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(WriteTest, WhoseAnswerWasLostAndDidNotCommitIsWrittenAgain) {
  engine_.Answer(0);
  engine_.Pass(20s);
  engine_.Answer(200, run_.Json());
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_EQ(Open().method, Method::kPatch);
  engine_.Answer(200, Stuck(Open(), run_).Json());
  EXPECT_EQ(Reaps(), 1);
}

TEST_F(WriteTest, ThatIsRefusedHoldsThisRunOnly) {
  engine_.Watch(Beating("b").Version(51), "ADDED");
  engine_.Answer(422, R"({"kind":"Status","code":422,"message":"no"})");
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(150s);
  const auto& open = engine_.Requests();
  EXPECT_TRUE(std::ranges::any_of(open, [](const Request& r) {
    return r.method == Method::kPatch && r.target.find("/b/") != std::string::npos;
  }));
}

TEST_F(WriteTest, WaitsAsLongAsTheServerSays) {
  engine_.Answer(429, {}, 7s);
  engine_.Pass(6s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(1s);
  ASSERT_EQ(engine_.Requests().size(), 1U);
}

TEST_F(WriteTest, IsTheOnlyOneUnderWayForItsRun) {
  engine_.Watch(run_.Version(60));
  engine_.Pass(300s);
  EXPECT_EQ(engine_.Requests().size(), 1U);
}

TEST_F(WriteTest, ForbiddenMakesTheControllerUnreadyUntilItIsMended) {
  engine_.Answer(403, R"({"kind":"Status","code":403,"message":"may not patch"})");
  EXPECT_NE(engine_.CheckHealth().problem.find("may not patch"), std::string::npos);
  engine_.Pass(20s);
  engine_.Answer(200, run_.Json());
  engine_.Answer(200, Stuck(engine_.Requests().at(0), run_).Json());
  EXPECT_EQ(engine_.CheckHealth().problem, "");
}

TEST_F(WriteTest, IsWaitedForWhenTheControllerStops) {
  engine_.Give(StopAsked{});
  EXPECT_FALSE(engine_.Exited());
  engine_.Answer(409);
  EXPECT_TRUE(engine_.Exited());
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST(ConditionsTest, OfOthersAreReadLiveAndKept) {
  EngineHarness engine;
  RunText run = Beating();
  run.conditions = R"({"type":"Uploaded","status":"True"})";
  engine.Sync({run});
  engine.Pass(150s);
  ASSERT_EQ(engine.Requests().size(), 1U);
  EXPECT_EQ(engine.Requests()[0].method, Method::kGet);
  run.conditions += R"(,{"type":"Verified","status":"False"})";
  engine.Answer(200, run.Version(60).Json());
  ASSERT_EQ(engine.Requests().size(), 1U);
  const std::string& body = engine.Requests()[0].body;
  EXPECT_NE(body.find("Uploaded"), std::string::npos);
  EXPECT_NE(body.find("Verified"), std::string::npos);
  EXPECT_NE(body.find(R"("type":"Stuck")"), std::string::npos);
  EXPECT_NE(body.find(R"("resourceVersion":"60")"), std::string::npos);
}

TEST(LimitTest, RequestsInFlightAreBounded) {
  EngineHarness engine(Settings{.rate_limit = {.reaps_per_second = 0, .in_flight = 3}});
  std::vector<RunText> runs;
  for (int i = 0; i < 9; ++i) runs.push_back(Beating("run-" + std::to_string(i)));
  engine.Sync(runs);
  engine.Pass(150s);
  EXPECT_EQ(engine.Requests().size(), 3U);
  engine.Answer(200, Stuck(engine.Requests()[0], runs[0]).Json());
  EXPECT_EQ(engine.Requests().size(), 3U);
}

TEST(LimitTest, ReapsPerSecondAreBoundedAndNoneIsLost) {
  EngineHarness engine(
      Settings{.rate_limit = {.reaps_per_second = 1, .burst = 2, .in_flight = 100}});
  std::vector<RunText> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(Beating("run-" + std::to_string(i)));
  engine.Sync(runs);
  engine.Pass(150s);
  EXPECT_EQ(engine.Requests().size(), 2U);
  engine.Pass(1s);
  EXPECT_EQ(engine.Requests().size(), 3U);
  engine.Pass(2s);
  EXPECT_EQ(engine.Requests().size(), 5U);
}

TEST(LimitTest, AHeartbeatThatComesWhileTheVerdictWaitsSavesTheRun) {
  EngineHarness engine(
      Settings{.rate_limit = {.reaps_per_second = 1, .burst = 1, .in_flight = 100}});
  RunText second = Beating("b");
  engine.Sync({Beating("a"), second});
  engine.Pass(150s);
  ASSERT_EQ(engine.Requests().size(), 1U);
  const bool first_is_a = engine.Requests()[0].target.find("/a/") != std::string::npos;
  RunText waiting = first_is_a ? second : Beating("a");
  engine.Watch(waiting.Beat(2).Version(70));
  engine.Pass(5s);
  EXPECT_EQ(engine.Requests().size(), 1U);
}

TEST(VisitTest, IsOnlyMadeWhereALimitCountsFromTheStart) {
  EngineHarness engine;
  engine.Sync({Beating("plain"), Beating("limited").Spec(R"("deadlineSeconds":3600)")});
  ASSERT_EQ(engine.Requests().size(), 1U);
  EXPECT_NE(engine.Requests()[0].target.find("/limited/"), std::string::npos);
  EXPECT_NE(engine.Requests()[0].body.find("startTime"), std::string::npos);
  EXPECT_NE(engine.Requests()[0].body.find(R"("resourceVersion":"50")"), std::string::npos);
}

TEST(VisitTest, IsNeverMadeForRunsThatAreNotReaped) {
  EngineHarness engine(Settings{.reaping = Reaping::kDryRun});
  engine.Sync({Beating().Spec(R"("deadlineSeconds":3600)")});
  engine.Pass(10s);
  EXPECT_TRUE(engine.Requests().empty());
}

// One run whose start is to be recorded, which is refused.
class DeniedVisitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_.Sync({run_});
    Deny();
  }
  void Deny() {
    ASSERT_EQ(engine_.Requests().size(), 1U);
    engine_.Answer(403, R"({"kind":"Status","code":403,"message":"may not patch"})");
  }
  [[nodiscard]] bool Problem() const { return !engine_.CheckHealth().problem.empty(); }
  [[nodiscard]] auto Complaints() const {
    return std::ranges::count(engine_.Log(), LogLevel::kError, &LogLine::level);
  }

  EngineHarness engine_;
  RunText run_ = Beating().Spec(R"("deadlineSeconds":3600)");
};

TEST_F(DeniedVisitTest, MakesTheControllerUnreadyUntilOneSucceeds) {
  EXPECT_EQ(engine_.CheckHealth().problem, "can't write a JobRun's status: may not patch");
  engine_.Pass(10s);
  EXPECT_TRUE(Problem());
  engine_.Pass(5s);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_TRUE(Problem());
  RunText visited = RunText(run_).Version(51);
  visited.start_time = visited.claimed_at;
  engine_.Answer(200, visited.Json());
  EXPECT_FALSE(Problem());
}

TEST_F(DeniedVisitTest, IsToldOnceAMinute) {
  EXPECT_EQ(Complaints(), 1);
  for (int i = 0; i < 3; ++i) {
    engine_.Pass(15s);
    Deny();
  }
  EXPECT_EQ(Complaints(), 1);
  engine_.Pass(15s);
  Deny();
  EXPECT_EQ(Complaints(), 2);
}

TEST_F(DeniedVisitTest, SaysNothingOfAnOverloadedServerButDoesNotCountAsMended) {
  engine_.Pass(15s);
  engine_.Answer(503);
  EXPECT_TRUE(Problem());
  EXPECT_EQ(Complaints(), 1);
}

TEST_F(DeniedVisitTest, IsForgottenWithTheRunThatNeededIt) {
  engine_.Watch(RunText(run_).Phase("Succeeded").Version(60));
  EXPECT_FALSE(Problem());
}

TEST_F(DeniedVisitTest, IsForgottenWhenTheRunIsGone) {
  engine_.Watch(RunText(run_).Version(60), "DELETED");
  EXPECT_FALSE(Problem());
}

TEST_F(DeniedVisitTest, IsForgottenWhenTheRunCantBeReadAnyMore) {
  RunText bad = RunText(run_).Spec(R"("deadlineSeconds":"long")").Version(60);
  bad.generation = 2;
  engine_.Watch(bad);
  EXPECT_FALSE(Problem());
}

TEST_F(DeniedVisitTest, IsForgottenWhenNothingIsWrittenAnyMore) {
  engine_.Give(ConfigLoaded{Settings{.reaping = Reaping::kDryRun}});
  EXPECT_FALSE(Problem());
}

TEST(VisitTest, ThatWaitsForItsTurnIsDroppedWhenTheRunIsNoLongerReaped) {
  Settings settings{.rate_limit = {.visits_per_second = 1}};
  EngineHarness engine(settings);
  const std::string deadline = R"("deadlineSeconds":3600)";
  engine.Sync({Beating("a").Spec(deadline), Beating("b").Spec(deadline)});
  EXPECT_EQ(engine.Requests().size(), 1U);
  settings.reaping = Reaping::kDisabled;
  engine.Give(ConfigLoaded{settings});
  engine.Pass(10s);
  EXPECT_EQ(engine.Requests().size(), 1U);
  settings.reaping = Reaping::kEnabled;
  engine.Give(ConfigLoaded{settings});
  EXPECT_EQ(engine.Requests().size(), 2U);
}

TEST(VisitTest, ARunThatNeedsNoneAnyMoreTakesNoTurn) {
  EngineHarness engine(Settings{.rate_limit = {.visits_per_second = 1}});
  const std::string deadline = R"("deadlineSeconds":3600)";
  std::vector<RunText> runs;
  for (const char* name : {"a", "b", "c", "d"}) runs.push_back(Beating(name).Spec(deadline));
  engine.Sync(runs);
  EXPECT_EQ(engine.Requests().size(), 1U);
  for (const std::size_t done : {1U, 2U}) engine.Watch(runs[done].Phase("Succeeded").Version(60));
  engine.Pass(1s);
  ASSERT_EQ(engine.Requests().size(), 2U);
  EXPECT_NE(engine.Requests().back().target.find("/d/"), std::string::npos);
}

TEST(VisitTest, AVerdictDoesNotWaitForIt) {
  EngineHarness engine;
  engine.Sync({Beating().Spec(R"("deadlineSeconds":3600)")});
  engine.Pass(150s);  // the visit has no answer yet
  EXPECT_EQ(engine.Requests().size(), 2U);
}

}  // namespace
}  // namespace jobrun
