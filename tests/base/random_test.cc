#include "controller/base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace jobrun {
namespace {

TEST(RandomTest, GivesTheSequenceOfSplitMix64) {
  Random random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317U);
  EXPECT_EQ(random.Next(), 3203168211198807973U);
  EXPECT_EQ(random.Next(), 9817491932198370423U);
}

TEST(RandomTest, TheSameSeedGivesTheSameRun) {
  Random one(42);
  Random other(42);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.Next(), other.Next());
}

TEST(RandomTest, BelowStaysBelowItsBoundAndReachesEveryValue) {
  Random random(7);
  std::array<int, 5> seen{};
  for (int i = 0; i < 1000; ++i) ++seen.at(random.Below(seen.size()));
  for (const int count : seen) EXPECT_GT(count, 0);
  EXPECT_EQ(random.Below(1), 0U);
  EXPECT_EQ(random.Below(0), 0U);
}

TEST(RandomTest, UnitStaysInItsInterval) {
  Random random(8);
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const double value = random.Unit();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 1000, 0.5, 0.05);
}

}  // namespace
}  // namespace jobrun
