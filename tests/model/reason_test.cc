#include "controller/model/reason.h"

#include <gtest/gtest.h>

#include "controller/model/phase.h"

namespace jobrun {
namespace {

TEST(PhaseTest, EveryNameReadsBackAsItsPhase) {
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    const auto phase = static_cast<Phase>(i);
    EXPECT_EQ(ParsePhase(PhaseName(phase)), phase);
  }
  EXPECT_EQ(PhaseName(Phase::kPending), "Pending");
  EXPECT_EQ(PhaseName(Phase::kStuck), "Stuck");
}

TEST(PhaseTest, NamesAreExact) {
  for (const char* name : {"", "running", "Running ", "Unknown"}) EXPECT_FALSE(ParsePhase(name));
}

TEST(PhaseTest, OnlyPendingAndRunningGoOn) {
  EXPECT_FALSE(IsTerminal(Phase::kPending));
  EXPECT_FALSE(IsTerminal(Phase::kRunning));
  EXPECT_TRUE(IsTerminal(Phase::kSucceeded));
  EXPECT_TRUE(IsTerminal(Phase::kFailed));
  EXPECT_TRUE(IsTerminal(Phase::kStuck));
}

TEST(ReasonTest, EveryNameReadsBackAsItsReason) {
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_EQ(ParseReason(Info(reason).name), reason);
  }
  EXPECT_FALSE(ParseReason(""));
  EXPECT_FALSE(ParseReason("Reported"));
}

// The names are API: metrics, alerts and users' scripts hold them.
TEST(ReasonTest, NamesAndPhasesAreThoseOfTheVerdictTable) {
  EXPECT_EQ(Info(Reason::kPendingDeadlineExceeded).name, "PendingDeadlineExceeded");
  EXPECT_EQ(Info(Reason::kPendingDeadlineExceeded).phase, Phase::kFailed);
  EXPECT_EQ(Info(Reason::kDeadlineExceeded).name, "DeadlineExceeded");
  EXPECT_EQ(Info(Reason::kDeadlineExceeded).phase, Phase::kFailed);
  EXPECT_EQ(Info(Reason::kHeartbeatTimeout).name, "HeartbeatTimeout");
  EXPECT_EQ(Info(Reason::kHeartbeatTimeout).phase, Phase::kStuck);
  EXPECT_EQ(Info(Reason::kHeartbeatNeverStarted).name, "HeartbeatNeverStarted");
  EXPECT_EQ(Info(Reason::kHeartbeatNeverStarted).phase, Phase::kStuck);
  EXPECT_EQ(Info(Reason::kClaimExpired).name, "ClaimExpired");
  EXPECT_EQ(Info(Reason::kClaimExpired).phase, Phase::kStuck);
  EXPECT_EQ(Info(Reason::kBackstopExceeded).name, "BackstopExceeded");
  EXPECT_EQ(Info(Reason::kBackstopExceeded).phase, Phase::kStuck);
  EXPECT_EQ(Info(Reason::kCompletionGateUnmet).name, "CompletionGateUnmet");
  EXPECT_EQ(Info(Reason::kCompletionGateUnmet).phase, Phase::kFailed);
  EXPECT_EQ(Info(Reason::kExitNonZero).name, "ExitNonZero");
  EXPECT_EQ(Info(Reason::kExitNonZero).phase, Phase::kFailed);
  EXPECT_EQ(Info(Reason::kCancelled).name, "Cancelled");
  EXPECT_EQ(Info(Reason::kCancelled).phase, Phase::kFailed);
  EXPECT_EQ(Info(Reason::kNoProgress).name, "NoProgress");
  EXPECT_EQ(Info(Reason::kNoProgress).phase, Phase::kStuck);
  EXPECT_EQ(Info(Reason::kFinalizedByController).name, "FinalizedByController");
  EXPECT_EQ(Info(Reason::kFinalizedByController).phase, Phase::kSucceeded);
}

TEST(ReasonTest, OnlyTheFinalizedReapNobody) {
  EXPECT_EQ(static_cast<std::size_t>(Reason::kFinalizedByController), kReapReasonCount);
  for (std::size_t i = 0; i < kReapReasonCount; ++i) {
    EXPECT_NE(kReasons[i].phase, Phase::kSucceeded) << kReasons[i].name;
  }
}

}  // namespace
}  // namespace jobrun
