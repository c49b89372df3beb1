#include "controller/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace jobrun {
namespace {

TEST(ResultTest, HoldsAValue) {
  Result<std::string> result = std::string("text");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(static_cast<bool>(result));
  EXPECT_EQ(*result, "text");
  EXPECT_EQ(result->size(), 4U);
  result->append("ure");
  EXPECT_EQ(result.value(), "texture");
}

TEST(ResultTest, HoldsAnError) {
  const Result<int> result = Error{Code::kGone, "list the runs", "410"};
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kGone);
  EXPECT_EQ(result.error().ToString(), "list the runs: 410");
}

TEST(ResultTest, GivesAwayAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(ResultTest, AnOutcomeHasNoValueToGive) {
  EXPECT_TRUE(Ok().ok());
  EXPECT_FALSE(Outcome(Error{}).ok());
}

TEST(CodeTest, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    names.insert(CodeName(static_cast<Code>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Code::kInternal) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace jobrun
