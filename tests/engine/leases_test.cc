// Heartbeats by Lease: one Lease keeps all runs of its worker alive, and is deleted before their
// silence is written.
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/leases_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST_F(LeasesTest, OneLeaseKeepsAllRunsOfItsWorkerAlive) {
  Start({Run("a"), Run("b"), Run("c")}, {lease_.Line("ADDED")});
  for (int beat = 2; beat < 20; ++beat) {
    engine_.Pass(29s);
    Lease(lease_ = lease_.Renewed(beat));
  }
  EXPECT_TRUE(Quiet());
}

TEST_F(LeasesTest, ItsSilenceIsWrittenAfterItWasDeleted) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s - 1ns);
  EXPECT_TRUE(Quiet());
  engine_.Pass(1ns);
  ExpectDelete(lease_);
  engine_.Answer(200, kDeleted);
  ExpectVerdict(engine_, "HeartbeatTimeout");
}

TEST_F(LeasesTest, ARenewalThatTheWatchHasNotToldSavesIt) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(409, "");
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_EQ(engine_.Requests()[0].method, Method::kGet);
  EXPECT_EQ(engine_.Requests()[0].target, kLeasePath);
  engine_.Answer(200, lease_.Renewed(2).Json());
  engine_.Pass(30s - 1ns);
  EXPECT_TRUE(Quiet());
  engine_.Pass(1ns);
  ExpectDelete(lease_.Renewed(2));
}

TEST_F(LeasesTest, AWriteThatIsNoRenewalChangesOnlyTheVersion) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(409, "");
  LeaseText labelled = lease_;
  labelled.version = 77;
  engine_.Answer(200, labelled.Json());
  ExpectDelete(labelled);
}

TEST_F(LeasesTest, AHeartbeatInTheStatusAfterTheDeletionSavesIt) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(200, kDeleted);
  engine_.Answer(409, "");  // the worker found its Lease gone, and beat
  engine_.Answer(200, Run().Beat(1).Version(2).Json());
  EXPECT_TRUE(Quiet());
  EXPECT_EQ(engine_.Reaps(Reason::kHeartbeatTimeout), 0);
}

TEST_F(LeasesTest, ALeaseMadeAnewIsDeletedAgainBeforeTheVerdict) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(200, kDeleted);
  engine_.Answer(500, "");  // the outcome of the verdict's write is unknown
  LeaseText anew{.version = 90, .renewed = 1, .uid = 6};
  Lease(anew, "ADDED");
  engine_.Pass(40s);
  ASSERT_FALSE(Quiet());
  ExpectDelete(anew);
}

TEST_F(LeasesTest, BeatsInStatusAndInLeaseBothCount) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(20s);
  engine_.Watch(Run().Beat(1).Version(2));
  engine_.Pass(29s);
  EXPECT_TRUE(Quiet());
  Lease(lease_.Renewed(2));
  engine_.Pass(29s);
  EXPECT_TRUE(Quiet());
}

TEST_F(LeasesTest, OnlyOneRunDeletesTheLeaseOfManyThatAreDue) {
  Start({Run("a"), Run("b"), Run("c")}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  ExpectDelete(lease_);
  engine_.Answer(200, kDeleted);
  EXPECT_EQ(engine_.Requests().size(), 3U) << "all three verdicts";
}

TEST_F(LeasesTest, NothingIsDueBeforeAllLeasesAreKnown) {
  engine_.Sync({Run().Beat(1)});
  engine_.Pass(10min);
  for (const Request& request : engine_.Requests()) {
    EXPECT_NE(request.method, Method::kPatch) << request.target;
    EXPECT_NE(request.target, kLeasePath) << "nor is it asked for";
  }
}

TEST_F(LeasesTest, ARunThatHasNeverBeatenHasItsFreePass) {
  Start({Run()}, {});
  engine_.Pass(1h);
  EXPECT_TRUE(Quiet());
  engine_.Pass(1h);
  ReadGone();
  EXPECT_TRUE(Quiet());
  engine_.Pass(30s);
  ReadGone();
  ExpectVerdict(engine_, "ClaimExpired");
}

TEST_F(LeasesTest, TheBeatBeforeTheLeaseWasMadeIsRemembered) {
  // Another controller has deleted the Lease and died before it wrote the verdict.
  RunText run = Run();
  run.heartbeat = "2026-11-22T12:00:00.000001Z";
  Start({run}, {});
  engine_.Pass(30s);
  ReadGone();
  engine_.Pass(30s);
  ReadGone();
  ExpectVerdict(engine_, "HeartbeatTimeout");
}

TEST_F(LeasesTest, TheFirstRenewalMakesItJudged) {
  Start({Run()}, {});
  engine_.Pass(1h);
  Lease(lease_, "ADDED");
  engine_.Pass(30s);
  ExpectDelete(lease_);
}

TEST_F(LeasesTest, TheDeadlineDoesNotWaitForIt) {
  RunText run = Run();
  run.spec += R"(,"deadlineSeconds":60)";
  run.start_time = "2026-11-22T12:00:00.000000Z";
  Start({run}, {lease_.Line("ADDED")});
  for (int beat = 2; beat < 8; ++beat) {
    engine_.Pass(10s);
    Lease(lease_ = lease_.Renewed(beat));
  }
  engine_.Pass(5s);
  ExpectVerdict(engine_, "DeadlineExceeded");
}

TEST_F(LeasesTest, AnotherWorkersLeaseIsNotIts) {
  LeaseText other{.name = "w2"};
  Start({Run()}, {lease_.Line("ADDED"), other.Line("ADDED")});
  engine_.Pass(20s);
  Lease(other.Renewed(2));
  engine_.Pass(10s);
  ExpectDelete(lease_);
}

TEST_F(LeasesTest, BeatsForOtherRunsDoNotPutOffTheEndOfOneThatHasExited) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Watch(Run().Exited(0).Version(2));
  for (int beat = 2; beat < 32; ++beat) {
    engine_.Pass(10s);
    Lease(lease_ = lease_.Renewed(beat));
  }
  ExpectVerdict(engine_, "FinalizedByController");
}

TEST_F(LeasesTest, AFinalizerOnTheLeaseHoldsItsRun) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(200, lease_.Json());
  EXPECT_TRUE(Quiet());
  engine_.Pass(2s);
  ExpectDelete(lease_);
}

TEST_F(LeasesTest, WithoutARightOnLeasesItIsNotReady) {
  engine_.Sync({Run()});
  engine_.CutWitnesses(Watched::kLeases, 403);
  EXPECT_NE(engine_.CheckHealth().problem.find("leases.coordination.k8s.io"), std::string::npos);
}

TEST_F(LeasesTest, WithoutARightToDeleteThemItSaysSo) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(403, "");
  EXPECT_TRUE(engine_.CheckHealth().problem.starts_with("can't delete a Lease"));
  engine_.Pass(5s);
  engine_.Answer(200, kDeleted);
  EXPECT_TRUE(engine_.CheckHealth().problem.empty());
}

TEST_F(LeasesTest, NobodyWatchesThemWhereNoRunAsksForThem) {
  engine_.Sync({Beating()});
  EXPECT_FALSE(engine_.WatchesWitnesses(Watched::kLeases));
  engine_.Watch(Run("late").Version(2), "ADDED");
  EXPECT_TRUE(engine_.WatchesWitnesses(Watched::kLeases));
}

TEST_F(LeasesTest, ALaneThatIsSwitchedToLeasesIsNotSilentBeforeItsWorkersAreKnown) {
  const RunText run = RunText("a").Lane("etl").ClaimedBy("w").Beat(1);
  engine_.Sync({run});
  Settings settings;
  settings.lanes.push_back(
      {.name = "etl", .thresholds = {.heartbeat_source = HeartbeatSource::kLease}});
  engine_.Give(ConfigLoaded{settings});  // the runs are listed again
  engine_.SyncWitnesses(Watched::kLeases, {lease_.Line("ADDED")});
  engine_.Pass(10min);
  for (const Request& request : engine_.Requests()) {
    EXPECT_EQ(request.method, Method::kGet) << "the list has not come";
  }
  (void)engine_.TakeRequests();
}

TEST_F(LeasesTest, ALaneThatIsSwitchedToLeasesIsBeatenForByThem) {
  const RunText run = RunText("a").Lane("etl").ClaimedBy("w").Beat(1);
  engine_.Sync({run});
  Settings settings;
  settings.lanes.push_back(
      {.name = "etl", .thresholds = {.heartbeat_source = HeartbeatSource::kLease}});
  engine_.Give(ConfigLoaded{settings});
  engine_.SyncWitnesses(Watched::kLeases, {lease_.Line("ADDED")});
  engine_.Sync({run});
  for (int beat = 2; beat < 10; ++beat) {
    engine_.Pass(100s);
    Lease(lease_ = lease_.Renewed(beat));
  }
  EXPECT_TRUE(Quiet());
  engine_.Pass(150s);
  ExpectDelete(lease_);
}

TEST_F(LeasesTest, WhereHeartbeatsAreIgnoredTheClaimIsWhatCounts) {
  RunText run = RunText("a").ClaimedBy("w").Spec(
      R"("heartbeat":{"source":"Lease","mode":"Ignored"},"claimTTLSeconds":60)");
  Start({run}, {lease_.Line("ADDED")});
  engine_.Pass(40s);
  Lease(lease_.Renewed(2));
  engine_.Pass(22s);
  EXPECT_FALSE(Quiet());
}

TEST_F(LeasesTest, ARunThatIsDeletedWhileItsLeaseIsDoesNotHoldUpTheOthers) {
  Start({Run("a"), Run("b")}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  ExpectDelete(lease_);
  const std::string& body = engine_.Requests()[0].body;
  EXPECT_FALSE(body.empty());
  engine_.Watch(Run("a").Version(3), "DELETED");
  engine_.Watch(Run("b").Version(4));
  engine_.Answer(409, "");
  if (Quiet()) engine_.Pass(12s);
  ASSERT_FALSE(Quiet());
}

TEST_F(LeasesTest, DryRunDeletesNothing) {
  RunText run = Run();
  run.spec += R"(,"reaping":"DryRun")";
  Start({run}, {lease_.Line("ADDED")});
  engine_.Pass(1min);
  EXPECT_TRUE(Quiet());
  EXPECT_EQ(engine_.Suppressed(Suppression::kDryRun), 1);
}

}  // namespace
}  // namespace jobrun
