// A Lease that is not there proves nothing by itself: the watch may lag, somebody else may have
// deleted it a moment after it was renewed.
#include <gtest/gtest.h>

#include "tests/engine/leases_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class AbsentLeaseTest : public LeasesTest {};

TEST_F(AbsentLeaseTest, OneThatTheWatchHasNotToldIsFoundByALiveRead) {
  Start({Run().Beat(1)}, {});
  engine_.CutWitnesses(Watched::kLeases, 403);
  engine_.Pass(30s);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_EQ(engine_.Requests()[0].target, kLeasePath);
  engine_.Answer(200, lease_.Json());
  EXPECT_TRUE(Quiet());
  engine_.Pass(30s);
  ExpectDelete(lease_);
}

TEST_F(AbsentLeaseTest, TwoLiveReadsATimeoutApartShowThatItIsGone) {
  Start({Run()}, {lease_.Line("ADDED")});
  Lease(lease_, "DELETED");
  engine_.Pass(30s);
  ReadGone();
  engine_.Pass(30s - 1ns);
  EXPECT_TRUE(Quiet());
  engine_.Pass(1ns);
  ReadGone();
  ExpectVerdict(engine_, "HeartbeatTimeout");
}

TEST_F(AbsentLeaseTest, ADeletionThatFindsNothingProvesNoMoreThanARead) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(404, "");
  EXPECT_TRUE(Quiet());
  engine_.Pass(30s);
  ReadGone();
  ExpectVerdict(engine_, "HeartbeatTimeout");
}

TEST_F(AbsentLeaseTest, OneThatWasRenewedAndThenDeletedByOthersSavesItsRunsForATimeout) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(409, "");  // renewed
  ReadGone();               // and deleted
  EXPECT_TRUE(Quiet());
  engine_.Pass(29s);
  engine_.Watch(Run().Beat(1).Version(2));
  engine_.Pass(29s);
  EXPECT_TRUE(Quiet());
}

TEST_F(AbsentLeaseTest, ARelistWithoutItProvesNothing) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(20s);
  engine_.CutWitnesses(Watched::kLeases, 410);
  engine_.SyncWitnesses(Watched::kLeases, {});
  engine_.Pass(10s);
  ReadGone();
  EXPECT_TRUE(Quiet());
}

TEST_F(AbsentLeaseTest, ABeatInTheStatusMakesTheWaitBeginAnew) {
  Start({Run()}, {});
  engine_.Watch(Run().Beat(1).Version(2));
  engine_.Pass(30s);
  ReadGone();
  engine_.Pass(10s);
  engine_.Watch(Run().Beat(2).Version(3));
  engine_.Pass(30s);
  ReadGone();
  EXPECT_TRUE(Quiet());
  engine_.Pass(30s);
  ReadGone();
  ExpectVerdict(engine_, "HeartbeatTimeout");
}

TEST_F(AbsentLeaseTest, AReadForAnotherRunDoesNotCutTheWaitOfOneThatBeatSince) {
  Start({Run("a"), Run("b").Beat(1)}, {});
  engine_.Watch(Run("a").Beat(1).Version(2));
  engine_.Pass(20s);
  engine_.Watch(Run("b").Beat(2).Version(3));
  engine_.Pass(10s);
  ReadGone();  // for a
  engine_.Watch(Run("b").Beat(3).Version(4));
  engine_.Pass(30s);
  ReadGone();  // for a, whose wait is over; b is due in this moment too
  for (const Request& request : engine_.Requests()) {
    EXPECT_TRUE(request.method == Method::kGet || request.target.ends_with("/a/status"))
        << request.target;
  }
}

TEST_F(AbsentLeaseTest, OurOwnDeletionIsProofForTheOtherRunsOfTheWorker) {
  RunText patient = Run("b");
  patient.Spec(R"("heartbeat":{"source":"Lease","intervalSeconds":10,"timeoutSeconds":60})");
  Start({Run("a"), patient}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  ExpectDelete(lease_);
  engine_.Answer(200, kDeleted);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  engine_.Answer(200, Run("a").Version(5).Phase("Stuck").Json());
  engine_.Pass(30s);
  ExpectVerdict(engine_, "HeartbeatTimeout");
}

TEST_F(AbsentLeaseTest, LateEventsOfOneThatWeDeletedDoNotBringItBack) {
  Start({Run("a"), Run("b")}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  engine_.Answer(200, kDeleted);
  LeaseText before = lease_;
  before.version = 55;
  Lease(before);
  EXPECT_EQ(engine_.Requests().size(), 2U);
  for (const Request& request : engine_.Requests()) EXPECT_EQ(request.method, Method::kPatch);
}

TEST_F(AbsentLeaseTest, AWebhookThatKeepsItIsNotAskedWithoutAPause) {
  Start({Run()}, {lease_.Line("ADDED")});
  engine_.Pass(30s);
  int requests = 0;
  while (!Quiet()) {
    ASSERT_LT(++requests, 20);
    const bool deletes = engine_.Requests()[0].method == Method::kDelete;
    engine_.Answer(deletes ? 409 : 200, deletes ? "" : lease_.Json());
  }
}

TEST_F(AbsentLeaseTest, AWorkerWhoseNameNoLeaseCanHaveIsAskedNothing) {
  RunText run = Run();
  run.claimed_by = "../w";
  run.spec += R"(,"claimTTLSeconds":60)";
  Start({run}, {});
  engine_.Pass(60s);
  ExpectVerdict(engine_, "ClaimExpired");
}

TEST_F(AbsentLeaseTest, AReloadDuringAListListsAgain) {
  const RunText run = RunText("a").Lane("etl").ClaimedBy("w").Beat(1);
  engine_.Opened();
  engine_.Watch(run, "ADDED");
  Settings settings;
  settings.lanes.push_back(
      {.name = "etl", .thresholds = {.heartbeat_source = HeartbeatSource::kLease}});
  engine_.Give(ConfigLoaded{settings});
  const int opened = engine_.StreamsOpened();
  engine_.Lines(
      {R"({"type":"BOOKMARK","object":{"kind":"JobRun","metadata":{"resourceVersion":"100","annotations":{"k8s.io/initial-events-end":"true"}}}})"});
  engine_.Pass(1s);
  EXPECT_EQ(engine_.StreamsOpened(), opened + 1);
  EXPECT_NE(engine_.LastStream().target.find("sendInitialEvents"), std::string::npos);
}

}  // namespace
}  // namespace jobrun
