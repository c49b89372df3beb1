#include "controller/kube/byte_rate.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr Nanos kLongest = 5ms;

TEST(ByteRateTest, OneReadTellsTheRate) {
  ByteRate rate;
  rate.Add(1000, 1ms);
  EXPECT_EQ(rate.TimeFor(2000, kLongest), 2ms);
  EXPECT_EQ(rate.TimeFor(5001, kLongest), kLongest);
}

TEST(ByteRateTest, BunchesAreNotTakenForTheRate) {
  // 10 kB, and nothing more in the next 2 ms; then three such bunches at once.
  ByteRate rate;
  for (int i = 0; i < 20; ++i) {
    rate.Add(10'000, 2ms);
    rate.Add(30'000, 2ms);
  }
  const Nanos time = rate.TimeFor(20'000, kLongest);
  EXPECT_GT(time, 1700us);
  EXPECT_LT(time, 2300us);
}

TEST(ByteRateTest, AnotherRateIsFollowedWithinAFewReads) {
  ByteRate rate;
  for (int i = 0; i < 20; ++i) rate.Add(1000, 1ms);
  for (int i = 0; i < 8; ++i) rate.Add(10'000, 1ms);
  const Nanos time = rate.TimeFor(10'000, kLongest);
  EXPECT_GT(time, 990us);
  EXPECT_LT(time, 1300us);
}

TEST(ByteRateTest, BytesThatComeInNoTimeAreFast) {
  ByteRate rate;
  rate.Add(1, 0ns);
  EXPECT_EQ(rate.TimeFor(1'000'000, kLongest), 0ns);
}

}  // namespace
}  // namespace jobrun
