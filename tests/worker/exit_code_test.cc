// What a refused write of `jobrun beat` and `jobrun complete` means.
#include "worker/cli/exit_code.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

const Response kRefusal{.status = 422,
                        .body = R"({"kind":"Status","message":"status.exitCode: it is set once"})"};

ClaimedRun Held() {
  return {.name_space = "ns",
          .name = "a",
          .uid = {.high = 1, .low = 2},
          .phase = Phase::kRunning,
          .claimed_at = "2026-11-22T12:00:00Z",
          .claimed_by = "w1"};
}

TEST(RefusalTest, OfARunThatIsStillOursIsNoFence) {
  ClaimedRun seen = Held();
  seen.resource_version = 7;
  seen.cancelled = true;
  const ToolFailure failure = FailureOfRefusal(kRefusal, Held(), seen);
  EXPECT_EQ(failure.code, kToolInternal);
  EXPECT_EQ(failure.text, "ns/a: status.exitCode: it is set once");
}

TEST(RefusalTest, OfARunThatWasGivenUpIsTheFence) {
  for (const Phase phase : {Phase::kSucceeded, Phase::kFailed, Phase::kStuck}) {
    ClaimedRun seen = Held();
    seen.phase = phase;
    seen.reason = "HeartbeatTimeout";
    const ToolFailure failure = FailureOfRefusal(kRefusal, Held(), seen);
    EXPECT_EQ(failure.code, kToolOver);
    EXPECT_EQ(failure.text, "ns/a is " + std::string(PhaseName(phase)) + " (HeartbeatTimeout)");
  }
}

TEST(RefusalTest, OfAnotherRunOfTheSameNameIsTheFence) {
  ClaimedRun seen = Held();
  seen.uid.low = 3;
  const ToolFailure failure = FailureOfRefusal(kRefusal, Held(), seen);
  EXPECT_EQ(failure.code, kToolOver);
  EXPECT_EQ(failure.text, "ns/a is another run by now");
}

TEST(RefusalTest, OfARunThatAnotherWorkerHasIsTheFence) {
  ClaimedRun seen = Held();
  seen.claimed_by = "w2";
  const ToolFailure failure = FailureOfRefusal(kRefusal, Held(), seen);
  EXPECT_EQ(failure.code, kToolOver);
  EXPECT_EQ(failure.text, "ns/a is claimed by w2 since 2026-11-22T12:00:00Z");
}

}  // namespace
}  // namespace jobrun
