#include "controller/model/uid.h"

#include <gtest/gtest.h>

#include <string>

namespace jobrun {
namespace {

constexpr const char* kText = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

TEST(UidTest, ReadsAUuidInEitherCase) {
  const auto uid = ParseUid(kText);
  ASSERT_TRUE(uid);
  EXPECT_EQ(uid->high, 0x0f1e2d3c4b5a6978U);
  EXPECT_EQ(uid->low, 0x8796a5b4c3d2e1f0U);
  EXPECT_EQ(ParseUid("0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0"), uid);
}

TEST(UidTest, WritesWhatItReads) {
  for (const char* text :
       {kText, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}) {
    EXPECT_EQ(FormatUid(*ParseUid(text)), text);
  }
}

TEST(UidTest, AllZeroMeansNone) {
  EXPECT_TRUE(Uid{}.IsNone());
  EXPECT_TRUE(ParseUid("00000000-0000-0000-0000-000000000000")->IsNone());
  EXPECT_FALSE(ParseUid("00000000-0000-0000-0000-000000000001")->IsNone());
  EXPECT_FALSE(ParseUid("10000000-0000-0000-0000-000000000000")->IsNone());
}

TEST(UidTest, RefusesEverythingElse) {
  const std::string text = kText;
  EXPECT_FALSE(ParseUid(""));
  EXPECT_FALSE(ParseUid(text.substr(1)));
  EXPECT_FALSE(ParseUid(text + "0"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char wrong : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xff'}) {
      std::string other = text;
      other[i] = wrong;
      EXPECT_FALSE(ParseUid(other)) << "at " << i;
    }
    std::string swapped = text;
    swapped[i] = text[i] == '-' ? '0' : '-';
    EXPECT_FALSE(ParseUid(swapped)) << "at " << i;
  }
}

}  // namespace
}  // namespace jobrun
