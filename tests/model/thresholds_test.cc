#include "controller/model/thresholds.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace jobrun {
namespace {

TEST(SecondsFieldsTest, EveryRowHasAPathAndAMemberOfItsOwn) {
  std::set<std::string_view> paths;
  for (const SecondsField& field : kSecondsFields) {
    EXPECT_TRUE(paths.insert(field.path).second) << field.path;
    Thresholds thresholds;
    thresholds.*field.member = Seconds(7);
    int set = 0;
    for (const SecondsField& other : kSecondsFields) set += (thresholds.*other.member).has_value();
    EXPECT_EQ(set, 1) << field.path;
  }
}

TEST(SecondsFieldsTest, OnlyAGraceOrTheTtlMayBeZero) {
  for (const SecondsField& field : kSecondsFields) {
    const bool may_be_zero =
        field.path.find("Grace") != std::string_view::npos || field.path.starts_with("ttl");
    EXPECT_GE(field.min, may_be_zero ? 0 : 1) << field.path;
    EXPECT_LE(field.min, field.max) << field.path;
    EXPECT_LE(field.max, kSecondsMax) << field.path;
  }
}

TEST(ParseEnumTest, TakesTheNamesAndNothingElse) {
  EXPECT_EQ(ParseEnum<Reaping>(kReapingNames, "Enabled"), Reaping::kEnabled);
  EXPECT_EQ(ParseEnum<Reaping>(kReapingNames, "DryRun"), Reaping::kDryRun);
  EXPECT_EQ(ParseEnum<Reaping>(kReapingNames, "Disabled"), Reaping::kDisabled);
  EXPECT_EQ(ParseEnum<HeartbeatMode>(kHeartbeatModeNames, "Auto"), HeartbeatMode::kAuto);
  EXPECT_EQ(ParseEnum<HeartbeatMode>(kHeartbeatModeNames, "Required"), HeartbeatMode::kRequired);
  EXPECT_EQ(ParseEnum<HeartbeatMode>(kHeartbeatModeNames, "Ignored"), HeartbeatMode::kIgnored);
  EXPECT_FALSE(ParseEnum<Reaping>(kReapingNames, "enabled"));
  EXPECT_FALSE(ParseEnum<Reaping>(kReapingNames, ""));
}

TEST(ThresholdsTest, NothingIsSaidByDefault) {
  const Thresholds thresholds;
  for (const SecondsField& field : kSecondsFields) EXPECT_FALSE(thresholds.*field.member);
  EXPECT_FALSE(thresholds.reaping);
  EXPECT_FALSE(thresholds.heartbeat_mode);
}

}  // namespace
}  // namespace jobrun
