// Runs that ended: when they are deleted.
#include <gtest/gtest.h>

#include "tests/engine/outbox_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST_F(OutboxTest, AFinishedRunIsDeletedAfterItsTimeAndNotBefore) {
  RunText run = RunText("a").Claimed().Phase("Succeeded").Spec(R"("ttlSecondsAfterFinished":60)");
  run.completion_time = "2026-11-22T12:00:00Z";
  engine_.Sync({run});
  engine_.Pass(59s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(3s);
  engine_.Answer(200, run.Version(40).Json());
  EXPECT_EQ(Only().method, Method::kDelete);
  EXPECT_TRUE(Writes(R"("resourceVersion":"40")"));
  engine_.Answer(200, "{}");
  ExpectNothingLeft();
}

TEST_F(OutboxTest, ARunWhoseRetryIsPendingIsNotDeleted) {
  RunText run = Parent(R"("ttlSecondsAfterFinished":0,"retry":{"maxAttempts":3})");
  run.completion_time = "2026-11-22T12:00:00Z";
  Sync(run);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(Only().method, Method::kPost);
  engine_.Answer(403);
  for (int i = 0; i < 4; ++i) {
    for (const Request& request : engine_.Requests()) EXPECT_NE(request.method, Method::kDelete);
    if (!engine_.Requests().empty()) engine_.Answer(503);
    engine_.Pass(10min);
  }
}

TEST_F(OutboxTest, WithoutATimeOfCompletionTheTimeToLiveCountsFromTheFirstSight) {
  RunText run = RunText("a").Claimed().Phase("Failed").Spec(R"("ttlSecondsAfterFinished":60)");
  engine_.Sync({run});
  engine_.Pass(50s);
  engine_.Watch(run.Version(30));
  engine_.Pass(9s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(3s);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
}

TEST_F(OutboxTest, ATimeOfCompletionToComeCountsAsTheFirstSight) {
  RunText run = RunText("a").Claimed().Phase("Succeeded").Spec(R"("ttlSecondsAfterFinished":60)");
  run.completion_time = "2026-11-22T13:00:00Z";
  engine_.Sync({run});
  engine_.Pass(59s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(3s);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
}

TEST_F(OutboxTest, ARetryThatIsSettledLateLeavesAllItsTimeToLive) {
  RunText run = Parent(R"("ttlSecondsAfterFinished":60,"retry":{"maxAttempts":3})");
  engine_.Sync({run});
  engine_.Pass(2s);
  engine_.Answer(200, run.Json());
  engine_.Pass(30s);
  engine_.Answer(201, Successor().Json());
  engine_.Answer(200, run.Retry(R"("state":"Created")").Version(60).Json());
  engine_.Pass(58s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(5s);
  EXPECT_EQ(Only().method, Method::kGet);
}

TEST_F(OutboxTest, ATimeToLiveThatAReloadShortensHoldsAtOnce) {
  Settings settings;
  settings.defaults.ttl = 500s;
  engine_.Give(ConfigLoaded{settings});
  RunText run = RunText("a").Claimed().Phase("Succeeded");
  run.completion_time = "2026-11-22T12:00:00Z";
  engine_.Sync({run});
  engine_.Pass(60s);
  EXPECT_TRUE(engine_.Requests().empty());
  settings.defaults.ttl = 30s;
  engine_.Give(ConfigLoaded{settings});
  engine_.Answer(200, run.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
}

TEST_F(OutboxTest, ATimeToLiveThatComesWithAReloadHoldsForRunsThatEndedBefore) {
  RunText run = RunText("a").Claimed().Phase("Succeeded");
  run.completion_time = "2026-11-22T12:00:00Z";
  Sync(run);
  Settings settings;
  settings.defaults.ttl = 5s;
  engine_.Give(ConfigLoaded{settings});
  engine_.Answer(200, run.Json());
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(5s);
  engine_.Answer(200, run.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
}

// A successor that has ended; `created`: when.
class SuccessorDeletionTest : public OutboxTest {
 protected:
  void SyncEnded(const std::string& created) {
    run_.spec += R"(,"ttlSecondsAfterFinished":0)";
    run_.created = created;
    run_.completion_time = "2026-11-22T12:00:00Z";
    Sync(run_.Claimed().Phase("Succeeded"));
  }
  // Its own read is answered; the next one is for the run before it.
  void ReadsIt() {
    engine_.Answer(200, run_.Json());
    EXPECT_EQ(Only().method, Method::kGet);
    EXPECT_TRUE(Only().target.ends_with("/jobruns/a")) << Only().target;
  }

  RunText run_ = Successor();
};

TEST_F(SuccessorDeletionTest, WaitsUntilItIsRecorded) {
  SyncEnded("2026-11-22T11:50:00Z");
  ReadsIt();
  engine_.Answer(200, Parent().Json());
  EXPECT_TRUE(engine_.Requests().empty()) << "it would be created again";
  engine_.Pass(10s);
  ReadsIt();
  engine_.Answer(200, Parent().Retry(R"("state":"Created")").Version(60).Json());
  EXPECT_EQ(Only().method, Method::kDelete);
}

TEST_F(SuccessorDeletionTest, WaitsWhileNothingIsDecidedYet) {
  SyncEnded("2026-11-22T11:50:00Z");
  ReadsIt();
  engine_.Answer(200, Parent().Retry("").Json());
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(SuccessorDeletionTest, ComesAtOnceWhenTheRunBeforeItIsGone) {
  SyncEnded("2026-11-22T11:50:00Z");
  ReadsIt();
  engine_.Answer(404);
  EXPECT_EQ(Only().method, Method::kDelete);
}

TEST_F(SuccessorDeletionTest, DoesNotAskForAnotherRunOfThatName) {
  SyncEnded("2026-11-22T11:50:00Z");
  ReadsIt();
  RunText other = Parent();
  other.uid = Uid{5, 5};
  engine_.Answer(200, other.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
}

TEST_F(SuccessorDeletionTest, DoesNotAskForWhatIsNoName) {
  run_.Spec(R"("retryOf":{"name":"..","uid":")" + FormatUid(RunText("a").uid) + "\"}");
  SyncEnded("2026-11-22T11:50:00Z");
  engine_.Answer(200, run_.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
}

TEST_F(SuccessorDeletionTest, IsTriedAgainWhenItIsNotKnown) {
  SyncEnded("2026-11-22T11:50:00Z");
  ReadsIt();
  engine_.Answer(0);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(2s);
  ReadsIt();
}

// One that was given up, or another controller's.
TEST_F(SuccessorDeletionTest, WaitsAsLongAsACreationOfItMayBeUnderWay) {
  SyncEnded("2026-11-22T11:59:00Z");
  engine_.Pass(57s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(4s);
  ReadsIt();
  engine_.Answer(404);
  EXPECT_EQ(Only().method, Method::kDelete);
}

}  // namespace
}  // namespace jobrun
