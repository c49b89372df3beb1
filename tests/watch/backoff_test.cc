#include "controller/watch/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr Nanos kNoCap = 1h;
constexpr Mono kStart{1h};

TEST(BackoffTest, DoublesFromThePointEightSecondsOfClientGo) {
  Backoff backoff;
  Random random(1);
  for (const Nanos step : {800ms, 1600ms, 3200ms, 6400ms, 12800ms}) {
    const Nanos wait = backoff.Next(kStart, kNoCap, random);
    EXPECT_GE(wait, step);
    EXPECT_LT(wait, 2 * step);
  }
}

TEST(BackoffTest, NeverWaitsLongerThanItsMaximum) {
  Backoff backoff;
  Random random(2);
  for (int i = 0; i < 1000; ++i) EXPECT_LE(backoff.Next(kStart, kNoCap, random), 30s);
}

TEST(BackoffTest, NeverWaitsLongerThanTheCapNorLessThanHalfOfIt) {
  Backoff backoff;
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const Nanos wait = backoff.Next(kStart, 500ms, random);
    EXPECT_LE(wait, 500ms);
    EXPECT_GE(wait, 250ms);
  }
}

TEST(BackoffTest, TheLongestWaitsDifferStill) {
  for (const Nanos cap : {kNoCap, Nanos(5s)}) {
    std::set<Nanos> waits;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      Backoff backoff;
      Random random(seed);
      for (int i = 0; i < 10; ++i) static_cast<void>(backoff.Next(kStart, cap, random));
      waits.insert(backoff.Next(kStart, cap, random));
    }
    EXPECT_EQ(waits.size(), 100U);
  }
}

TEST(BackoffTest, AStepUnderTheCapIsNotCutByIt) {
  Backoff backoff;
  Random random(4);
  EXPECT_GE(backoff.Next(kStart, 2s, random), 800ms);
}

TEST(BackoffTest, TwoMinutesOfHealthStartItAnew) {
  Backoff backoff;
  Random random(5);
  for (int i = 0; i < 10; ++i) static_cast<void>(backoff.Next(kStart, kNoCap, random));
  EXPECT_GE(backoff.Next(kStart + 2min - 1ns, kNoCap, random), 15s);
  EXPECT_LT(backoff.Next(kStart + 4min - 1ns, kNoCap, random), 1600ms);
}

TEST(BackoffTest, TheFirstFailureAfterBootIsAFirstOne) {
  Backoff backoff;
  Random random(6);
  EXPECT_LT(backoff.Next(Mono{}, kNoCap, random), 1600ms);
}

TEST(BackoffTest, ResetStartsItAnew) {
  Backoff backoff;
  Random random(7);
  for (int i = 0; i < 10; ++i) static_cast<void>(backoff.Next(kStart, kNoCap, random));
  backoff.Reset();
  EXPECT_LT(backoff.Next(kStart, kNoCap, random), 1600ms);
}

TEST(BackoffTest, TheSameSeedWaitsTheSame) {
  Backoff one;
  Backoff other;
  Random random_of_one(8);
  Random random_of_other(8);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(one.Next(kStart, kNoCap, random_of_one), other.Next(kStart, kNoCap, random_of_other));
  }
}

}  // namespace
}  // namespace jobrun
