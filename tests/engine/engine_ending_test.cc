// Runs whose work has exited, that were cancelled, or that must progress.
#include <gtest/gtest.h>

#include "tests/engine/verdict_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

RunText& Next(RunText& run) { return run.Version(run.version + 1); }

constexpr const char* kGated = R"("completionGates":[{"conditionType":"data/copied"}])";
constexpr const char* kGateFalse = R"({"type":"data/copied","status":"False"})";
constexpr const char* kGateTrue =
    R"({"type":"x","status":"False"},{"type":"data/copied","status":"True"})";

TEST(EngineEndingTest, ARecordedExitCodeStopsEveryRuleButTheGrace) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  engine.Pass(149s);
  engine.Watch(Next(run.Exited(0)));
  engine.Pass(300s - 1ms);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1ms);
  ExpectVerdict(engine, "FinalizedByController");
  EXPECT_NE(engine.Requests()[0].body.find(R"("phase":"Succeeded")"), std::string::npos);
}

TEST(EngineEndingTest, AHeartbeatAfterTheExitStartsTheGraceAnew) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  engine.Watch(Next(run.Exited(3)));
  engine.Pass(200s);
  engine.Watch(Next(run.Beat(2)));
  engine.Pass(299s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "ExitNonZero");
}

TEST(EngineEndingTest, FinalizingIsCountedByItselfAndNotAsAReap) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run.Exited(0)});
  engine.Pass(300s);
  run.reason = "FinalizedByController";
  run.verdict_id = "proc-1";
  engine.Answer(200, Next(run.Phase("Succeeded")).Json());
  EXPECT_EQ(engine.Counted(Metric::kFinalized), 1);
  for (std::uint8_t reason = 0; reason < kReasonCount; ++reason) {
    EXPECT_EQ(engine.Counted(Metric::kReaps, reason), 0);
  }
}

TEST(EngineEndingTest, AlreadyFinishedByTheWorkerIsLeftAlone) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run.Exited(0)});
  engine.Pass(299s);
  engine.Watch(Next(run.Phase("Succeeded")));
  engine.Pass(1h);
  EXPECT_TRUE(engine.Requests().empty());
  EXPECT_EQ(engine.Counted(Metric::kFinalized), 0);
}

TEST(EngineEndingTest, TheLoserOfTheRaceToFinishDoesNothing) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run.Exited(0)});
  engine.Pass(300s);
  engine.Answer(409);
  engine.Answer(200, Next(run.Phase("Succeeded")).Json());
  engine.Pass(1h);
  EXPECT_TRUE(engine.Requests().empty());
  EXPECT_EQ(engine.Counted(Metric::kConflicts), 1);
  EXPECT_EQ(engine.Counted(Metric::kFinalized), 0);
}

TEST(EngineEndingTest, AGateThatIsNotTrueFailsExitCodeZero) {
  for (const std::string conditions : {"", kGateFalse}) {
    EngineHarness engine;
    RunText run = Beating().Spec(kGated).Conditions(conditions);
    engine.Sync({run.Exited(0)});
    engine.Pass(300s);
    // Conditions of others are read before they are written.
    if (!conditions.empty()) engine.Answer(200, run.Json());
    ExpectVerdict(engine, "CompletionGateUnmet");
    EXPECT_NE(engine.Requests()[0].body.find("gate data/copied"), std::string::npos);
  }
}

TEST(EngineEndingTest, AGateThatTurnsTrueWithinTheGraceCounts) {
  EngineHarness engine;
  RunText run = Beating().Spec(kGated).Conditions(kGateFalse);
  engine.Sync({run.Exited(0)});
  engine.Pass(200s);
  engine.Watch(Next(run.Conditions(kGateTrue)));
  engine.Pass(100s);
  engine.Answer(200, run.Json());
  ExpectVerdict(engine, "FinalizedByController");
}

TEST(EngineEndingTest, AGateTakenAwayByAReloadIsNotAskedForAnyMore) {
  Settings settings;
  settings.defaults.completion_gates = {"data/copied"};
  EngineHarness engine(settings);
  engine.Sync({Beating().Exited(0)});
  engine.Pass(100s);
  engine.Give(ConfigLoaded{});
  engine.Pass(200s);
  ExpectVerdict(engine, "FinalizedByController");
}

TEST(EngineEndingTest, ACancelledPendingRunFailsAtOnce) {
  EngineHarness engine;
  RunText run("a");
  engine.Sync({run});
  engine.Pass(10s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Watch(run.Edited(R"("cancelled":true)"));
  ExpectVerdict(engine, "Cancelled");
}

TEST(EngineEndingTest, ACancelledRunningRunIsLeftItsGrace) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  engine.Pass(10s);
  engine.Watch(run.Edited(R"("cancelled":true,"cancelGraceSeconds":20)"));
  engine.Pass(20s - 1ms);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1ms);
  ExpectVerdict(engine, "Cancelled");
}

TEST(EngineEndingTest, ARunThatBeatsWithoutProgressIsStuck) {
  EngineHarness engine;
  RunText run = Beating().Spec(R"("progressTimeoutSeconds":100)").Progress("1/9");
  engine.Sync({run});
  engine.Pass(60s);
  engine.Watch(Next(run.Beat(2).Progress("2/9")));
  engine.Pass(60s);
  engine.Watch(Next(run.Beat(3)));
  engine.Pass(40s - 1ms);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1ms);
  ExpectVerdict(engine, "NoProgress");
}

TEST(EngineEndingTest, ProgressIsAwaitedFromTheClaim) {
  EngineHarness engine;
  RunText run = RunText("a").Spec(R"("progressTimeoutSeconds":100,"claimTTLSeconds":1000)");
  engine.Sync({run});
  engine.Pass(500s);
  engine.Watch(Next(run.Claimed()));
  engine.Pass(99s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "NoProgress");
}

TEST(EngineEndingTest, AProgressLimitThatComesWithAReloadCountsFromThen) {
  EngineHarness engine;
  RunText run = Beating();
  run.Spec(R"("heartbeat":{"timeoutSeconds":10000})");
  engine.Sync({run});
  engine.Pass(500s);
  Settings settings;
  settings.defaults.progress_timeout = 100s;
  engine.Give(ConfigLoaded{settings});
  engine.Pass(99s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "NoProgress");
}

TEST(EngineEndingTest, ALoweredProgressLimitLeavesTheWorkerTwoIntervals) {
  EngineHarness engine;
  RunText run = Beating();
  const std::string quiet = R"("heartbeat":{"timeoutSeconds":10000,"intervalSeconds":30},)";
  engine.Sync({run.Spec(quiet + R"("progressTimeoutSeconds":1000)")});
  engine.Pass(500s);
  engine.Watch(run.Edited(quiet + R"("progressTimeoutSeconds":70)"));
  engine.Pass(59s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1s);
  ExpectVerdict(engine, "NoProgress");
}

TEST(EngineEndingTest, ASignOfLifeAfterTheVerdictIsADisputeCountedOnce) {
  EngineHarness engine;
  RunText run = RunText("a").Claimed().Phase("Stuck");
  RunText listed = RunText("b").Claimed().Phase("Stuck");
  listed.late_heartbeat = "2026-11-22T11:00:00Z";
  engine.Sync({run, listed});
  run.late_heartbeat = "2026-11-22T12:00:00Z";
  engine.Watch(Next(run));
  engine.Watch(Next(run));
  engine.Watch(Next(listed));
  EXPECT_EQ(engine.Counted(Metric::kDisputed), 1);
}

TEST(EngineEndingTest, AnUnknownLaneIsReportedOnce) {
  EngineHarness engine;
  engine.Sync({Beating("a").Lane("new"), Beating("b").Lane("new"), Beating("c")});
  const auto told = std::ranges::count_if(engine.Log(), [](const LogLine& line) {
    return line.message.find("does not name") != std::string::npos;
  });
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace jobrun
