#include "controller/engine/silence_clock.h"

#include <gtest/gtest.h>

#include "controller/base/random.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr Mono kStart{1h};
constexpr Nanos kRunOn = 4s;

Silence Reads(Nanos since_start) { return Silence(since_start); }

// One that depends on evidence, and has had some at its start.
SilenceClock Seeing() {
  SilenceClock clock(kStart);
  clock.SetRunOn(kRunOn);
  clock.Begin(kStart, kStart);
  return clock;
}

// The same, and ever since.
SilenceClock SeeingUntil(Nanos since_start) {
  SilenceClock clock = Seeing();
  for (Nanos at{}; at <= since_start; at += 2s) clock.Evidence(kStart + at);
  return clock;
}

Silence After(SilenceClock& clock, Nanos since_start) {
  clock.Advance(kStart + since_start);
  return clock.Read(kStart + since_start);
}

TEST(SilenceClockTest, WithoutAskingForEvidenceItRunsFromItsStart) {
  SilenceClock clock(kStart);
  EXPECT_EQ(After(clock, 0s), Reads(0s));
  EXPECT_EQ(After(clock, 150h), Reads(150h));
  EXPECT_FALSE(clock.Stopped());
  EXPECT_EQ(clock.StopsAt(), Mono::max());
}

TEST(SilenceClockTest, RunsOnForAMomentAndIsThenSetBackToTheLastEvidence) {
  SilenceClock clock = SeeingUntil(100s);
  EXPECT_EQ(clock.StopsAt(), kStart + 104s);
  EXPECT_EQ(After(clock, 104s), Reads(104s));
  EXPECT_FALSE(clock.Stopped());
  EXPECT_EQ(After(clock, 104s + 1ns), Reads(100s));
  EXPECT_TRUE(clock.Stopped());
  EXPECT_EQ(After(clock, 24h), Reads(100s));
  EXPECT_EQ(clock.Behind(kStart + 24h), 24h - 100s);
}

TEST(SilenceClockTest, EvidenceInTimeKeepsItRunning) {
  SilenceClock clock = Seeing();
  for (Nanos at = 4s; at <= 100s; at += 4s) clock.Evidence(kStart + at);
  EXPECT_EQ(After(clock, 101s), Reads(101s));
  EXPECT_EQ(clock.GraceEnds(1h), Mono::min());
}

TEST(SilenceClockTest, RunsOnFromWhereItStoodOnceThereIsEvidenceAgain) {
  SilenceClock clock = SeeingUntil(100s);
  clock.Evidence(kStart + 160s);
  EXPECT_FALSE(clock.Stopped());
  EXPECT_EQ(After(clock, 160s), Reads(100s));
  EXPECT_EQ(After(clock, 163s), Reads(103s));
  EXPECT_EQ(clock.Behind(kStart + 163s), 0s);
}

TEST(SilenceClockTest, MarksNeverRunBackwardsThoughItIsSetBack) {
  SilenceClock clock = Seeing();
  (void)After(clock, 4s);
  const Silence before = clock.Stamp(kStart + 4s);
  (void)After(clock, 5s);
  EXPECT_EQ(clock.Read(kStart + 5s), Reads(0s));
  EXPECT_EQ(clock.Stamp(kStart + 5s), before);
  clock.Evidence(kStart + 10s);
  EXPECT_EQ(clock.Stamp(kStart + 12s), before);
  EXPECT_EQ(clock.Stamp(kStart + 15s), Reads(5s));
}

TEST(SilenceClockTest, AnOwnPauseDoesNotCount) {
  SilenceClock clock = Seeing();
  clock.Pause(kStart + 1s, kStart + 3s);
  EXPECT_EQ(After(clock, 3s), Reads(1s));
  EXPECT_EQ(After(clock, 4s), Reads(2s));
  clock.Evidence(kStart + 4s);
  EXPECT_EQ(After(clock, 6s), Reads(4s));
}

TEST(SilenceClockTest, APauseThatOutlastsTheEvidenceIsSetBackToItOnce) {
  SilenceClock clock = SeeingUntil(10s);
  clock.Pause(kStart + 12s, kStart + 72s);
  EXPECT_EQ(After(clock, 72s), Reads(10s));
  EXPECT_TRUE(clock.Stopped());
  clock.Evidence(kStart + 73s);
  EXPECT_EQ(After(clock, 74s), Reads(11s));
}

TEST(SilenceClockTest, WithoutEvidenceEverItStands) {
  SilenceClock clock(kStart);
  clock.SetRunOn(kRunOn);
  clock.Begin(Mono::min(), kStart);
  EXPECT_TRUE(clock.Stopped());
  EXPECT_FALSE(clock.HasEvidence());
  EXPECT_EQ(After(clock, 1h), Reads(0s));
  clock.Evidence(kStart + 1h);
  EXPECT_EQ(After(clock, 1h + 2s), Reads(2s));
  EXPECT_EQ(clock.GraceEnds(60s), kStart + 1h + 60s) << "nobody knows for how long";
}

TEST(SilenceClockTest, EvidenceOfAnotherProcessAMomentAgoIsAsGoodAsOurs) {
  SilenceClock clock(kStart);
  clock.SetRunOn(kRunOn);
  clock.Begin(kStart - 3s, kStart);
  EXPECT_FALSE(clock.Stopped());
  EXPECT_EQ(After(clock, 1s), Reads(1s));
  EXPECT_EQ(After(clock, 1s + 1ns), Reads(0s));
}

TEST(SilenceClockTest, EvidenceOfAnotherProcessLongAgoIsTheBeginningOfAStop) {
  SilenceClock clock(kStart);
  clock.SetRunOn(kRunOn);
  clock.Begin(kStart - 4s - 1ns, kStart);
  EXPECT_TRUE(clock.Stopped());
  EXPECT_EQ(clock.Behind(kStart), 4s + 1ns);
  clock.Evidence(kStart + 1s);
  EXPECT_EQ(clock.GraceEnds(1h), kStart + 1s + 5s + 1ns);
}

TEST(SilenceClockTest, GraceLastsAsLongAsTheStopButNoLongerThanAsked) {
  SilenceClock clock = Seeing();
  clock.Evidence(kStart + 100s);
  EXPECT_EQ(clock.GraceEnds(60s), kStart + 160s);
  EXPECT_EQ(clock.GraceEnds(150s), kStart + 200s);
}

TEST(SilenceClockTest, AShortStopDoesNotHideALongOneBeforeIt) {
  SilenceClock clock = Seeing();
  clock.Evidence(kStart + 100s);
  clock.Slept(1s, kStart + 102s);
  EXPECT_EQ(clock.GraceEnds(60s), kStart + 160s);
  EXPECT_EQ(clock.GraceEnds(1s), kStart + 103s);
}

TEST(SilenceClockTest, ALongStopHidesShorterOnesBeforeIt) {
  SilenceClock clock = Seeing();
  for (int sleep = 0; sleep < 100; ++sleep) {
    clock.Slept(1s, kStart + 2s);
    clock.Evidence(kStart + 2s);
  }
  clock.Evidence(kStart + 52s);
  EXPECT_EQ(clock.GraceEnds(60s), kStart + 102s);
}

TEST(SilenceClockTest, OnlyALongPauseIsFollowedByGrace) {
  for (const Nanos pause : {4s, 5s}) {
    SilenceClock clock = SeeingUntil(10s);
    clock.Pause(kStart + 11s, kStart + 11s + pause);
    EXPECT_EQ(clock.GraceEnds(60s), pause == 4s ? Mono::min() : kStart + 21s);
  }
}

TEST(SilenceClockTest, TheMachinesSleepIsAStop) {
  SilenceClock clock = Seeing();
  clock.Slept(1h, kStart + 2s);
  EXPECT_EQ(clock.GraceEnds(60s), kStart + 62s) << "its own clock did not show it";
}

TEST(SilenceClockTest, TheMachinesSleepIsTimeWithoutEvidence) {
  for (const Nanos sleep : {Nanos(2s), 2s + 1ns}) {
    SilenceClock clock = SeeingUntil(10s);
    clock.Slept(sleep, kStart + 12s);
    EXPECT_EQ(After(clock, 12s), Reads(sleep == 2s ? 12s : 10s));
    EXPECT_EQ(clock.Stopped(), sleep > 2s);
  }
}

TEST(SilenceClockTest, AStopInWhichTheMachineSleptLastedThatLongToo) {
  SilenceClock clock = SeeingUntil(10s);
  (void)After(clock, 16s);
  clock.Slept(30s, kStart + 16s);
  EXPECT_EQ(clock.Behind(kStart + 17s), 37s);
  clock.Evidence(kStart + 17s);
  EXPECT_EQ(clock.GraceEnds(1h), kStart + 17s + 37s);
  EXPECT_EQ(After(clock, 18s), Reads(11s));
}

TEST(SilenceClockTest, ButNotTheNextOne) {
  SilenceClock clock = Seeing();
  clock.Slept(1h, kStart + 2s);
  clock.Evidence(kStart + 3s);
  EXPECT_EQ(clock.StopsAt(), kStart + 7s);
  clock.Evidence(kStart + 10s);
  EXPECT_EQ(clock.Behind(kStart + 10s), 0s);
}

TEST(SilenceClockTest, MarksDoNotRunBackwardsWhenTheMachineHasSlept) {
  SilenceClock clock = SeeingUntil(10s);
  const Silence before = clock.Stamp(kStart + 13s);
  clock.Slept(1h, kStart + 13s);
  EXPECT_EQ(After(clock, 13s), Reads(10s));
  EXPECT_EQ(clock.Stamp(kStart + 13s), before);
}

// Whatever happens, it never counts more than the time that passed, and nothing of a time without
// evidence but what it is set back by later.
TEST(SilenceClockTest, NeverCountsMoreThanTheTimeWithEvidence) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    SilenceClock clock = Seeing();
    Mono now = kStart;
    Mono evidence = kStart;
    Nanos seen{};  // time between two beats that were no further apart than it runs on
    Silence mark = clock.Stamp(now);
    for (int step = 0; step < 300; ++step) {
      const Mono before = now;
      now += Nanos(static_cast<Nanos::rep>(random.Unit() * 3e9));
      if (random.Unit() < 0.1) clock.Pause(before, now);
      if (random.Unit() < 0.05) clock.Slept(Nanos(1s), now);
      clock.Advance(now);
      if (random.Unit() < 0.4) {
        if (now - evidence <= kRunOn) seen += now - evidence;
        clock.Evidence(now);
        evidence = now;
      }
      const Nanos allowed = seen + std::min<Nanos>(now - evidence, kRunOn);
      ASSERT_LE(clock.Read(now), Reads(allowed)) << "seed " << seed << " step " << step;
      ASSERT_GE(clock.Stamp(now), mark) << "seed " << seed << " step " << step;
      mark = clock.Stamp(now);
    }
  }
}

}  // namespace
}  // namespace jobrun
