#include "controller/engine/silence_clock.h"

#include <gtest/gtest.h>

#include "controller/base/random.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr Mono kStart{1h};

Silence Reads(Nanos since_start) { return Silence(since_start); }

TEST(SilenceClockTest, RunsFromItsStart) {
  const SilenceClock clock(kStart);
  EXPECT_FALSE(clock.Stopped());
  EXPECT_EQ(clock.Read(kStart), Reads(0s));
  EXPECT_EQ(clock.Read(kStart + 150s), Reads(150s));
}

TEST(SilenceClockTest, StoppedItStandsWhereSightWasLost) {
  SilenceClock clock(kStart);
  clock.Stop(kStart + 100s);
  EXPECT_TRUE(clock.Stopped());
  EXPECT_EQ(clock.Read(kStart + 104s), Reads(100s));
  EXPECT_EQ(clock.Read(kStart + 24h), Reads(100s));
}

TEST(SilenceClockTest, TimeBeforeTheStopReadsAsItWas) {
  SilenceClock clock(kStart);
  clock.Stop(kStart + 100s);
  EXPECT_EQ(clock.Read(kStart + 99s), Reads(99s));
}

TEST(SilenceClockTest, StoppingAgainCanOnlySetItBack) {
  SilenceClock clock(kStart);
  clock.Stop(kStart + 100s);
  clock.Stop(kStart + 110s);
  EXPECT_EQ(clock.Read(kStart + 200s), Reads(100s));
  clock.Stop(kStart + 90s);
  EXPECT_EQ(clock.Read(kStart + 200s), Reads(90s));
}

TEST(SilenceClockTest, RunsOnFromWhereItStood) {
  SilenceClock clock(kStart);
  clock.Stop(kStart + 100s);
  clock.Run(kStart + 400s);
  EXPECT_FALSE(clock.Stopped());
  EXPECT_EQ(clock.Read(kStart + 400s), Reads(100s));
  EXPECT_EQ(clock.Read(kStart + 405s), Reads(105s));
}

TEST(SilenceClockTest, EveryStopIsLeftOut) {
  SilenceClock clock(kStart);
  clock.Stop(kStart + 10s);
  clock.Run(kStart + 20s);
  clock.Stop(kStart + 30s);
  clock.Run(kStart + 50s);
  EXPECT_EQ(clock.Read(kStart + 60s), Reads(30s));
}

TEST(SilenceClockTest, RunningOnARunningClockChangesNothing) {
  SilenceClock clock(kStart);
  clock.Run(kStart + 100s);
  EXPECT_EQ(clock.Read(kStart + 150s), Reads(150s));
}

TEST(SilenceClockTest, AStopOfNoLengthChangesNothing) {
  SilenceClock clock(kStart);
  clock.Stop(kStart + 100s);
  clock.Run(kStart + 100s);
  EXPECT_EQ(clock.Read(kStart + 150s), Reads(150s));
}

TEST(SilenceClockTest, ItNeverGainsOnTheMonotonicClock) {
  Random random(1);
  SilenceClock clock(kStart);
  Mono now = kStart;
  Silence before = clock.Read(now);
  for (int i = 0; i < 10000; ++i) {
    const Nanos step = std::chrono::milliseconds(random.Below(1000));
    now += step;
    ASSERT_LE(clock.Read(now) - before, step);
    if (random.Below(3) == 0) clock.Stop(now - std::chrono::milliseconds(random.Below(4000)));
    if (random.Below(3) == 0) clock.Run(now);
    ASSERT_LE(clock.Read(now).time_since_epoch(), now - kStart);
    before = clock.Read(now);
  }
}

}  // namespace
}  // namespace jobrun
