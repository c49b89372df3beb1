#include "controller/engine/policy_table.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/random.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr LaneIndex kOther = 0;
constexpr LaneIndex kDefault = 1;

Thresholds Timeout(Seconds timeout) { return {.heartbeat_timeout = timeout}; }

Settings WithLanes(const std::vector<std::pair<std::string, Thresholds>>& lanes) {
  Settings settings;
  for (const auto& [name, thresholds] : lanes) {
    settings.lanes.push_back({.name = name, .thresholds = thresholds});
  }
  return settings;
}

void Reload(PolicyTable& table, const Settings& settings) {
  std::vector<Policy> before;
  table.Reload(settings, before);
}

// ---- sharing ----

TEST(PolicyTableTest, RunsThatSayTheSameShareAPolicy) {
  PolicyTable table(Settings{});
  const PolicyId one = table.Acquire("etl", Timeout(90s));
  EXPECT_EQ(table.Acquire("etl", Timeout(90s)), one);
  EXPECT_EQ(table.At(one).holders, 2U);
  EXPECT_EQ(table.Size(), 1U);
}

TEST(PolicyTableTest, AnotherLaneIsAnotherPolicy) {
  PolicyTable table(Settings{});
  EXPECT_NE(table.Acquire("etl", {}), table.Acquire("batch", {}));
}

TEST(PolicyTableTest, EveryThresholdTellsPoliciesApart) {
  PolicyTable table(Settings{});
  std::vector<Thresholds> all(1);
  all.push_back({.reaping = Reaping::kEnabled});
  all.push_back({.reaping = Reaping::kDisabled});
  all.push_back({.heartbeat_mode = HeartbeatMode::kAuto});
  all.push_back({.heartbeat_mode = HeartbeatMode::kIgnored});
  for (const SecondsField& field : kSecondsFields) {
    for (const Seconds value : {60s, 61s}) {
      all.emplace_back();
      all.back().*field.member = value;
    }
  }
  for (const Thresholds& thresholds : all) {
    EXPECT_EQ(table.At(table.Acquire("etl", thresholds)).thresholds, thresholds);
  }
  EXPECT_EQ(table.Size(), all.size());
}

TEST(PolicyTableTest, NoLaneIsTheDefaultLane) {
  PolicyTable table(Settings{});
  EXPECT_EQ(table.Acquire("", {}), table.Acquire("default", {}));
}

TEST(PolicyTableTest, APolicyGoesWithItsLastRun) {
  PolicyTable table(Settings{});
  const PolicyId id = table.Acquire("etl", {});
  static_cast<void>(table.Acquire("etl", {}));
  table.Release(id);
  EXPECT_EQ(table.Size(), 1U);
  table.Release(id);
  EXPECT_EQ(table.Size(), 0U);
}

TEST(PolicyTableTest, AFreePlaceIsTakenAgain) {
  PolicyTable table(Settings{});
  const PolicyId id = table.Acquire("etl", Timeout(90s));
  table.Release(id);
  EXPECT_EQ(table.Acquire("batch", Timeout(30s)), id);
  EXPECT_EQ(table.At(id).lane, "batch");
  EXPECT_EQ(table.At(id).policy.heartbeat_timeout, 60s);  // two intervals
  EXPECT_EQ(table.At(id).holders, 1U);
}

// ---- what they resolve to ----

TEST(PolicyTableTest, RunBeforeLaneBeforeDefaults) {
  Settings settings = WithLanes({{"etl", Timeout(200s)}});
  settings.defaults = {.deadline = 1h, .heartbeat_timeout = 300s};
  PolicyTable table(settings);
  EXPECT_EQ(table.At(table.Acquire("etl", Timeout(90s))).policy.heartbeat_timeout, 90s);
  EXPECT_EQ(table.At(table.Acquire("etl", {})).policy.heartbeat_timeout, 200s);
  EXPECT_EQ(table.At(table.Acquire("batch", {})).policy.heartbeat_timeout, 300s);
  EXPECT_EQ(table.At(table.Acquire("etl", {})).policy.deadline, 1h);
}

TEST(PolicyTableTest, ALaneBoundsItsRuns) {
  Settings settings = WithLanes({{"etl", {}}});
  settings.lanes[0].max = Timeout(100s);
  settings.lanes[0].overridable = std::vector<std::string>{"heartbeat"};
  settings.lanes[0].held = true;
  PolicyTable table(settings);
  Thresholds asked = Timeout(1h);
  asked.deadline = 5s;
  const Policy& policy = table.At(table.Acquire("etl", asked)).policy;
  EXPECT_EQ(policy.heartbeat_timeout, 100s);
  EXPECT_EQ(policy.deadline, std::nullopt);
  EXPECT_TRUE(policy.held);
}

TEST(PolicyTableTest, ALaneMayLetItsRunsSetNothing) {
  Settings settings = WithLanes({{"open", {}}, {"closed", {}}});
  settings.lanes[1].overridable.emplace();
  PolicyTable table(settings);
  const auto timeout = [&table](const char* lane) {
    return table.At(table.Acquire(lane, Timeout(90s))).policy.heartbeat_timeout;
  };
  EXPECT_EQ(timeout("open"), 90s);
  EXPECT_EQ(timeout("closed"), 150s);
}

// ---- reloads ----

TEST(PolicyTableTest, AReloadResolvesAnewAndTellsWhatWas) {
  PolicyTable table(WithLanes({{"etl", Timeout(200s)}}));
  const PolicyId etl = table.Acquire("etl", {});
  const PolicyId own = table.Acquire("etl", Timeout(90s));
  std::vector<Policy> before;
  table.Reload(WithLanes({{"etl", Timeout(100s)}}), before);
  EXPECT_EQ(before.at(etl).heartbeat_timeout, 200s);
  EXPECT_EQ(table.At(etl).policy.heartbeat_timeout, 100s);
  EXPECT_EQ(before.at(own), table.At(own).policy);
}

TEST(PolicyTableTest, AReloadKeepsIdsAndHolders) {
  PolicyTable table(WithLanes({{"etl", Timeout(200s)}}));
  const PolicyId id = table.Acquire("etl", {});
  Reload(table, Settings{});
  EXPECT_EQ(table.Acquire("etl", {}), id);
  EXPECT_EQ(table.At(id).holders, 2U);
}

TEST(PolicyTableTest, FreePlacesStayFreeThroughAReload) {
  PolicyTable table(Settings{});
  table.Release(table.Acquire("etl", {}));
  Reload(table, WithLanes({{"etl", Timeout(100s)}}));
  EXPECT_EQ(table.Size(), 0U);
  EXPECT_EQ(table.At(table.Acquire("etl", {})).policy.heartbeat_timeout, 100s);
}

TEST(PolicyTableTest, TheKillSwitchComesWithAReload) {
  PolicyTable table(Settings{});
  const PolicyId id = table.Acquire("etl", {.reaping = Reaping::kEnabled});
  Settings off;
  off.reaping = Reaping::kDisabled;
  Reload(table, off);
  EXPECT_EQ(table.At(id).policy.reaping, Reaping::kDisabled);
}

// ---- labels ----

TEST(PolicyTableTest, OnlyConfiguredLanesHaveALabel) {
  PolicyTable table(WithLanes({{"etl", {}}, {"batch", {}}}));
  EXPECT_EQ(table.Labels().Names(), (std::vector<std::string>{"other", "default", "etl", "batch"}));
  EXPECT_EQ(table.At(table.Acquire("batch", {})).label, 3);
  EXPECT_EQ(table.At(table.Acquire("", {})).label, kDefault);
  EXPECT_EQ(table.At(table.Acquire("made-up-by-a-tenant", {})).label, kOther);
}

TEST(PolicyTableTest, TheDefaultLaneMayBeConfiguredToo) {
  PolicyTable table(WithLanes({{"default", Timeout(90s)}}));
  EXPECT_EQ(table.Labels().Names().size(), 2U);
  EXPECT_EQ(table.At(table.Acquire("", {})).label, kDefault);
  EXPECT_EQ(table.At(table.Acquire("", {})).policy.heartbeat_timeout, 90s);
}

TEST(PolicyTableTest, ALaneNamedOtherCountsAsOther) {
  PolicyTable table(WithLanes({{"other", Timeout(90s)}}));
  EXPECT_EQ(table.Labels().Names().size(), 2U);
  EXPECT_EQ(table.At(table.Acquire("other", {})).label, kOther);
}

TEST(PolicyTableTest, ALaneThatIsTakenOutCountsAsOther) {
  PolicyTable table(WithLanes({{"etl", {}}}));
  const PolicyId id = table.Acquire("etl", {});
  Reload(table, Settings{});
  EXPECT_EQ(table.At(id).label, kOther);
  EXPECT_EQ(table.Labels().Names().size(), 3U);
}

TEST(PolicyTableTest, ALaneThatComesBackHasItsOldPlace) {
  PolicyTable table(WithLanes({{"etl", {}}, {"batch", {}}}));
  const PolicyId id = table.Acquire("etl", {});
  Reload(table, WithLanes({{"batch", {}}}));
  Reload(table, WithLanes({{"new", {}}, {"batch", {}}, {"etl", {}}}));
  EXPECT_EQ(table.At(id).label, 2);
  EXPECT_EQ(table.Labels().Names(),
            (std::vector<std::string>{"other", "default", "etl", "batch", "new"}));
}

// ---- the shortest timeout ----

TEST(PolicyTableTest, WithoutRunsTheShortestTimeoutIsAnHour) {
  EXPECT_EQ(PolicyTable(WithLanes({{"etl", Timeout(90s)}})).ShortestTimeout(), 1h);
}

TEST(PolicyTableTest, TheShortestTimeoutIsThatOfRunsThatAreThere) {
  PolicyTable table(Settings{});
  static_cast<void>(table.Acquire("etl", Timeout(200s)));
  const PolicyId shorter = table.Acquire("etl", Timeout(90s));
  EXPECT_EQ(table.ShortestTimeout(), 90s);
  table.Release(shorter);
  EXPECT_EQ(table.ShortestTimeout(), 200s);
}

TEST(PolicyTableTest, WhereHeartbeatsAreIgnoredTheirTimeoutIsToo) {
  PolicyTable table(Settings{});
  static_cast<void>(table.Acquire("etl", {.heartbeat_mode = HeartbeatMode::kIgnored}));
  EXPECT_EQ(table.ShortestTimeout(), 1h);
}

TEST(PolicyTableTest, TheVersionMovesWheneverTheShortestTimeoutMay) {
  PolicyTable table(WithLanes({{"etl", Timeout(200s)}}));
  std::uint64_t version = table.Version();
  const auto moved = [&] { return std::exchange(version, table.Version()) != table.Version(); };
  const PolicyId id = table.Acquire("etl", {});
  EXPECT_TRUE(moved());
  static_cast<void>(table.Acquire("etl", {}));
  EXPECT_FALSE(moved());
  Reload(table, WithLanes({{"etl", Timeout(100s)}}));
  EXPECT_TRUE(moved());
  table.Release(id);
  EXPECT_FALSE(moved());
  table.Release(id);
  EXPECT_TRUE(moved());
}

// ---- against a model ----

TEST(PolicyTableTest, RandomOperationsAgreeWithAMapOfCounts) {
  Random random(1);
  PolicyTable table(Settings{});
  std::map<std::pair<int, int>, std::uint32_t> holders;  // by lane and timeout
  std::map<std::pair<int, int>, PolicyId> ids;
  for (int step = 0; step < 20000; ++step) {
    const std::pair<int, int> key(static_cast<int>(random.Below(4)),
                                  60 + static_cast<int>(random.Below(8)));
    std::uint32_t& count = holders[key];
    if (random.Below(2) == 0 || count == 0) {
      ids[key] = table.Acquire("lane-" + std::to_string(key.first), Timeout(Seconds(key.second)));
      ++count;
    } else {
      table.Release(ids.at(key));
      --count;
    }
    if (random.Below(100) == 0) Reload(table, Settings{});
    std::size_t held = 0;
    for (const auto& [other, n] : holders) {
      if (n == 0) continue;
      ++held;
      ASSERT_EQ(table.At(ids.at(other)).holders, n);
      ASSERT_EQ(table.At(ids.at(other)).policy.heartbeat_timeout, Seconds(other.second));
    }
    ASSERT_EQ(table.Size(), held);
  }
}

}  // namespace
}  // namespace jobrun
