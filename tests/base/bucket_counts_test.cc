#include "controller/base/bucket_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace jobrun {
namespace {

using ::testing::ElementsAre;

constexpr std::array<double, 3> kBounds = {1, 2, 5};

TEST(BucketCountsTest, AValueCountsUnderTheFirstBoundThatItDoesNotExceed) {
  BucketCounts<3> counts;
  for (const double value : {0.0, 1.0, 1.5, 5.0, 5.1}) counts.Observe(kBounds, value);
  EXPECT_THAT(counts.counts, ElementsAre(2, 1, 1, 1));
  EXPECT_DOUBLE_EQ(counts.sum, 12.6);
}

TEST(BucketCountsTest, TwoOfThemAddUp) {
  BucketCounts<3> some;
  some.Observe(kBounds, 1);
  BucketCounts<3> others;
  others.Observe(kBounds, 3);
  some.Add(others);
  EXPECT_THAT(some.counts, ElementsAre(1, 0, 1, 0));
  EXPECT_DOUBLE_EQ(some.sum, 4);
}

}  // namespace
}  // namespace jobrun
