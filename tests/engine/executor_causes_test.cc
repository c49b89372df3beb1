// Why an executor was lost.
#include <gtest/gtest.h>

#include "tests/engine/executors_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

struct FateCase {
  const char* what;
  PodText last;  // the last that the watch told before it was gone
  const char* cause;
  const char* fate;
};
class FateTest : public ExecutorsTest, public testing::WithParamInterface<FateCase> {};

TEST_P(FateTest, IsToldByThePodAsItWasLast) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(GetParam().last, "DELETED");
  Dead();
  engine_.Pass(10s);
  Dead();
  ExpectLost(Recorded(), GetParam().cause, GetParam().fate);
}
INSTANTIATE_TEST_SUITE_P(
    Causes, FateTest,
    testing::Values(FateCase{"oom", PodText("p").Ended("Failed", "OOMKilled", 137), "OOMKilled",
                             "out of memory (container main, exit code 137)"},
                    FateCase{"evicted", PodText("p").Disrupted("EvictionByEvictionAPI"), "Evicted",
                             "evicted"},
                    FateCase{"taint", PodText("p").Disrupted("DeletionByTaintManager"), "NodeLost",
                             "its node is lost or gone"},
                    FateCase{"failed", PodText("p").Ended("Failed", "Error", 3), "PodFailed",
                             "failed (container main, exit code 3)"},
                    FateCase{"running", PodText("p"), "PodDeleted", "deleted"}));

TEST_F(ExecutorsTest, AFinishedPodIsDeadWhileItIsStillThere) {
  const PodText ended = PodText("p").Ended("Succeeded", "Completed", 0);
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(ended, "MODIFIED");
  AnswerRead(200, ended.Json());
  engine_.Pass(10s);
  AnswerRead(200, ended.Json());
  ExpectLost(Recorded(), "PodSucceeded", "finished, and nobody finished the run");
}

TEST_F(ExecutorsTest, AnotherPodOfItsNameIsNotIt) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(pod_, "DELETED");
  AnswerRead(200, PodText("p", 8).Json());
  engine_.Pass(10s);
  AnswerRead(200, PodText("p", 8).Ended("Failed", "OOMKilled", 137).Json());
  ExpectLost(Recorded(), "PodDeleted", "deleted");
}

TEST_F(ExecutorsTest, APodOfALostNodeIsDeadWhenItsGraceIsLongOver) {
  Start(Recorded(), {pod_.Line("ADDED")});
  const PodText left = PodText("p").Disrupted("DeletionByTaintManager");
  const PodText dying = PodText(left).Deleting("2026-11-22T12:01:00Z");
  Pod(dying, "MODIFIED");
  engine_.Pass(89s);
  EXPECT_TRUE(Quiet());
  engine_.Pass(3s);
  AnswerRead(200, dying.Json());
  engine_.Pass(10s);
  AnswerRead(200, dying.Json());
  ExpectLost(Recorded(), "NodeLost", "its node is lost or gone");
}

TEST_F(ExecutorsTest, AnAbsurdlyLongGraceIsWaitedForInPieces) {
  Start(Recorded(), {pod_.Line("ADDED")});
  Pod(PodText("p").Disrupted("DeletionByTaintManager").Deleting("2400-01-01T00:00:00Z"),
      "MODIFIED");
  engine_.Pass(10h);
  EXPECT_TRUE(Quiet());
}

TEST_F(ExecutorsTest, ALostNodeCountsAlsoWhereAContainerRanOutOfMemory) {
  Start(Recorded(), {pod_.Line("ADDED")});
  const PodText dying = PodText("p")
                            .Ended("Running", "OOMKilled", 137)
                            .Disrupted("DeletionByTaintManager")
                            .Deleting("2026-11-22T12:00:30Z");
  Pod(dying, "MODIFIED");
  engine_.Pass(62s);
  EXPECT_FALSE(Quiet());
}

}  // namespace
}  // namespace jobrun
