#include "controller/engine/server_clock.h"

#include <gtest/gtest.h>

#include "controller/base/random.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using std::chrono::microseconds;

constexpr ServerTime kNoon{std::chrono::hours(12)};
constexpr Mono kStart{1h};

// A clock that was told kNoon by an answer without any round trip at kStart: 12:00:00 to 12:00:01.
ServerClock TellingNoon() {
  ServerClock clock(5s);
  clock.Observe(kNoon, kStart, kStart);
  return clock;
}

void ExpectInterval(const ServerInterval& interval, ServerTime earliest, ServerTime latest) {
  EXPECT_EQ(interval.earliest, earliest);
  EXPECT_EQ(interval.latest, latest);
}

TEST(ServerClockTest, NothingIsKnownBeforeTheFirstAnswer) {
  const ServerClock clock;
  EXPECT_FALSE(clock.At(kStart).Known());
}

TEST(ServerClockTest, AStampMayBeASecondOldAndAsOldAsItsRequest) {
  ServerClock clock;
  clock.Observe(kNoon, kStart, kStart + 300ms);
  ExpectInterval(clock.At(kStart + 300ms), kNoon, kNoon + 1s + 300ms);
}

TEST(ServerClockTest, TimeGoesOnBetweenAnswersLessSureAsItDoes) {
  const ServerClock clock = TellingNoon();
  ExpectInterval(clock.At(kStart + 2000s), kNoon + 2000s - 1s, kNoon + 1s + 2000s + 1s);
}

TEST(ServerClockTest, BeforeTheAnswerItReadsAsAtIt) {
  const ServerClock clock = TellingNoon();
  ExpectInterval(clock.At(kStart - 1h), kNoon, kNoon + 1s);
}

TEST(ServerClockTest, AStampThatHasJustTickedNarrowsFromBelow) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon + 1s, kStart + 200ms, kStart + 200ms);
  ExpectInterval(clock.At(kStart + 200ms), kNoon + 1s, kNoon + 1s + 200ms + 100us);
}

TEST(ServerClockTest, AStampThatIsAboutToTickNarrowsFromAbove) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon, kStart + 800ms, kStart + 800ms);
  ExpectInterval(clock.At(kStart + 800ms), kNoon + 800ms - 400us, kNoon + 1s);
}

TEST(ServerClockTest, ASlowAnswerDoesNotWidenWhatIsKnown) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon, kStart, kStart + 10s);
  ExpectInterval(clock.At(kStart + 10s), kNoon + 10s - 5ms, kNoon + 11s);
}

TEST(ServerClockTest, IntervalsThatTouchAgree) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon + 1s, kStart, kStart);
  ExpectInterval(clock.At(kStart), kNoon + 1s, kNoon + 1s);
}

TEST(ServerClockTest, IntervalsThatTouchFromBelowAgree) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon - 1s, kStart, kStart);
  ExpectInterval(clock.At(kStart), kNoon, kNoon);
}

TEST(ServerClockTest, AServerAheadByTheSkewWidens) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon + 6s, kStart, kStart);
  ExpectInterval(clock.At(kStart), kNoon, kNoon + 7s);
}

TEST(ServerClockTest, AServerBehindByTheSkewWidens) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon - 6s, kStart, kStart);
  ExpectInterval(clock.At(kStart), kNoon - 6s, kNoon + 1s);
}

TEST(ServerClockTest, AServerAheadByMoreThanTheSkewWasSetForward) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon + 6s + 1us, kStart, kStart);
  ExpectInterval(clock.At(kStart), kNoon + 6s + 1us, kNoon + 7s + 1us);
}

TEST(ServerClockTest, AServerBehindByMoreThanTheSkewWasSetBack) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon - 6s - 1us, kStart, kStart);
  ExpectInterval(clock.At(kStart), kNoon - 6s - 1us, kNoon - 5s - 1us);
}

TEST(ServerClockTest, TheSkewCanBeSet) {
  ServerClock clock = TellingNoon();
  clock.SetSkew(10s);
  clock.Observe(kNoon + 11s, kStart, kStart);
  EXPECT_EQ(clock.At(kStart).earliest, kNoon);
  clock.SetSkew(0s);
  clock.Observe(kNoon + 20s, kStart, kStart);
  EXPECT_EQ(clock.At(kStart).earliest, kNoon + 20s);
}

TEST(ServerClockTest, AStepIsFoundHoweverLongAgoTheLastAnswerWas) {
  ServerClock clock = TellingNoon();
  clock.Observe(kNoon + 24h + 10min, kStart + 24h, kStart + 24h);
  EXPECT_EQ(clock.At(kStart + 24h).earliest, kNoon + 24h + 10min);
}

// ---- a clock that drifts, answers that dawdle ----

TEST(ServerClockTest, AnAnswerHandedOverLateDoesNotSetItAhead) {
  ServerClock clock;
  const ServerTime date = ServerTime(std::chrono::hours(490000));
  clock.Observe(date + 10s, Mono(10s), Mono(10s));
  clock.Observe(date + 8s, Mono(8s), Mono(8s));
  EXPECT_LE(clock.At(Mono(10s)).earliest, date + 11s);
  EXPECT_GE(clock.At(Mono(10s)).latest, date + 10s);
  EXPECT_LE(clock.At(Mono(12s)).earliest, date + 13s);
}

TEST(ServerClockTest, TheTruthLiesAlwaysWithin) {
  for (const int parts_in_a_million : {-400, 0, 400}) {
    Random random(1);
    ServerClock clock;
    const auto truth = [&](Mono at) {
      const auto elapsed = std::chrono::duration_cast<microseconds>(at - kStart);
      return kNoon + elapsed + elapsed * parts_in_a_million / 1'000'000;
    };
    Mono now = kStart;
    for (int i = 0; i < 5000; ++i) {
      const Mono sent = now + std::chrono::milliseconds(random.Below(i % 50 == 0 ? 600000 : 2000));
      const Mono stamped = sent + std::chrono::milliseconds(random.Below(300));
      now = stamped + std::chrono::milliseconds(random.Below(300));
      clock.Observe(std::chrono::floor<std::chrono::seconds>(truth(stamped)), sent, now);
      const Mono later = now + std::chrono::milliseconds(random.Below(10000));
      ASSERT_LE(clock.At(later).earliest, truth(later));
      ASSERT_GE(clock.At(later).latest, truth(later));
      ASSERT_LE(clock.At(now).latest - clock.At(now).earliest, 2s);
    }
  }
}

TEST(ServerClockTest, WhatWasAskedBeforeTheMachineSleptTellsNothing) {
  ServerClock clock;
  clock.Observe(ServerTime(1000s), Mono(10s), Mono(10s));
  clock.Skip(1h, Mono(20s));
  const ServerInterval awake = clock.At(Mono(20s));
  EXPECT_GT(awake.earliest, ServerTime(1000s + 1h));
  clock.Observe(ServerTime(1005s), Mono(15s), Mono(20s));
  EXPECT_EQ(clock.At(Mono(20s)).latest, awake.latest);
}

}  // namespace
}  // namespace jobrun
