// Row 5 of the verdict table: pods that runs name as their executors.
#include <gtest/gtest.h>

#include "tests/engine/executors_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class ThreeChecksTest : public ExecutorsTest {
 protected:
  ThreeChecksTest() : ExecutorsTest(3) {}
};

TEST_F(ExecutorsTest, DeadExecutorReapedAfterNConsecutiveChecks) {
  Start(Recorded(), {pod_.Line("ADDED")});
  EXPECT_TRUE(Quiet());
  Pod(pod_, "DELETED");
  Dead();
  engine_.Pass(10s - 1ns);
  EXPECT_TRUE(Quiet()) << "the looks are ten seconds apart";
  engine_.Pass(1ns);
  Dead();
  ExpectLost(Recorded(), "PodDeleted", "deleted");
  EXPECT_EQ(Checks(ExecutorCheck::kDead), 2);
}

TEST_F(ThreeChecksTest, DeadDeadAliveDeadDeadDeadIsReapedOnTheSixth) {
  Start(Recorded(), {});  // a pod that the watch does not have
  Dead();
  engine_.Pass(10s);
  Dead();
  engine_.Pass(10s);
  Alive();
  engine_.Pass(10s);
  Dead();
  engine_.Pass(10s);
  Dead();
  EXPECT_TRUE(Quiet());
  engine_.Pass(10s);
  Dead();
  ExpectLost(Recorded(), "PodDeleted", "deleted");
}

TEST_F(ExecutorsTest, AliveWithinTheLimitNeverReaped) {
  Start(Recorded(), {pod_.Line("ADDED")});
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
  Pod(PodText("p").Ended("Running", "Error", 1), "MODIFIED");  // about to be restarted
  Pod(PodText("p").Deleting("2026-11-22T13:00:30Z"), "MODIFIED");
  engine_.Pass(30min);
  Pod(PodText("p").Deleting("2026-11-22T13:00:30Z"), "MODIFIED");
  EXPECT_TRUE(Quiet()) << "a pod that takes its time to end lives";
}

TEST_F(ExecutorsTest, OnlyAPodOnceSeenAliveCanBeLost) {
  Start(Run(), {});
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
  Pod(PodText("p", 8), "ADDED");  // another uid
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
}

TEST_F(ExecutorsTest, ThatItWasSeenAliveIsRecordedOnce) {
  Start(Run(), {pod_.Line("ADDED")});
  ASSERT_EQ(engine_.Requests().size(), 1U);
  const Request visit = engine_.Requests()[0];
  EXPECT_EQ(visit.content_type, "application/merge-patch+json");
  EXPECT_NE(visit.body.find("was seen alive"), std::string::npos) << visit.body;
  EXPECT_EQ(visit.body.find("startTime"), std::string::npos) << "no limit counts from it";
  engine_.Answer(200, Recorded().Version(2).Json());
  engine_.Watch(Recorded().Version(3).Progress("x"));
  EXPECT_TRUE(Quiet());
}

TEST_F(ExecutorsTest, ARunThatNamesItsPodAfterItsClaimIsVisited) {
  Start(RunText("a").Claimed(), {pod_.Line("ADDED")});
  EXPECT_TRUE(Quiet());
  engine_.Watch(Run().Version(2));
  EXPECT_FALSE(Quiet());
}

TEST_F(ExecutorsTest, ConditionsOfOthersStayWhenItIsRecorded) {
  Start(Run().Conditions(R"({"type":"other","status":"True"})"), {pod_.Line("ADDED")});
  ASSERT_EQ(engine_.Requests().size(), 1U);
  const Request visit = engine_.Requests()[0];
  EXPECT_EQ(visit.content_type, "application/json-patch+json");
  EXPECT_TRUE(visit.body.starts_with(
      R"([{"op":"test","path":"/metadata/resourceVersion","value":"1"},)"
      R"({"op":"add","path":"/status/conditions/-","value":{"type":"ExecutorFound",)"))
      << visit.body;
}

TEST_F(ExecutorsTest, WhatWasRecordedOfAnotherPodDoesNotCount) {
  Start(Run().Conditions(Found(PodText("p", 9))), {});
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
}

TEST_F(ExecutorsTest, AChangedHeartbeatStartsTheRowAnew) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  Dead();
  engine_.Watch(Recorded().Beat(1).Version(2));
  engine_.Pass(10s);
  Dead();
  EXPECT_TRUE(Quiet());
  engine_.Pass(10s);
  Dead();
  EXPECT_FALSE(Quiet());
}

TEST_F(ExecutorsTest, AHeartbeatBeforeTheWriteSavesIt) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  Dead();
  engine_.Pass(10s);
  Dead();
  engine_.Answer(200, Recorded().Beat(1).Version(2).Json());
  EXPECT_TRUE(Quiet());
  EXPECT_EQ(engine_.Reaps(Reason::kExecutorLost), 0);
}

TEST_F(ExecutorsTest, WithinTheFinalizeGraceNothingHappensThoughThePodIsDead) {
  Start(Recorded().Exited(0), {});
  Pod(PodText("p").Ended("Succeeded", "Completed", 0), "ADDED");
  engine_.Pass(299s);
  EXPECT_TRUE(Quiet());
}

class UnknownTest : public ExecutorsTest, public testing::WithParamInterface<int> {};

TEST_P(UnknownTest, IsNeitherDeadNorAlive) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  Dead();
  for (int i = 0; i < 5; ++i) {
    engine_.Pass(10s);
    AnswerRead(GetParam(), "");
  }
  EXPECT_EQ(Checks(ExecutorCheck::kUnknown), 5);
  engine_.Pass(10s);
  Dead();
  EXPECT_FALSE(Quiet()) << "the row goes on where it was";
}
INSTANTIATE_TEST_SUITE_P(Statuses, UnknownTest, testing::Values(0, 401, 403, 500, 503));

TEST_F(ExecutorsTest, ATroubleWithReadsIsSaidOnceAMinute) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  for (int i = 0; i < 5; ++i) {
    AnswerRead(403, "");
    engine_.Pass(10s);
  }
  int lines = 0;
  for (const LogLine& line : engine_.Log()) {
    lines += line.message.starts_with("a pod can't be read") ? 1 : 0;
  }
  EXPECT_EQ(lines, 1);
}

TEST_F(ExecutorsTest, APodBeyondTheSelectorIsLookedAtEverMoreRarely) {
  Start(Recorded(), {});
  int reads = 0;
  for (int i = 0; i < 360; ++i) {
    if (!Quiet()) {
      Alive();
      ++reads;
    }
    engine_.Pass(10s);
  }
  EXPECT_GT(reads, 10);
  EXPECT_LT(reads, 20);
}

TEST_F(ExecutorsTest, WithoutPermissionToWatchItIsOff) {
  engine_.Sync({Recorded()});
  engine_.CutWitnesses(Watched::kPods, 403);
  engine_.Pass(5s);
  EXPECT_TRUE(engine_.CheckHealth().synced);
  EXPECT_TRUE(engine_.CheckHealth().problem.empty()) << "it is ready all the same";
  bool told = false;
  for (const LogLine& line : engine_.Log()) {
    told = told || line.message.find("executors.enabled needs get, list and watch on pods") !=
                       std::string::npos;
  }
  EXPECT_TRUE(told);
  for (const Request& request : engine_.Requests()) {
    EXPECT_NE(request.target, kPodPath) << "nothing is known before the first list";
  }
}

TEST_F(ExecutorsTest, WhatAListDoesNotHaveIsGone) {
  Start(Recorded(), {pod_.Line("ADDED")});
  engine_.CutWitnesses(Watched::kPods, 410);
  engine_.SyncWitnesses(Watched::kPods, {});
  Dead();
}

TEST_F(ExecutorsTest, APodThatEndedBeforeTheListDidIsLookedAt) {
  engine_.Sync({Recorded()});
  engine_.Witness(Watched::kPods, PodText("p").Ended("Failed", "Error", 1).Line("ADDED"));
  engine_.SyncWitnesses(Watched::kPods, {});  // the rest of the list, and its end
  EXPECT_FALSE(Quiet());
}

TEST_F(ExecutorsTest, DryRunWritesNothing) {
  Settings settings = SettingsWith(2);
  settings.reaping = Reaping::kDryRun;
  engine_.Give(ConfigLoaded{settings});
  Start(Run(), {pod_.Line("ADDED")});
  EXPECT_TRUE(Quiet()) << "that it was found is not recorded either";
  Pod(pod_, "DELETED");
  Dead();
  engine_.Pass(10s);
  Dead();
  EXPECT_TRUE(Quiet());
  EXPECT_EQ(engine_.Suppressed(Suppression::kDryRun), 1);
}

TEST_F(ExecutorsTest, DisabledRunsAreNotLookedAt) {
  Start(Recorded().Spec(R"("reaping":"Disabled")"), {});
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
}

TEST_F(ExecutorsTest, ARunThatEndsIsForgotten) {
  Start(Recorded(), {pod_.Line("ADDED")});
  engine_.Watch(Recorded().Version(2).Phase("Succeeded"));
  Pod(pod_, "DELETED");
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
}

TEST_F(ExecutorsTest, SwitchedOffInTheMiddleOfARow) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  Dead();
  Settings off = SettingsWith(2);
  off.executors.enabled = false;
  engine_.Give(ConfigLoaded{off});
  EXPECT_FALSE(engine_.WatchesWitnesses(Watched::kPods));
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
}

TEST_F(ExecutorsTest, SwitchedOnWhileItRuns) {
  Settings off = SettingsWith(2);
  off.executors.enabled = false;
  engine_.Restart(EngineHarness::OptionsWith(off));
  engine_.Sync({Recorded()});
  EXPECT_FALSE(engine_.WatchesWitnesses(Watched::kPods));
  Settings on = SettingsWith(2);
  on.executors.selector = "app=worker";
  engine_.Give(ConfigLoaded{on});
  EXPECT_NE(engine_.WitnessTarget(Watched::kPods).find("labelSelector=app%3Dworker"),
            std::string::npos);
  engine_.Sync({Recorded()});  // the runs are told again
  engine_.SyncWitnesses(Watched::kPods, {});
  Dead();
  engine_.Pass(10s);
  Dead();
  ExpectLost(Recorded(), "PodDeleted", "deleted");
}

TEST_F(ExecutorsTest, AnAnswerAboutThePodBeforeSaysNothing) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  const PodText other("p", 9);
  engine_.Watch(
      RunText("a").Claimed().Executor("p", other.uid).Conditions(Found(other)).Version(2));
  ASSERT_EQ(engine_.Requests().size(), 2U) << "a look at each";
  engine_.Answer(404, kNotFound);
  engine_.Answer(404, kNotFound);
  EXPECT_TRUE(Quiet()) << "only one of them is about the pod that it names now";
}

TEST_F(ExecutorsTest, ManyRunsInOnePod) {
  RunText b = RunText("b", 77).Claimed().Executor("p", pod_.uid).Conditions(Found(pod_));
  engine_.Sync({Recorded(), b});
  engine_.SyncWitnesses(Watched::kPods, {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  for (int row = 0; row < 2; ++row) {
    ASSERT_EQ(engine_.Requests().size(), 2U);
    engine_.Answer(404, kNotFound);
    engine_.Answer(404, kNotFound);
    if (row == 0) engine_.Pass(10s);
  }
  EXPECT_EQ(engine_.Requests().size(), 2U) << "both are written";
}

}  // namespace
}  // namespace jobrun
