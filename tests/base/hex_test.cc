#include "controller/base/hex.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

TEST(HexTest, DigitsOfEitherCaseHaveTheirValueAndNothingElseHas) {
  EXPECT_EQ(HexDigit('0'), 0);
  EXPECT_EQ(HexDigit('9'), 9);
  EXPECT_EQ(HexDigit('a'), 10);
  EXPECT_EQ(HexDigit('F'), 15);
  for (const char c : {'/', ':', '@', 'G', '`', 'g', '\0'}) EXPECT_EQ(HexDigit(c), -1) << c;
}

TEST(HexTest, ANumberHasSixteenDigits) {
  EXPECT_EQ(HexOf(0), "0000000000000000");
  EXPECT_EQ(HexOf(0x0123456789abcdefU), "0123456789abcdef");
}

}  // namespace
}  // namespace jobrun
