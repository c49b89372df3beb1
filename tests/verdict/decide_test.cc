#include "controller/verdict/decide.h"

#include <gtest/gtest.h>

#include "controller/verdict/rules.h"
#include "tests/verdict/subject_builder.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

Decision Reaped(Reason reason, Nanos overdue = 0ns) { return Reap{reason, overdue}; }
Decision DueIn(Nanos in) { return Recheck{in}; }

TEST(TerminalTest, IsIgnoredWhateverItsAge) {
  for (const Phase phase : {Phase::kSucceeded, Phase::kFailed, Phase::kStuck}) {
    EXPECT_EQ(Decide(InPhase(phase).ClaimedAgo(1000h).HasBeaten().WithDeadline(1s), kNow),
              Decision(Ignore{}));
  }
}

TEST(TerminalTest, ARunBeingDeletedIsIgnored) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1000h).WithDeadline(1s).BeingDeleted(), kNow),
            Decision(Ignore{}));
  EXPECT_EQ(Decide(Pending().CreatedAgo(1000h).PendingDeadline(1s).BeingDeleted(), kNow),
            Decision(Ignore{}));
}

TEST(PendingDeadlineTest, FailsExactlyAtItsDeadline) {
  EXPECT_EQ(Decide(Pending().CreatedAgo(60s).PendingDeadline(60s), kNow),
            Reaped(Reason::kPendingDeadlineExceeded));
  EXPECT_EQ(Decide(Pending().CreatedAgo(60s - 1ns).PendingDeadline(60s), kNow), DueIn(1ns));
}

TEST(PendingDeadlineTest, WithoutOneWaitsForEver) {
  EXPECT_EQ(Decide(Pending().CreatedAgo(100000h), kNow), Decision(Ignore{}));
}

TEST(PendingDeadlineTest, NoOtherRuleAppliesToAPendingRun) {
  EXPECT_EQ(
      Decide(Pending().ClaimedAgo(100h).HasBeaten().WithDeadline(1s).WithBackstop(1s).ClaimTtl(1s),
             kNow),
      Decision(Ignore{}));
}

TEST(PendingDeadlineTest, DoesNotApplyOnceClaimed) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(100h).PendingDeadline(1s), kNow), Decision(Ignore{}));
}

TEST(DeadlineTest, FailsExactlyAtItsDeadline) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(10min).WithDeadline(600s), kNow),
            Reaped(Reason::kDeadlineExceeded));
  EXPECT_EQ(Decide(Running().ClaimedAgo(10min - 1us).WithDeadline(600s), kNow), DueIn(1us));
}

TEST(DeadlineTest, WinsOverSilence) {
  const Subject run =
      Running().ClaimedAgo(10min).HasBeaten().SilentFor(10min).WithDeadline(600s).Timeout(60s);
  EXPECT_EQ(Decide(run, kNow), Reaped(Reason::kDeadlineExceeded));
}

TEST(DeadlineTest, FreshHeartbeatsDoNotExcuse) {
  const Subject run = Running().ClaimedAgo(10min).HasBeaten().SilentFor(0s).WithDeadline(600s);
  EXPECT_EQ(Decide(run, kNow), Reaped(Reason::kDeadlineExceeded));
}

TEST(DeadlineTest, IsNeverDueWhileTheServersClockIsUnknown) {
  Now blind = kNow;
  blind.server = ServerInterval{};
  EXPECT_TRUE(
      std::holds_alternative<Recheck>(Decide(Running().ClaimedAgo(1000h).WithDeadline(1s), blind)));
}

TEST(DeadlineTest, CountsOnTheEarliestTheServersClockCanRead) {
  Now vague = kNow;
  vague.server.latest += 1h;
  EXPECT_EQ(Decide(Running().ClaimedAgo(599s).WithDeadline(600s), vague), DueIn(1s));
}

TEST(HeartbeatTest, StuckExactlyAtTheTimeout) {
  EXPECT_EQ(Decide(Running().HasBeaten().SilentFor(150s).Timeout(150s), kNow),
            Reaped(Reason::kHeartbeatTimeout));
  EXPECT_EQ(Decide(Running().HasBeaten().SilentFor(150s - 1ns).Timeout(150s), kNow), DueIn(1ns));
}

TEST(HeartbeatTest, ItIsTheHeartbeatThatCountsNotTheStart) {
  const Subject run =
      Running().ClaimedAgo(24h * 365 * 3).HasBeaten().SilentFor(30s).ClaimTtl(7200s);
  EXPECT_EQ(Decide(run, kNow), DueIn(120s));
}

TEST(HeartbeatTest, NeverBeatIsAFreePassForStaleness) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).Timeout(60s).ClaimTtl(7200s), kNow), DueIn(1h));
}

TEST(HeartbeatTest, NeverBeatIsNoFreePassForTheDeadline) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(1h).WithDeadline(60s), kNow),
            Reaped(Reason::kDeadlineExceeded, 1h - 60s));
}

TEST(HeartbeatTest, IgnoredModeNeverJudgesByHeartbeats) {
  EXPECT_EQ(Decide(Running().HasBeaten().SilentFor(1000h).Mode(HeartbeatMode::kIgnored), kNow),
            Decision(Ignore{}));
}

TEST(NeverBeatTest, RequiredAndStuckExactlyAtTheFirstTimeout) {
  const auto run = Running().Mode(HeartbeatMode::kRequired).FirstTimeout(90s);
  EXPECT_EQ(Decide(SubjectBuilder(run).ClaimedAgo(90s), kNow),
            Reaped(Reason::kHeartbeatNeverStarted));
  EXPECT_EQ(Decide(SubjectBuilder(run).ClaimedAgo(90s - 1ns), kNow), DueIn(1ns));
}

TEST(NeverBeatTest, OneHeartbeatEndsIt) {
  EXPECT_EQ(
      Decide(Running().Mode(HeartbeatMode::kRequired).HasBeaten().SilentFor(100s).FirstTimeout(10s),
             kNow),
      DueIn(50s));
}

TEST(ClaimExpiredTest, StuckExactlyAtTheLimit) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(7200s).ClaimTtl(7200s), kNow),
            Reaped(Reason::kClaimExpired));
  EXPECT_EQ(Decide(Running().ClaimedAgo(7200s - 1ns).ClaimTtl(7200s), kNow), DueIn(1ns));
}

TEST(ClaimExpiredTest, NeverAppliesToAHeartbeatingRun) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(5h).HasBeaten().SilentFor(10s).ClaimTtl(7200s), kNow),
            DueIn(140s));
}

TEST(ClaimExpiredTest, AppliesWhereHeartbeatsAreIgnoredButALimitIsSet) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(5h).Mode(HeartbeatMode::kIgnored).ClaimTtl(7200s), kNow),
            Reaped(Reason::kClaimExpired, 3h));
}

TEST(BackstopTest, StuckExactlyAtTheCeilingThoughAlive) {
  EXPECT_EQ(Decide(Running().ClaimedAgo(600s).HasBeaten().SilentFor(0s).WithBackstop(600s), kNow),
            Reaped(Reason::kBackstopExceeded));
  EXPECT_EQ(Decide(Running().ClaimedAgo(599s).HasBeaten().SilentFor(0s).WithBackstop(600s), kNow),
            DueIn(1s));
}

TEST(BackstopTest, ReapsWhateverIsKnownOfTheRun) {
  const auto old = Running().ClaimedAgo(600s).WithBackstop(600s);
  using enum HeartbeatMode;
  for (const Subject& run : {Subject(SubjectBuilder(old).HasBeaten().SilentFor(1s)), Subject(old),
                             Subject(SubjectBuilder(old).Mode(kIgnored)),
                             Subject(SubjectBuilder(old).ExitedAgo(1s, 0).FinalizeGrace(300s)),
                             Subject(SubjectBuilder(old).CancelledAgo(1s).CancelGrace(60s)),
                             Subject(SubjectBuilder(old).ProgressedAgo(1s).ProgressTimeout(60s))}) {
    EXPECT_EQ(Decide(run, kNow), Reaped(Reason::kBackstopExceeded));
  }
}

TEST(DecideTest, RulesApplyInTheOrderOfTheTable) {
  const auto all =
      Running().ClaimedAgo(10h).WithBackstop(1s).ClaimTtl(1s).FirstTimeout(1s).Timeout(2s);
  using enum HeartbeatMode;
  EXPECT_EQ(Decide(SubjectBuilder(all).WithDeadline(1s), kNow),
            Reaped(Reason::kDeadlineExceeded, 10h - 1s));
  EXPECT_EQ(Decide(SubjectBuilder(all).HasBeaten(), kNow),
            Reaped(Reason::kHeartbeatTimeout, 10h - 2s));
  EXPECT_EQ(Decide(SubjectBuilder(all).Mode(kRequired), kNow),
            Reaped(Reason::kHeartbeatNeverStarted, 10h - 1s));
  EXPECT_EQ(Decide(all, kNow), Reaped(Reason::kClaimExpired, 10h - 1s));
}

TEST(DecideTest, LooksAgainAtTheEarliestDueTime) {
  const Subject run = Running()
                          .ClaimedAgo(10s)
                          .HasBeaten()
                          .SilentFor(5s)
                          .Timeout(30s)
                          .WithDeadline(20s)
                          .WithBackstop(60s);
  EXPECT_EQ(Decide(run, kNow), DueIn(10s));
}

TEST(MessageTest, SaysWhatWasSeenAndWhichLimitItBroke) {
  const Subject run = Running().Timeout(150s).ClaimTtl(7200s);
  EXPECT_EQ(VerdictMessage(run, Reason::kDeadlineExceeded), "deadline exceeded by sweeper");
  EXPECT_EQ(VerdictMessage(run, Reason::kHeartbeatTimeout), "no heartbeat for 150 s");
  EXPECT_EQ(VerdictMessage(run, Reason::kClaimExpired), "claimed for 7200 s without a heartbeat");
}

TEST(SilenceLimitTest, IsTheShortestSilenceThatCouldMakeItStuck) {
  const auto run = Running().Timeout(60s).FirstTimeout(20s).ClaimTtl(100s);
  using enum HeartbeatMode;
  EXPECT_EQ(SilenceLimit(SubjectBuilder(run).HasBeaten()), 60s);
  EXPECT_EQ(SilenceLimit(run), 100s);
  EXPECT_EQ(SilenceLimit(SubjectBuilder(run).Mode(kRequired)), 20s);
  EXPECT_EQ(SilenceLimit(SubjectBuilder(run).Mode(kIgnored).HasBeaten()), 100s);
  EXPECT_EQ(SilenceLimit(Running()), std::nullopt);
  EXPECT_EQ(SilenceLimit(Pending().PendingDeadline(5s)), 5s);
  EXPECT_EQ(SilenceLimit(InPhase(Phase::kStuck).ClaimTtl(1s)), std::nullopt);
}

TEST(StartTimeTest, IsNeededWhereALimitCountsFromIt) {
  EXPECT_FALSE(NeedsStartTime(Policy{}));
  EXPECT_TRUE(NeedsStartTime(Policy{.deadline = 1s}));
  EXPECT_TRUE(NeedsStartTime(Policy{.backstop = 1s}));
}

}  // namespace
}  // namespace jobrun
