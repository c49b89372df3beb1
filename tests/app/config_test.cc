#include "controller/app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "controller/app/config_file.h"

namespace jobrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

LoadedConfig Parsed(const std::string& text) {
  auto config = ParseConfig(text, "c.yaml");
  EXPECT_TRUE(config) << config.error().ToString();
  return config ? std::move(config).value() : LoadedConfig{};
}

// Every key of the documentation.
std::string ReadExample() {
  std::ifstream file(JOBRUN_GOLDEN_DIR "/config.yaml");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty());
  return text.str();
}

TEST(ConfigTest, TheExampleOfTheDocumentsIsRead) {
  const LoadedConfig config = Parsed(ReadExample());
  EXPECT_THAT(config.warnings, IsEmpty());
  const Settings& settings = config.settings;
  EXPECT_EQ(settings.reaping, Reaping::kEnabled);
  EXPECT_EQ(settings.defaults.claim_ttl, Seconds(7200));
  EXPECT_EQ(settings.defaults.heartbeat_interval, Seconds(30));
  EXPECT_EQ(settings.defaults.heartbeat_timeout, Seconds(150));
  ASSERT_EQ(settings.lanes.size(), 2U);
  const Lane& etl = settings.lanes[0];
  EXPECT_EQ(etl.name, "etl");
  EXPECT_EQ(etl.thresholds.deadline, Seconds(3600));
  EXPECT_EQ(etl.max.deadline, Seconds(7200));
  EXPECT_THAT(etl.overridable, Optional(ElementsAre("deadlineSeconds")));
  EXPECT_FALSE(etl.held);
  EXPECT_EQ(settings.lanes[1].thresholds.heartbeat_mode, HeartbeatMode::kIgnored);
  EXPECT_EQ(settings.lanes[1].thresholds.claim_ttl, Seconds(14400));
  EXPECT_EQ(settings.rate_limit.reaps_per_second, 50);
  EXPECT_EQ(settings.rate_limit.in_flight, 32);
  EXPECT_EQ(settings.grace.server_skew, Seconds(5));
  EXPECT_EQ(settings.grace.intervals, 2);
}

TEST(ConfigTest, WhatKeepsTheLivingIsRead) {
  const Settings read = Parsed(R"(
breaker: {enabled: false, fraction: 0.7, minRuns: 20, holdSeconds: 60, override: Closed}
grace: {serverSkewSeconds: 1, intervals: 3}
canary: {periodSeconds: 5}
watch: {relistSeconds: 60, finished: true, gzip: true}
leaderElection: {leaseSeconds: 60, renewDeadlineSeconds: 40, retrySeconds: 5}
)")
                            .settings;
  EXPECT_FALSE(read.breaker.enabled);
  EXPECT_EQ(read.breaker.fraction, 0.7);
  EXPECT_EQ(read.breaker.min_runs, 20);
  EXPECT_EQ(read.breaker.hold, Seconds(60));
  EXPECT_EQ(read.breaker.override_by_operator, BreakerOverride::kClosed);
  EXPECT_EQ(read.grace.server_skew, Seconds(1));
  EXPECT_EQ(read.grace.intervals, 3);
  EXPECT_EQ(read.canary.period, Seconds(5));
  EXPECT_EQ(read.watch.relist, Seconds(60));
  EXPECT_TRUE(read.watch.finished);
  EXPECT_TRUE(read.watch.gzip);
  EXPECT_EQ(
      read.election,
      (LeaderElection{.lease = Seconds(60), .renew_deadline = Seconds(40), .retry = Seconds(5)}));
}

TEST(ConfigTest, ExecutorsAreRead) {
  const ExecutorChecks read =
      Parsed("executors: {enabled: true, selector: 'a=b', deadChecks: 3, checkSeconds: 20}\n")
          .settings.executors;
  EXPECT_EQ(read, (ExecutorChecks{
                      .enabled = true, .selector = "a=b", .dead_checks = 3, .check = Seconds(20)}));
  EXPECT_EQ(Parsed("").settings.executors, ExecutorChecks{});
}

TEST(ConfigTest, NothingSaidMeansDefaults) {
  for (const char* text :
       {"", "# nothing\n", "---\n", "---\n---\n", "lanes:\ndefaults:\nbreaker: {}\n"}) {
    const LoadedConfig config = Parsed(text);
    EXPECT_THAT(config.warnings, IsEmpty()) << text;
    EXPECT_EQ(config.settings.defaults, Thresholds{}) << text;
    EXPECT_THAT(config.settings.lanes, IsEmpty()) << text;
    EXPECT_EQ(config.settings.rate_limit.reaps_per_second, 50) << text;
    EXPECT_FALSE(config.settings.watch.finished) << text;
  }
}

TEST(ConfigTest, EveryThresholdOfALaneIsRead) {
  const LoadedConfig config = Parsed(R"(
lanes:
  all:
    reaping: DryRun
    pendingDeadlineSeconds: 1
    deadlineSeconds: 2
    backstopSeconds: 3
    claimTTLSeconds: 4
    heartbeat: {mode: Required, source: Lease, intervalSeconds: 5, timeoutSeconds: 10,
                firstTimeoutSeconds: 6}
    progressTimeoutSeconds: 7
    finalizeGraceSeconds: 0
    cancelGraceSeconds: 0
    ttlSecondsAfterFinished: 0
    completionGates: [{conditionType: Published}]
    retry: {maxAttempts: 3, backoffSeconds: 10, maxBackoffSeconds: 10, on: [HeartbeatTimeout],
            exitCodes: {in: [1], notIn: [-1]}}
)");
  EXPECT_THAT(config.warnings, IsEmpty());
  const Thresholds expected{.reaping = Reaping::kDryRun,
                            .pending_deadline = Seconds(1),
                            .deadline = Seconds(2),
                            .backstop = Seconds(3),
                            .claim_ttl = Seconds(4),
                            .heartbeat_mode = HeartbeatMode::kRequired,
                            .heartbeat_source = HeartbeatSource::kLease,
                            .heartbeat_interval = Seconds(5),
                            .heartbeat_timeout = Seconds(10),
                            .first_timeout = Seconds(6),
                            .progress_timeout = Seconds(7),
                            .finalize_grace = Seconds(0),
                            .cancel_grace = Seconds(0),
                            .ttl = Seconds(0),
                            .completion_gates = {{"Published"}},
                            .retry = {.max_attempts = 3,
                                      .backoff = Seconds(10),
                                      .max_backoff = Seconds(10),
                                      .on = {{"HeartbeatTimeout"}},
                                      .exit_codes_in = {{1}},
                                      .exit_codes_not_in = {{-1}}}};
  EXPECT_EQ(config.settings.lanes.at(0).thresholds, expected);
}

// ---- boundaries ----

struct Bounds {
  const char* path;  // one key inside `lanes.a`, in flow style around %
  std::int64_t min;
  std::int64_t max;
};

bool Accepts(const Bounds& bounds, std::int64_t value) {
  std::string text = bounds.path;
  text.replace(text.find('%'), 1, std::to_string(value));
  return Parsed("lanes: {a: {" + text + "}}\n").warnings.empty();
}

const Bounds kBounds[] = {
    {"pendingDeadlineSeconds: %", 1, kSecondsMax},
    {"deadlineSeconds: %", 1, kSecondsMax},
    {"backstopSeconds: %", 1, kSecondsMax},
    {"claimTTLSeconds: %", 1, kSecondsMax},
    {"heartbeat: {intervalSeconds: %}", 1, 2147483647},
    {"heartbeat: {timeoutSeconds: %}", 2, kSecondsMax},
    {"heartbeat: {firstTimeoutSeconds: %}", 1, kSecondsMax},
    {"progressTimeoutSeconds: %", 1, kSecondsMax},
    {"finalizeGraceSeconds: %", 0, kSecondsMax},
    {"cancelGraceSeconds: %", 0, kSecondsMax},
    {"ttlSecondsAfterFinished: %", 0, kSecondsMax},
    {"retry: {maxAttempts: %}", 1, 100},
    {"retry: {exitCodes: {in: [%]}}", -2147483648LL, 2147483647LL},
    {"max: {deadlineSeconds: %}", 1, kSecondsMax},
};

TEST(BoundsTest, BothEndsAreInAndWhatIsBeyondIsOut) {
  for (const Bounds& c : kBounds) {
    SCOPED_TRACE(c.path);
    EXPECT_FALSE(Accepts(c, c.min - 1));
    EXPECT_TRUE(Accepts(c, c.min));
    EXPECT_TRUE(Accepts(c, c.max));
    EXPECT_FALSE(Accepts(c, c.max + 1));
  }
}

TEST(ConfigTest, ATimeoutOfExactlyTwoIntervalsIsGood) {
  EXPECT_THAT(Parsed("defaults: {heartbeat: {intervalSeconds: 30, timeoutSeconds: 60}}").warnings,
              IsEmpty());
}

TEST(ConfigTest, ZeroMeansUnlimitedForWritesAndOffForVisits) {
  const auto limit =
      Parsed("rateLimit: {reapsPerSecond: 0, burst: 0, inFlight: 0, visitsPerSecond: 0}")
          .settings.rate_limit;
  EXPECT_EQ(limit.reaps_per_second, 0);
  EXPECT_GE(limit.burst, 1e6);
  EXPECT_GE(limit.in_flight, 1'000'000);
  EXPECT_EQ(limit.visits_per_second, 0);
}

TEST(ConfigTest, AnEmptyListOfOverridablePathsIsNotTheSameAsNone) {
  const auto lanes = Parsed("lanes: {open: {}, closed: {overridable: []}}").settings.lanes;
  EXPECT_EQ(lanes[0].overridable, std::nullopt);
  EXPECT_THAT(lanes[1].overridable, Optional(IsEmpty()));
}

TEST(ConfigTest, ALaneThatNoRunCanBeInIsLeftOut) {
  for (const char* name : {"ETL", "a_b", "-a", "a-", "\"\"", "a.b",
                           "a123456789b123456789c123456789d123456789e123456789f123456789g123"}) {
    const LoadedConfig config = Parsed("lanes:\n  " + std::string(name) + ": {}\n");
    EXPECT_THAT(config.settings.lanes, IsEmpty()) << name;
    ASSERT_EQ(config.warnings.size(), 1U) << name;
    EXPECT_THAT(config.warnings[0], HasSubstr("c.yaml:2:3: lanes.")) << name;
    EXPECT_THAT(config.warnings[0], HasSubstr("this lane is left out")) << name;
  }
  const std::string longest = "a123456789b123456789c123456789d123456789e123456789f123456789g12";
  EXPECT_EQ(Parsed("lanes: {" + longest + ": {}}").settings.lanes.size(), 1U);
}

TEST(ConfigTest, LanesAreBounded) {
  const auto lanes = [](std::size_t count) {
    std::string text = "lanes:\n";
    for (std::size_t i = 0; i < count; ++i) text += "  l" + std::to_string(i) + ":\n";
    return ParseConfig(text, "c.yaml");
  };
  EXPECT_TRUE(lanes(kLanesMax));
  const auto refused = lanes(kLanesMax + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().ToString(),
            "c.yaml:2:3: lanes: expected at most 1000 lanes, found 1001");
}

// ---- hostile files ----

TEST(ConfigTest, AliasesInsideAliasesCostNothing) {
  std::string text =
      "lanes:\n  a: &a0 {retry: {on: [x]}}\n  bomb:\n    retry:\n      on: &l0 [x, x, x, x]\n";
  std::string previous = "*l0";
  for (int i = 1; i < 30; ++i) {
    const std::string name = "l" + std::to_string(i);
    text += "  b" + std::to_string(i) + ": {retry: {on: &" + name + " [" + previous + ", " +
            previous + "]}}\n";
    previous = "*" + name;
  }
  EXPECT_EQ(Parsed(text).settings.lanes.size(), 31U);
}

TEST(ConfigTest, DeepNestingIsRefused) {
  for (const std::string part : {"[", "{a: "}) {
    std::string text = "lanes: ";
    for (int i = 0; i < 20'000; ++i) text += part;
    const auto config = ParseConfig(text, "c.yaml");
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().ToString(), HasSubstr("nested too deep"));
  }
}

TEST(ConfigTest, SizeIsBounded) {
  const std::string most(kConfigBytesMax, '#');
  EXPECT_TRUE(ParseConfig(most, "c.yaml"));
  const auto config = ParseConfig(most + '#', "c.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().ToString(), "c.yaml: expected at most 1048576 bytes, found 1048577");
}

TEST(ConfigTest, AnyCutOfAFileIsReadOrRefused) {
  const std::string whole = ReadExample();
  for (std::size_t size = 0; size < whole.size(); ++size)
    (void)ParseConfig(whole.substr(0, size), "c.yaml");
  (void)ParseConfig(std::string("\0\xff\xfe", 3), "c.yaml");
}

TEST(ConfigTest, WhatIsShownStaysOnOneLine) {
  const auto config = ParseConfig("\"a\\nb\": 1\n", "c.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().ToString().find('\n'), std::string::npos);
}

// ---- files ----

TEST(LoadConfigTest, SaysWhyAFileCantBeRead) {
  const auto missing = ConfigFile("/nonexistent/c.yaml").Load();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().ToString(),
            "/nonexistent/c.yaml: can't be read: No such file or directory");
  const auto directory = ConfigFile("/tmp").Load();
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().ToString(), "/tmp: can't be read: Is a directory");
}

TEST(LoadConfigTest, ReadsFilesAndBoundsThem) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("jobrun-config-" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(path) << "reaping: DryRun\n";
  const auto config = ConfigFile(path).Load();
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->settings.reaping, Reaping::kDryRun);
  std::ofstream(path) << "";
  EXPECT_TRUE(ConfigFile(path).Load());
  std::ofstream(path) << std::string(kConfigBytesMax + 10, '#');
  EXPECT_FALSE(ConfigFile(path).Load());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace jobrun
