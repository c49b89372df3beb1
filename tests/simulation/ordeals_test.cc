#include "tests/simulation/ordeals.h"

#include <gtest/gtest.h>

#include "tests/simulation/simulation.h"

namespace jobrun::simulation {
namespace {

void ExpectClean(const Outcome& outcome) {
  EXPECT_FALSE(outcome.failure) << outcome.failure->invariant << ": " << outcome.failure->what;
  EXPECT_EQ(outcome.verdicts, kOrdealDead);
}

TEST(OrdealTest, AQuarterOfAnHourWithoutTheApiServerCostsNobodyAliveHisRun) {
  const Outcome outcome = Simulate(LongOutage());
  ExpectClean(outcome);
  EXPECT_LT(outcome.verdicts_in_storm, kOrdealDead) << "there was no outage";
}

TEST(OrdealTest, ReplicasRolledForTenMinutesReapAllThatIsDeadMeanwhile) {
  const Outcome outcome = Simulate(RolledReplicas(Fault::kStop));
  ExpectClean(outcome);
  EXPECT_EQ(outcome.verdicts_in_storm, kOrdealDead);
}

TEST(OrdealTest, ReplicasKilledInTurnForTenMinutesReapAllThatIsDeadMeanwhile) {
  const Outcome outcome = Simulate(RolledReplicas(Fault::kNewPod));
  ExpectClean(outcome);
  EXPECT_EQ(outcome.verdicts_in_storm, kOrdealDead);
}

}  // namespace
}  // namespace jobrun::simulation
