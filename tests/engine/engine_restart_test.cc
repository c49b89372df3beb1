// What a controller that starts knows of the time before: how long nobody looked, and for how long
// a run has been silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/canary_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Virtual time begins an hour in, so that there is a past.
class RestartTest : public CanaryFixture {
 protected:
  RestartTest() {
    engine_.Pass(1h);
    engine_.Restart(Options());
  }

  [[nodiscard]] ServerTime Ago(Nanos time) const {
    return engine_.ServerNow() - std::chrono::duration_cast<ServerTime::duration>(time);
  }
  RunText CanaryBeaten(Nanos ago, Nanos writable_since_ago) {
    RunText canary = CanaryOf("r0").Claimed().BeatStamped(1, Ago(ago));
    canary.heartbeat = FormatMicroTime(Ago(ago));
    return canary.Progress("writable-since=" + FormatMicroTime(Ago(writable_since_ago)));
  }
  RunText SilentFor(Nanos time, const std::string& name = "a") {
    RunText run(name);
    run.created = FormatTime(Ago(2h));
    return run.Spec(R"("heartbeat":{"intervalSeconds":10,"timeoutSeconds":60})")
        .Claimed(FormatTime(Ago(90min)))
        .BeatStamped(1, Ago(time))
        .Version(10);
  }

  RunText PastItsDeadline() {
    RunText run("late");
    run.created = FormatTime(Ago(2h));
    const std::string heartbeat = R"(,"heartbeat":{"intervalSeconds":10,"timeoutSeconds":60})";
    return run.Spec(R"("deadlineSeconds":60)" + heartbeat)
        .Claimed(FormatTime(Ago(90min)))
        .BeatStamped(1, Ago(1s))
        .Version(10);
  }

  // Starts with these canaries and runs; the own canary beats from the start.
  void Begin(const std::vector<RunText>& canaries, const std::vector<RunText>& runs) {
    engine_.SyncCanaries(canaries);
    engine_.Sync(runs);
    Answered("POST", 201, own_);
    Answered("PATCH", 200, own_.Claimed().Version(++version_));
    BeatIsSeen();
  }
};

// 60 s of timeout, 1 s of resolution, 5 s of skew; and the Date of the server is up to a second
// old.
TEST_F(RestartTest, SilenceBeforeTheStartCountsWhereAReplicaWasLooking) {
  Begin({CanaryBeaten(1s, 1h)}, {SilentFor(50s)});
  EXPECT_FALSE(Blind()) << "the other's beat was a moment ago";
  Pass(15s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(3s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, OneThatIsLongDeadIsReapedAtOnce) {
  Begin({CanaryBeaten(1s, 1h)}, {SilentFor(30min)});
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, TimeInWhichNobodyLookedDoesNotCount) {
  // Silent for 40 s when the last replica was gone; nobody looked for ten minutes.
  Begin({CanaryBeaten(10min, 1h)}, {SilentFor(10min + 40s)});
  EXPECT_TRUE(Blind());
  Pass(2s);
  EXPECT_FALSE(Blind());
  Pass(20s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(10s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, AfterThatThereIsGrace) {
  Begin({CanaryBeaten(10min, 1h)}, {SilentFor(30min)});
  Pass(2s);
  Pass(19s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(2s);
  EXPECT_THAT(Others(), SizeIs(1));
}

// The replicas that go on know of its grace; one that starts within it must, too.
TEST_F(RestartTest, AndAfterAStopThatEndedShortlyBeforeTheStart) {
  Begin({CanaryBeaten(1s, 8s)}, {PastItsDeadline()});
  EXPECT_FALSE(Blind());
  Pass(11s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(2s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, AStopThatEndedLongBeforeTheStartIsOver) {
  Begin({CanaryBeaten(1s, 30s)}, {PastItsDeadline()});
  EXPECT_THAT(Others(), SizeIs(1));
}

// A leader that starts learns of the runs one by one.
// The list comes in two parts, of which the first is too small for the breaker.
TEST_F(RestartTest, NobodyIsGivenUpBeforeItIsKnownWhoElseIsSilent) {
  engine_.SyncCanaries({CanaryBeaten(1s, 1h)});
  Answered("POST", 201, own_);
  Answered("PATCH", 200, own_.Claimed().Version(++version_));
  BeatIsSeen();
  std::vector<std::string> lines;
  for (int i = 0; i < 20; ++i) {
    lines.push_back(SilentFor(2min, "r" + std::to_string(i)).Line("ADDED"));
  }
  engine_.Opened();
  engine_.Lines({lines.begin(), lines.begin() + 9});
  EXPECT_THAT(Others(), IsEmpty());
  engine_.Lines({lines.begin() + 9, lines.end()});
  engine_.EndInitialEvents();
  EXPECT_THAT(Others(), IsEmpty());
  EXPECT_EQ(engine_.Suppressed(Suppression::kBreaker), 20);
}

TEST_F(RestartTest, SilenceBeforeAnOlderStopDoesNotCount) {
  Begin({CanaryBeaten(1s, 30s)}, {SilentFor(50min)});
  Pass(25s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(10s);
  EXPECT_THAT(Others(), SizeIs(1));
}

// The API server notes when it was carried out.
TEST_F(RestartTest, ABeatThatWasHeldUpThroughAnOutageSaysNothingOfIt) {
  RunText canary = CanaryBeaten(1s, 1h);
  canary.heartbeat = FormatMicroTime(Ago(12s));
  Begin({canary}, {SilentFor(2min)});
  Pass(55s);
  EXPECT_THAT(Others(), IsEmpty());
}

TEST_F(RestartTest, OneWithinTheSkewOfTheServersDoes) {
  RunText canary = CanaryBeaten(1s, 1h);
  canary.heartbeat = FormatMicroTime(Ago(9s));
  Begin({canary}, {SilentFor(2min)});
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, WithoutACanaryNothingIsKnownOfThePast) {
  Begin({}, {SilentFor(50min)});
  Pass(2s);
  Pass(55s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(6s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, ABeatWithoutAStampIsOneOfNow) {
  RunText run = SilentFor(50min);
  run.stamp.clear();
  Begin({CanaryBeaten(1s, 1h)}, {run});
  Pass(58s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(3s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, AndOneWithAStampThatIsYetToCome) {
  Begin({CanaryBeaten(1s, 1h)}, {SilentFor(-10min)});
  Pass(58s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(3s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, WhatAnotherSaysOfWritableTimesIsPassedOn) {
  const std::string since = FormatMicroTime(Ago(30min));
  Begin({CanaryBeaten(1s, 30min)}, {});
  engine_.Pass(2s);
  ASSERT_THAT(Canaries(), SizeIs(1));
  EXPECT_THAT(Canaries()[0].body, ::testing::HasSubstr("writable-since=" + since));
}

// More often than the timeout, and each time the last beat is a moment ago.
TEST_F(RestartTest, OneThatRestartsAllTheTimeStillReaps) {
  const ServerTime beaten = Ago(0s);
  RunText run = SilentFor(0s);
  Begin({CanaryBeaten(1s, 1h)}, {run});
  Nanos passed{};
  int beats = 1;
  while (Others().empty()) {
    ASSERT_LT(passed += 5s, 80s);
    Pass(5s);
    RunText last = own_.BeatStamped(++beats, Ago(1s));
    last.heartbeat = FormatMicroTime(Ago(1s));
    last.progress = "writable-since=" + FormatMicroTime(Ago(1h));
    engine_.Restart(Options());
    engine_.SyncCanaries({last.Version(++version_)});
    engine_.Sync({run});
    BeatIsSeen();
  }
  EXPECT_GE(engine_.ServerNow() - beaten, 60s);
}

// The worker's clock is hours behind: only the API server's note of the claim tells when it was.
TEST_F(RestartTest, AClaimCountsFromWhenTheServerTookIt) {
  RunText run = SilentFor(50min);
  run.Spec(R"("claimTTLSeconds":600,"heartbeat":{"mode":"Required","intervalSeconds":10,)"
           R"("timeoutSeconds":60,"firstTimeoutSeconds":60})");
  run.heartbeat.clear();
  run.stamp.clear();
  run.claim_stamp = FormatTime(Ago(10s));
  Begin({CanaryBeaten(1s, 2h)}, {run});
  Pass(50s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(10s);
  EXPECT_THAT(Others(), SizeIs(1));
}

// Recorded by the clock of an API server that may be another one than that which is asked now.
TEST_F(RestartTest, ARecordedStartIsNoOlderThanTheSkewAllows) {
  RunText run = SilentFor(50min);
  run.Spec(R"("claimTTLSeconds":600)");
  run.heartbeat.clear();
  run.stamp.clear();
  run.start_time = FormatMicroTime(Ago(580s));
  Begin({CanaryBeaten(1s, 2h)}, {run});
  Pass(24s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(3s);
  EXPECT_THAT(Others(), SizeIs(1));
}

// What was recorded of a worker's slow clock is no earlier claim.
TEST_F(RestartTest, AClaimCountsFromWhenTheServerTookItThoughAStartIsRecorded) {
  RunText run = SilentFor(50min);
  run.Spec(R"("claimTTLSeconds":600)");
  run.heartbeat.clear();
  run.stamp.clear();
  run.start_time = FormatMicroTime(Ago(50min));
  run.claim_stamp = FormatTime(Ago(580s));
  Begin({CanaryBeaten(1s, 2h)}, {run});
  Pass(20s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(8s);
  EXPECT_THAT(Others(), SizeIs(1));
}

// The own canary beats before a long list has come to its end.
TEST_F(RestartTest, ABeatThatIsSeenBeforeTheListChangesNothing) {
  engine_.SyncCanaries({CanaryBeaten(10min, 1h), own_.Claimed().Beat(1).Version(++version_)});
  BeatIsSeen();
  EXPECT_FALSE(Blind());
  engine_.Sync({SilentFor(30min)});
  Pass(23s);
  EXPECT_THAT(Others(), SizeIs(1))
      << "after two intervals of grace, as long as it was silent before";
}

TEST_F(RestartTest, AndTimeInWhichNobodyLookedDoesNotCountThenEither) {
  engine_.SyncCanaries({CanaryBeaten(10min, 1h), own_.Claimed().Beat(1).Version(++version_)});
  BeatIsSeen();
  engine_.Sync({SilentFor(10min + 40s)});
  Pass(20s);
  EXPECT_THAT(Others(), IsEmpty());
  Pass(12s);
  EXPECT_THAT(Others(), SizeIs(1));
}

TEST_F(RestartTest, AbsurdStampsAreSurvived) {
  RunText run = SilentFor(0s);
  run.stamp = "0001-01-01T00:00:00Z";
  RunText canary = CanaryBeaten(1s, 1h);
  canary.stamp = "0001-01-01T00:00:00Z";
  Begin({canary}, {run});
  Pass(30s);
  EXPECT_FALSE(engine_.Exited());
}

}  // namespace
}  // namespace jobrun
