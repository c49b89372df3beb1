#include "controller/engine/token_bucket.h"

#include <gtest/gtest.h>

#include "controller/base/random.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr Mono kStart{1h};

int TakeAll(TokenBucket& bucket, Mono now) {
  int taken = 0;
  while (taken < 1000 && bucket.Take(now)) ++taken;
  return taken;
}

TEST(TokenBucketTest, BeginsWithAWholeBurst) {
  TokenBucket bucket(10, 3);
  EXPECT_EQ(TakeAll(bucket, kStart), 3);
}

TEST(TokenBucketTest, ATokenComesWithItsTimeAndNotBefore) {
  TokenBucket bucket(10, 1);
  ASSERT_TRUE(bucket.Take(kStart));
  EXPECT_FALSE(bucket.Take(kStart + 100ms - 1us));
  EXPECT_TRUE(bucket.Take(kStart + 100ms));
}

TEST(TokenBucketTest, NoMoreThanTheBurstIsSavedUp) {
  TokenBucket bucket(10, 3);
  TakeAll(bucket, kStart);
  EXPECT_EQ(TakeAll(bucket, kStart + 24h), 3);
}

TEST(TokenBucketTest, InTheLongRunTheRateHolds) {
  TokenBucket bucket(50, 100);
  int taken = 0;
  for (Mono now = kStart; now <= kStart + 100s; now += 7ms) taken += TakeAll(bucket, now);
  EXPECT_NEAR(taken, 100 + 50 * 100, 1);
}

TEST(TokenBucketTest, ABurstIsAtLeastOneToken) {
  TokenBucket bucket(10, 0);
  EXPECT_EQ(TakeAll(bucket, kStart), 1);
  EXPECT_EQ(TakeAll(bucket, kStart + 1s), 1);
}

TEST(TokenBucketTest, TellsWhenTheNextTokenComes) {
  TokenBucket bucket(4, 1);
  EXPECT_EQ(bucket.NextAt(kStart), kStart);
  ASSERT_TRUE(bucket.Take(kStart));
  EXPECT_EQ(bucket.NextAt(kStart), kStart + 250ms);
  EXPECT_EQ(bucket.NextAt(kStart + 100ms), kStart + 250ms);
}

TEST(TokenBucketTest, AskingTakesNothing) {
  TokenBucket bucket(4, 1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bucket.NextAt(kStart), kStart);
  EXPECT_TRUE(bucket.Take(kStart));
}

TEST(TokenBucketTest, WithoutARateNothingComesAfterTheBurst) {
  for (const double rate : {0.0, -1.0}) {
    TokenBucket bucket(rate, 2);
    EXPECT_EQ(TakeAll(bucket, kStart), 2);
    EXPECT_FALSE(bucket.Take(kStart + 24h));
    EXPECT_EQ(bucket.NextAt(kStart + 24h), Mono::max());
  }
}

TEST(TokenBucketTest, ASmallerBurstIsSpilt) {
  TokenBucket bucket(10, 100);
  bucket.SetRate(10, 5);
  EXPECT_EQ(TakeAll(bucket, kStart), 5);
}

TEST(TokenBucketTest, ALargerBurstIsNotFilledAtOnce) {
  TokenBucket bucket(10, 5);
  ASSERT_EQ(TakeAll(bucket, kStart), 5);
  bucket.SetRate(10, 100);
  EXPECT_EQ(TakeAll(bucket, kStart), 0);
  EXPECT_EQ(TakeAll(bucket, kStart + 2s), 20);
}

TEST(TokenBucketTest, TimeThatStepsBackBringsNothing) {
  TokenBucket bucket(10, 1);
  ASSERT_TRUE(bucket.Take(kStart));
  EXPECT_FALSE(bucket.Take(kStart - 1h));
  EXPECT_FALSE(bucket.Take(kStart));
  EXPECT_TRUE(bucket.Take(kStart + 100ms));
}

// Whoever sleeps until then and tries again must not have to sleep for nothing.
TEST(TokenBucketTest, TheTokenIsThereWhenItWasSaidToCome) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    TokenBucket bucket(0.01 + random.Unit() * 1000, 1 + random.Unit() * 10);
    Mono now = kStart;
    TakeAll(bucket, now);
    for (int token = 0; token < 20; ++token) {
      now = bucket.NextAt(now);
      if (!bucket.Take(now)) {
        // Rounding may cost a nanosecond, once.
        now = bucket.NextAt(now);
        ASSERT_TRUE(bucket.Take(now));
      }
    }
  }
}

}  // namespace
}  // namespace jobrun
