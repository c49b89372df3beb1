// What becomes of a run that leaves the selection, which the watch tells as a deletion.
#include <gtest/gtest.h>

#include "tests/engine/selection_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class DeparturesTest : public SelectionTest {
 protected:
  // Its verdict is on its way.
  void SetUp() override {
    engine_.Sync({run_});
    engine_.Pass(150s);
    for (const Request& request : engine_.TakeRequests()) {
      if (request.method == Method::kPatch) verdict_ = request;
    }
    ASSERT_FALSE(verdict_.body.empty());
    ended_ = Ended(verdict_, run_);
  }
  void AnswerVerdict(int status, const std::string& body = {}) {
    engine_.AnswerTo(verdict_.id, status, body);
  }

  RunText run_ = Beating().Version(50);
  RunText ended_{"a"};
  Request verdict_{};
};

TEST_F(DeparturesTest, AVerdictThatIsAnsweredFirstIsCountedOnceAndItsRunForgotten) {
  AnswerVerdict(200, ended_.Json());
  Leaves(run_, ended_.version);
  EXPECT_EQ(Reaps(), 1);
  EXPECT_EQ(Held(), 0U);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(DeparturesTest, AVerdictThatIsAnsweredAfterwardsIsCountedOnce) {
  Leaves(run_, ended_.version);
  EXPECT_EQ(Reaps(), 0);
  AnswerVerdict(200, ended_.Json());
  engine_.Pass(1s);
  EXPECT_EQ(Reaps(), 1);
  EXPECT_EQ(Held(), 0U);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(DeparturesTest, AVerdictWhoseAnswerWasLostIsCountedFromARead) {
  AnswerVerdict(0);
  Leaves(run_, ended_.version);
  EXPECT_EQ(Only().method, Method::kGet);
  engine_.Answer(200, ended_.Json());
  EXPECT_EQ(Reaps(), 1);
  engine_.Pass(10min);
  EXPECT_EQ(Held(), 0U);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(DeparturesTest, AReadThatFailsIsMadeAgain) {
  AnswerVerdict(0);
  Leaves(run_, ended_.version);
  engine_.Answer(503);
  engine_.Pass(1s);
  engine_.Answer(200, ended_.Json());
  EXPECT_EQ(Reaps(), 1);
}

TEST_F(DeparturesTest, OfARunThatIsGoneNothingIsCounted) {
  AnswerVerdict(0);
  Leaves(run_, ended_.version);
  engine_.Answer(404);
  EXPECT_EQ(Reaps(), 0);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(DeparturesTest, NorOfOneThatEndedOtherwise) {
  AnswerVerdict(0);
  Leaves(run_, ended_.version);
  engine_.Answer(200, RunText(run_).Phase("Succeeded").Version(60).Json());
  engine_.Pass(1s);
  EXPECT_EQ(Reaps(), 0);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(DeparturesTest, ItIsJudgedNoMore) {
  Leaves(run_, ended_.version);
  AnswerVerdict(429);
  engine_.Pass(10s);
  EXPECT_EQ(Only().method, Method::kGet) << "neither a verdict nor a read for one beside it";
}

TEST_F(DeparturesTest, OneThatLeftByItsLabelsIsJudgedNoMore) {
  AnswerVerdict(0);
  Leaves(run_, ended_.version);
  engine_.Answer(200, RunText(run_).Version(60).Json());
  engine_.Pass(10min);
  EXPECT_EQ(Held(), 0U);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(DeparturesTest, AListWithoutTheRunTellsAsMuch) {
  AnswerVerdict(0);
  engine_.CutStream(410);
  engine_.Sync({}, 70);
  EXPECT_EQ(Only().method, Method::kGet);
  engine_.Answer(200, ended_.Json());
  engine_.Pass(1s);
  EXPECT_EQ(Reaps(), 1);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(DeparturesTest, AVerdictThatIsSeenOnlyAsTheRunLeavesIsCounted) {
  AnswerVerdict(0);
  RunText pending = ended_;
  pending.retry = R"("state":"Pending","successorName":"a-b")";
  Leaves(pending, 90);
  EXPECT_EQ(Reaps(), 1);
}

TEST_F(DeparturesTest, ARunThatComesBackIsJudgedAgain) {
  AnswerVerdict(0);
  Leaves(run_, 60);
  engine_.Answer(503);
  engine_.Pass(2s);
  EXPECT_EQ(Only().method, Method::kGet) << "for its departure";
  engine_.Watch(run_.Version(61), "ADDED");
  engine_.Answer(200, run_.Json());
  EXPECT_EQ(Only().method, Method::kGet) << "for its verdict";
  engine_.Answer(200, run_.Json());
  ExpectVerdict(engine_, "HeartbeatTimeout");
}

TEST_F(DeparturesTest, WhatComesLateOfItIsNoNews) {
  AnswerVerdict(200, ended_.Json());
  Leaves(run_, ended_.version);
  engine_.Watch(RunText(run_).Beat(2).Version(ended_.version - 1));
  EXPECT_EQ(Held(), 0U);
  engine_.Watch(RunText(run_).Beat(3).Version(ended_.version + 1), "ADDED");
  EXPECT_EQ(Held(), 1U) << "an old backup has brought it back";
}

TEST_F(SelectionTest, ARunThatFinishesIsForgottenWithoutAWord) {
  engine_.Sync({Beating().Version(50), Beating("b").Version(51)});
  Leaves(Beating(), 60);
  EXPECT_EQ(Held(), 1U);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(SelectionTest, AnEndOfARetryWhoseAnswerWasLostIsCountedFromARead) {
  RunText parent = RunText("a").Claimed().Phase("Failed").Spec(R"("retry":{"maxAttempts":3})");
  parent.retry =
      R"("state":"Pending","successorName":"a-b","notBeforeTime":"2026-11-22T12:00:00Z")";
  RunText successor("a-b");
  successor.Spec(R"("attempt":2,"retryOf":{"name":"a","uid":")" + FormatUid(parent.uid) + "\"}");
  engine_.Sync({parent.Version(50)});
  engine_.Pass(2s);
  engine_.Answer(200, parent.Json());
  engine_.Answer(201, successor.Json());
  EXPECT_NE(Only().body.find(R"("state":"Created")"), std::string::npos);
  engine_.Answer(0);
  Leaves(parent, 60);
  EXPECT_EQ(Only().method, Method::kGet);
  parent.retry = R"("state":"Created","successorName":"a-b")";
  engine_.Answer(200, parent.Version(60).Json());
  engine_.Pass(10min);
  EXPECT_EQ(engine_.Counted(Metric::kRetries, static_cast<std::uint8_t>(RetryResult::kCreated)), 1);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(SelectionTest, ARunThatIsToBeDeletedSoonIsFollowed) {
  RunText run = Beating().Spec(R"("ttlSecondsAfterFinished":20)").Version(50);
  engine_.Sync({run});
  Leaves(run, 60);
  RunText over = RunText(run).Phase("Succeeded").Version(60);
  over.completion_time = "2026-11-22T12:00:00Z";
  EXPECT_EQ(Only().method, Method::kGet);
  engine_.Answer(200, over.Json());
  engine_.Pass(19s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(3s);
  engine_.Answer(200, over.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
  engine_.Answer(200, "{}");
  engine_.Pass(25s);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(SelectionTest, OneThatIsToBeDeletedLateIsNot) {
  RunText run = Beating().Spec(R"("ttlSecondsAfterFinished":601)").Version(50);
  engine_.Sync({run});
  Leaves(run, 60);
  EXPECT_TRUE(engine_.Requests().empty());
  EXPECT_EQ(Held(), 0U);
}

TEST_F(SelectionTest, NoSuccessorIsMadeOfARunThatHasLeft) {
  RunText parent = RunText("a").Claimed().Phase("Failed").Spec(
      R"("concurrencyKey":"k","ttlSecondsAfterFinished":5,"retry":{"maxAttempts":3})");
  parent.retry =
      R"("state":"Pending","successorName":"a-b","notBeforeTime":"2026-11-22T12:00:00Z")";
  engine_.Sync({parent.Version(50)});
  engine_.Pass(2s);
  engine_.Answer(200, parent.Json());
  const Request successor = Only();
  EXPECT_EQ(successor.method, Method::kGet);
  Leaves(parent, 60);
  engine_.AnswerTo(successor.id, 404);
  ASSERT_FALSE(engine_.Requests().empty());
  for (const Request& request : engine_.Requests()) {
    EXPECT_EQ(request.target, "/apis/jobrun.dev/v1/namespaces/ns/jobruns/a") << "what became of it";
  }
}

// ---- what is asked for ----

TEST_F(SelectionTest, ItWatchesWhatIsActiveOrOwesARetry) {
  EXPECT_NE(engine_.LastStream().target.find("fieldSelector=" + EncodeQuery(kUnsettledFields)),
            std::string::npos);
  EXPECT_TRUE(engine_.Scrape().selects);
}

TEST(SelectionOffTest, EverythingIsWatched) {
  EngineHarness engine;
  EXPECT_EQ(engine.LastStream().target.find("fieldSelector"), std::string::npos);
  EXPECT_FALSE(engine.Scrape().selects);
}

TEST(SelectionOffTest, AShardSelectsWithinItsLanes) {
  EngineOptions options = EngineHarness::OptionsWith({});
  options.settings.watch = {.relist = EngineHarness::kSeldom, .finished = false};
  options.scopes = {{.field_selector = "spec.lane=a"}};
  EngineHarness engine(std::move(options));
  EXPECT_NE(engine.LastStream().target.find(
                "fieldSelector=" + EncodeQuery("spec.lane=a," + std::string(kUnsettledFields))),
            std::string::npos);
}

TEST_F(SelectionTest, AServerThatCanNotSelectIsAskedForEverything) {
  engine_.CutStream(400);
  EXPECT_NE(Only().target.find("fieldSelector"), std::string::npos) << "a list in pages";
  engine_.Answer(400);
  EXPECT_EQ(engine_.LastStream().target.find("fieldSelector"), std::string::npos);
  EXPECT_NE(engine_.LastStream().target.find("sendInitialEvents"), std::string::npos);
  engine_.Sync({Beating(), RunText("b").Claimed().Phase("Succeeded")});
  EXPECT_EQ(Held(), 2U);
  EXPECT_FALSE(engine_.Scrape().selects);
  EXPECT_EQ(Said("can't select runs"), 1);
}

TEST_F(SelectionTest, ItIsTriedAgainWhenTheProcessStartsAnew) {
  engine_.CutStream(400);
  engine_.Answer(400);
  engine_.Give(ConfigLoaded{Selecting()});
  engine_.Sync({});
  engine_.CutStream(410);
  EXPECT_EQ(engine_.LastStream().target.find("fieldSelector"), std::string::npos);
  engine_.Restart(EngineHarness::OptionsWith(Selecting()));
  EXPECT_NE(engine_.LastStream().target.find("fieldSelector"), std::string::npos);
}

TEST_F(SelectionTest, AReloadTurnsItOffAndOn) {
  engine_.Sync({Beating()});
  engine_.Give(ConfigLoaded{Settings{}});
  EXPECT_EQ(engine_.LastStream().target.find("fieldSelector"), std::string::npos);
  const RunText over = RunText("b").Claimed().Phase("Succeeded");
  engine_.Sync({Beating(), over});
  EXPECT_EQ(Held(), 2U);
  engine_.Give(ConfigLoaded{Selecting()});
  engine_.Sync({Beating()});
  EXPECT_EQ(Held(), 1U);
}

}  // namespace
}  // namespace jobrun
