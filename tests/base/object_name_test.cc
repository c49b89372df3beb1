#include "controller/base/object_name.h"

#include <gtest/gtest.h>

#include <string>

namespace jobrun {
namespace {

TEST(ObjectNameTest, LowerCaseLettersDigitsHyphensAndDots) {
  for (const char* name : {"a", "0", "a-b", "a.b", "on-host-1f.2"}) EXPECT_TRUE(IsObjectName(name));
  for (const char* name : {"", "A", "a_b", "-a", "a-", ".a", "a.", "a b"}) {
    EXPECT_FALSE(IsObjectName(name)) << name;
  }
  EXPECT_TRUE(IsObjectName(std::string(kObjectNameMax, 'a')));
  EXPECT_FALSE(IsObjectName(std::string(kObjectNameMax + 1, 'a')));
}

TEST(ObjectNameTest, ALabelHasNoDotsAndIsShorter) {
  for (const char* name : {"a", "0", "a-b"}) EXPECT_TRUE(IsDnsLabel(name));
  for (const char* name : {"", "A", "a.b", "-a", "a-"}) EXPECT_FALSE(IsDnsLabel(name)) << name;
  EXPECT_TRUE(IsDnsLabel(std::string(kDnsLabelMax, 'a')));
  EXPECT_FALSE(IsDnsLabel(std::string(kDnsLabelMax + 1, 'a')));
}

}  // namespace
}  // namespace jobrun
