#include "controller/base/stable_hash.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

// The values that FNV's authors publish.
static_assert(StableHash("") == 0xcbf29ce484222325U);
static_assert(StableHash("a") == 0xaf63dc4c8601ec8cU);

TEST(StableHashTest, IsTheOneThatOthersCompute) {
  EXPECT_EQ(StableHash("foobar"), 0x85944171f73967e8U);
}

}  // namespace
}  // namespace jobrun
