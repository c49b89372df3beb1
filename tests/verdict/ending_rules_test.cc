// The rules on runs that end, or should: exit codes and gates, cancellation, progress.
#include <gtest/gtest.h>

#include "controller/verdict/decide.h"
#include "tests/verdict/subject_builder.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

Decision Reaped(Reason reason, Nanos overdue = 0ns) { return Reap{reason, overdue}; }
Decision DueIn(Nanos in) { return Recheck{in}; }

// ---- rule 3: the exit code is recorded ----

TEST(FinalizeTest, NothingHappensWithinTheGrace) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(299s, 0), kNow), DueIn(1s));
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(299s, 7), kNow), DueIn(1s));
}

TEST(FinalizeTest, ExitZeroWithItsGatesMetSucceedsExactlyAtTheGrace) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(300s, 0), kNow),
            Reaped(Reason::kFinalizedByController));
}

TEST(FinalizeTest, ExitZeroWithAGateUnmetFails) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(301s, 0).UnmetGate("data/copied"), kNow),
            Reaped(Reason::kCompletionGateUnmet, 1s));
}

TEST(FinalizeTest, AnotherExitCodeFailsWhateverItsGates) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(300s, 1), kNow),
            Reaped(Reason::kExitNonZero));
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(300s, -1).UnmetGate("x"), kNow),
            Reaped(Reason::kExitNonZero));
}

TEST(FinalizeTest, NoRuleButTheBackstopAppliesWithinTheGrace) {
  SubjectBuilder run = Running()
                           .ClaimedAgo(10h)
                           .HasBeaten()
                           .SilentFor(10h)
                           .WithDeadline(1s)
                           .ClaimTtl(1s)
                           .ProgressTimeout(1s)
                           .ProgressedAgo(10h)
                           .CancelledAgo(10h)
                           .ExitedAgo(1s, 0);
  EXPECT_EQ(Decide(run, kNow), DueIn(299s));
  EXPECT_EQ(Decide(run.WithBackstop(3600s), kNow), Reaped(Reason::kBackstopExceeded, 9h));
}

TEST(FinalizeTest, HowItEndedComesBeforeTheBackstop) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(10h).ExitedAgo(1h, 3).WithBackstop(60s), kNow),
            Reaped(Reason::kExitNonZero, 55min));
}

TEST(FinalizeTest, AGraceOfZeroIsOverAtOnce) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(0s, 0).FinalizeGrace(0s), kNow),
            Reaped(Reason::kFinalizedByController));
}

TEST(FinalizeTest, TheMessageNamesTheGateAndTheCode) {
  const Subject gate = Running().ExitedAgo(300s, 0).UnmetGate("data/copied");
  EXPECT_EQ(VerdictMessage(gate, Reason::kCompletionGateUnmet),
            "exit code 0, but completion gate data/copied was not True within 300 s");
  EXPECT_EQ(VerdictMessage(Running().ExitedAgo(300s, 137), Reason::kExitNonZero),
            "exit code 137, and not finished by its worker within 300 s");
  EXPECT_EQ(VerdictMessage(Running().ExitedAgo(300s, 0), Reason::kFinalizedByController),
            "exit code 0, and not finished by its worker within 300 s");
}

// ---- rule 4: cancelled ----

TEST(CancelledTest, APendingRunFailsAtOnce) {
  EXPECT_EQ(Decide(Pending().CreatedAgo(1s).CancelledAgo(0s), kNow), Reaped(Reason::kCancelled));
}

TEST(CancelledTest, ARunningOneIsLeftItsGraceToStop) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).CancelledAgo(59s), kNow), DueIn(1s));
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).CancelledAgo(60s), kNow), Reaped(Reason::kCancelled));
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).CancelledAgo(5s).CancelGrace(5s), kNow),
            Reaped(Reason::kCancelled));
}

TEST(CancelledTest, TheDeadlineComesFirst) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).CancelledAgo(1h).WithDeadline(3600s), kNow),
            Reaped(Reason::kDeadlineExceeded));
}

TEST(CancelledTest, ComesBeforeSilence) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).HasBeaten().SilentFor(1h).CancelledAgo(60s), kNow),
            Reaped(Reason::kCancelled));
}

TEST(CancelledTest, TheMessageSaysWhetherItWasClaimed) {
  EXPECT_EQ(VerdictMessage(Pending(), Reason::kCancelled), "cancelled before it was claimed");
  EXPECT_EQ(VerdictMessage(Running().CancelGrace(60s), Reason::kCancelled),
            "cancelled, and still running after 60 s");
}

// ---- rule 9: progress ----

TEST(NoProgressTest, StuckExactlyAtItsLimitThoughItBeats) {
  const auto run = Running().ClaimedAgo(1h).HasBeaten().SilentFor(0s).ProgressTimeout(600s);
  EXPECT_EQ(Decide(SubjectBuilder(run).ProgressedAgo(599s), kNow), DueIn(1s));
  EXPECT_EQ(Decide(SubjectBuilder(run).ProgressedAgo(600s), kNow), Reaped(Reason::kNoProgress));
  EXPECT_EQ(VerdictMessage(run, Reason::kNoProgress), "no progress for 600 s");
}

TEST(NoProgressTest, WithoutALimitNothingIsAsked) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(100h).ProgressedAgo(100h), kNow), Decision(Ignore{}));
}

TEST(NoProgressTest, SilenceComesFirst) {
  EXPECT_EQ(
      Decide(
          Running().ClaimedAgo(1h).HasBeaten().SilentFor(1h).ProgressTimeout(60s).ProgressedAgo(1h),
          kNow),
      Reaped(Reason::kHeartbeatTimeout, 1h - 150s));
}

// ---- rule 5: the executor ----

TEST(ExecutorLostTest, ComesAfterTheDeadlineAndBeforeTheSilence) {
  const auto dead = [] { return Running().ClaimedAgo(1h).HasBeaten().SilentFor(1h); };
  EXPECT_EQ(Decide(dead().ExecutorLostAgo(3s), kNow), Reaped(Reason::kExecutorLost, 3s));
  EXPECT_EQ(Decide(dead().ExecutorLostAgo(3s).WithDeadline(1h), kNow),
            Reaped(Reason::kDeadlineExceeded));
}

TEST(ExecutorLostTest, IsNoneOfAPendingOrAnExitedRun) {
  EXPECT_EQ(Decide(Pending().ExecutorLostAgo(3s), kNow), Decision(Ignore{}));
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).ExitedAgo(1s, 0).ExecutorLostAgo(3s), kNow),
            DueIn(299s));
}

}  // namespace
}  // namespace jobrun
