// What operators get wrong in the configuration file, and what they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/app/config.h"

namespace jobrun {
namespace {

using ::testing::ElementsAre;

LoadedConfig Parsed(const std::string& text) {
  auto config = ParseConfig(text, "c.yaml");
  EXPECT_TRUE(config) << config.error().ToString();
  return config ? std::move(config).value() : LoadedConfig{};
}

// ---- what makes the file unusable ----

struct Refused {
  const char* why;
  const char* text;
  const char* message;
};

const Refused kRefused[] = {
    {"an open bracket", "lanes: [1,\n",
     "c.yaml:2:1: not valid YAML: end of sequence flow not found"},
    {"a tab", "a: 1\n\tb: 2\n",
     "c.yaml:2:1: not valid YAML: illegal tab when looking for indentation"},
    {"no such anchor", "reaping: *x\n",
     "c.yaml:1:10: not valid YAML: the referenced anchor is not defined"},
    {"two documents", "reaping: DryRun\n---\nreaping: Enabled\n",
     "c.yaml:2:1: expected one YAML document, found more"},
    {"a second document that is no YAML", "reaping: DryRun\n---\n[",
     "c.yaml:2:1: expected one YAML document, found more"},
    {"a comma too many", "[],", "c.yaml:1:3: expected one YAML document, found more"},
    {"a list at the top", "- a\n", "c.yaml:1:1: expected a mapping, found a list of 1"},
    {"a word at the top", "Enabled\n", "c.yaml:1:1: expected a mapping, found Enabled"},
    {"a slip", "reapign: Enabled\n", "c.yaml:1:1: reapign: unknown key; did you mean reaping?"},
    {"the wrong case", "ratelimit: {}\n",
     "c.yaml:1:1: ratelimit: unknown key; did you mean rateLimit?"},
    {"a key of another world", "kind: ConfigMap\n",
     "c.yaml:1:1: kind: unknown key; expected reaping, defaults, rateLimit, grace, breaker, "
     "executors, "
     "canary, watch, leaderElection or lanes"},
    {"a slip in a lane", "lanes:\n  etl:\n    deadlineSecond: 5\n",
     "c.yaml:3:5: lanes.etl.deadlineSecond: unknown key; did you mean deadlineSeconds?"},
    {"a slip in a section of a lane", "lanes:\n  etl:\n    heartbeat: {timeout: 5}\n",
     "c.yaml:3:17: lanes.etl.heartbeat.timeout: unknown key; expected intervalSeconds, "
     "timeoutSeconds, "
     "firstTimeoutSeconds, mode or source"},
    {"a slip in a global section", "breaker: {minRun: 5}\n",
     "c.yaml:1:11: breaker.minRun: unknown key; did you mean minRuns?"},
    {"a field of runs only", "lanes: {etl: {cancelled: true}}\n",
     "c.yaml:1:15: lanes.etl.cancelled: unknown key; expected pendingDeadlineSeconds, "
     "deadlineSeconds, "
     "backstopSeconds, claimTTLSeconds, progressTimeoutSeconds, finalizeGraceSeconds, "
     "cancelGraceSeconds, ttlSecondsAfterFinished, reaping, heartbeat, completionGates, retry, "
     "max or "
     "overridable"},
    {"max outside a lane", "defaults: {max: {deadlineSeconds: 5}}\n",
     "c.yaml:1:12: defaults.max: unknown key; expected pendingDeadlineSeconds, deadlineSeconds, "
     "backstopSeconds, claimTTLSeconds, progressTimeoutSeconds, finalizeGraceSeconds, "
     "cancelGraceSeconds, ttlSecondsAfterFinished, reaping, heartbeat, completionGates or retry"},
    {"twice at the top", "reaping: DryRun\ngrace: {}\nreaping: Enabled\n",
     "c.yaml:3:1: reaping: duplicate key; it also stands in line 1"},
    {"a lane twice", "lanes:\n  etl: {}\n  b: {}\n  etl: {}\n",
     "c.yaml:4:3: lanes.etl: duplicate key; it also stands in line 2"},
    {"twice within a lane", "lanes: {etl: {deadlineSeconds: 1, deadlineSeconds: 2}}\n",
     "c.yaml:1:35: lanes.etl.deadlineSeconds: duplicate key; it also stands in line 1"},
    {"a merge key", "lanes:\n  a: &a {deadlineSeconds: 1}\n  b: {<<: *a}\n",
     "c.yaml:3:7: lanes.b.<<: unknown key; expected pendingDeadlineSeconds, deadlineSeconds, "
     "backstopSeconds, claimTTLSeconds, progressTimeoutSeconds, finalizeGraceSeconds, "
     "cancelGraceSeconds, ttlSecondsAfterFinished, reaping, heartbeat, completionGates, retry, "
     "max or "
     "overridable"},
    {"a list as key", "? [a]\n: 1\n", "c.yaml:1:3: expected a name as key, found a list of 1"},
    {"lanes as a list", "lanes: [etl]\n",
     "c.yaml:1:8: lanes: expected a mapping, found a list of 1"},
};

TEST(RefusedFileTest, SaysWhereAndWhy) {
  for (const Refused& c : kRefused) {
    const auto config = ParseConfig(c.text, "c.yaml");
    ASSERT_FALSE(config) << c.why;
    EXPECT_EQ(config.error().ToString(), c.message) << c.why;
  }
}

// ---- bad values ----

struct BadValue {
  const char* text;
  const char* message;
};

const BadValue kBadGlobals[] = {
    {"reaping: Off\n", "c.yaml:1:10: reaping: expected Enabled, DryRun or Disabled, found Off"},
    {"reaping: enabled\n",
     "c.yaml:1:10: reaping: expected Enabled, DryRun or Disabled, found enabled"},
    {"reaping:\n", "c.yaml:1:1: reaping: expected Enabled, DryRun or Disabled, found nothing"},
    {"reaping: [DryRun]\n",
     "c.yaml:1:10: reaping: expected Enabled, DryRun or Disabled, found a list of 1"},
    {"defaults: 5\n", "c.yaml:1:11: defaults: expected a mapping, found 5"},
    {"defaults: {deadlineSeconds: soon}\n",
     "c.yaml:1:29: defaults.deadlineSeconds: expected a whole number from 1 to 2147483647, found "
     "soon"},
    {"defaults: {deadlineSeconds: 5.5}\n",
     "c.yaml:1:29: defaults.deadlineSeconds: expected a whole number from 1 to 2147483647, found "
     "5.5"},
    {"defaults: {deadlineSeconds: 150s}\n",
     "c.yaml:1:29: defaults.deadlineSeconds: expected a whole number from 1 to 2147483647, found "
     "150s"},
    {"defaults: {deadlineSeconds: \"60\"}\n",
     "c.yaml:1:29: defaults.deadlineSeconds: expected a whole number from 1 to 2147483647, found "
     "\"60\""},
    {"defaults: {deadlineSeconds: {a: 1}}\n",
     "c.yaml:1:29: defaults.deadlineSeconds: expected a whole number from 1 to 2147483647, found a "
     "mapping"},
    {"defaults: {deadlineSeconds: 99999999999999999999}\n",
     "c.yaml:1:29: defaults.deadlineSeconds: expected a whole number from 1 to 2147483647, found "
     "99999999999999999999"},
    {"defaults:\n  heartbeat:\n    intervalSeconds: 30\n    timeoutSeconds: 59\n",
     "c.yaml:4:21: defaults.heartbeat.timeoutSeconds: expected at least 2 times intervalSeconds "
     "(30), "
     "found 59"},
    {"defaults:\n  heartbeat: {source: Pod}\n",
     "c.yaml:2:23: defaults.heartbeat.source: expected Status or Lease, found Pod"},
    {"rateLimit: {reapsPerSecond: -1}\n",
     "c.yaml:1:29: rateLimit.reapsPerSecond: expected a number from 0 to 1000000, found -1"},
    {"rateLimit: {reapsPerSecond: nan}\n",
     "c.yaml:1:29: rateLimit.reapsPerSecond: expected a number from 0 to 1000000, found nan"},
    {"rateLimit: {inFlight: 1.5}\n",
     "c.yaml:1:23: rateLimit.inFlight: expected a whole number from 0 to 1000000, found 1.5"},
    {"grace: {intervals: 0}\n",
     "c.yaml:1:20: grace.intervals: expected a whole number from 1 to 100, found 0"},
    {"breaker: {enabled: yes}\n",
     "c.yaml:1:20: breaker.enabled: expected true or false, found yes"},
    {"breaker: {fraction: 1.01}\n",
     "c.yaml:1:21: breaker.fraction: expected a number from 0.01 to 1, found 1.01"},
    {"breaker: {override: Shut}\n",
     "c.yaml:1:21: breaker.override: expected None, Open or Closed, found Shut"},
    {"executors: {selector: [a]}\n",
     "c.yaml:1:23: executors.selector: expected a text of at most 4096 bytes, found a list of 1"},
    {"watch: {relistSeconds: 0}\n",
     "c.yaml:1:24: watch.relistSeconds: expected a whole number from 10 to 86400, found 0"},
    {"canary: {periodSeconds: 0}\n",
     "c.yaml:1:25: canary.periodSeconds: expected a whole number from 1 to 60, found 0"},
    {"leaderElection: {leaseSeconds: 10, renewDeadlineSeconds: 10}\n",
     "c.yaml:1:32: leaderElection.leaseSeconds: expected more than renewDeadlineSeconds, found 10"},
    {"leaderElection: {renewDeadlineSeconds: 20}\n",
     "c.yaml:1:17: leaderElection.leaseSeconds: expected more than renewDeadlineSeconds, found 15"},
};

TEST(BadGlobalValueTest, FallsBackToTheDefault) {
  for (const BadValue& c : kBadGlobals) {
    SCOPED_TRACE(c.text);
    const LoadedConfig config = Parsed(c.text);
    EXPECT_THAT(config.warnings,
                ElementsAre(c.message + std::string("; the built-in default is used")));
    EXPECT_EQ(config.settings.defaults, Thresholds{});
    EXPECT_EQ(config.settings.reaping, Reaping::kEnabled);
    EXPECT_EQ(config.settings.rate_limit.reaps_per_second, 50);
    EXPECT_EQ(config.settings.rate_limit.in_flight, 32);
    EXPECT_EQ(config.settings.grace.intervals, 2);
  }
}

TEST(HeartbeatSettingsTest, PositiveNumbersAreTaken) {
  const LoadedConfig config =
      Parsed("defaults: {heartbeat: {intervalSeconds: 1, timeoutSeconds: 2147483647}}\n");
  EXPECT_TRUE(config.warnings.empty());
  EXPECT_EQ(config.settings.defaults.heartbeat_interval, Seconds(1));
  EXPECT_EQ(config.settings.defaults.heartbeat_timeout, Seconds(2147483647));
}

TEST(HeartbeatSettingsTest, AnythingElseIsTheDefaultAndAWarning) {
  for (const char* key : {"intervalSeconds", "timeoutSeconds"}) {
    for (const char* value : {"-1", "0", "soon", "30s", "1.5", "2147483648", "''", "~"}) {
      const LoadedConfig config =
          Parsed(std::string("defaults: {heartbeat: {") + key + ": " + value + "}}\n");
      EXPECT_THAT(config.warnings,
                  ElementsAre(testing::AllOf(testing::HasSubstr(std::string("heartbeat.") + key),
                                             testing::HasSubstr("the built-in default is used"))))
          << value;
      EXPECT_EQ(config.settings.defaults, Thresholds{}) << value;
    }
  }
}

const BadValue kBadLanes[] = {
    {"7", "c.yaml:3:8: lanes.bad: expected a mapping, found 7"},
    {"{deadlineSeconds: 0}",
     "c.yaml:3:26: lanes.bad.deadlineSeconds: expected a whole number from 1 to 2147483647, found "
     "0"},
    {"{reaping: Off}",
     "c.yaml:3:18: lanes.bad.reaping: expected Enabled, DryRun or Disabled, found Off"},
    {"{heartbeat: [1]}", "c.yaml:3:20: lanes.bad.heartbeat: expected a mapping, found a list of 1"},
    {"{heartbeat: {mode: auto}}",
     "c.yaml:3:27: lanes.bad.heartbeat.mode: expected Auto, Required or Ignored, found auto"},
    {"{heartbeat: {intervalSeconds: 40, timeoutSeconds: 60}}",
     "c.yaml:3:58: lanes.bad.heartbeat.timeoutSeconds: expected at least 2 times intervalSeconds "
     "(40), "
     "found 60"},
    {"{max: {claimTTLSeconds: -4}}",
     "c.yaml:3:32: lanes.bad.max.claimTTLSeconds: expected a whole number from 1 to 2147483647, "
     "found -4"},
    {"{overridable: all}",
     "c.yaml:3:22: lanes.bad.overridable: expected a list of at most 32 names, found all"},
    {"{overridable: [deadlineSeconds, lane]}",
     "c.yaml:3:40: lanes.bad.overridable[1]: expected reaping, heartbeat.mode, "
     "pendingDeadlineSeconds, "
     "deadlineSeconds, backstopSeconds, claimTTLSeconds, progressTimeoutSeconds, "
     "finalizeGraceSeconds, cancelGraceSeconds, ttlSecondsAfterFinished, "
     "heartbeat.intervalSeconds, heartbeat.timeoutSeconds, heartbeat.firstTimeoutSeconds, "
     "heartbeat.source, completionGates or retry, found lane"},
    {"{retry: {maxAttempts: 101}}",
     "c.yaml:3:30: lanes.bad.retry.maxAttempts: expected a whole number from 1 to 100, found 101"},
    {"{retry: {backoffSeconds: 20, maxBackoffSeconds: 19}}",
     "c.yaml:3:56: lanes.bad.retry.maxBackoffSeconds: expected at least backoffSeconds (20), found "
     "19"},
    {"{retry: {exitCodes: {in: [1, x]}}}",
     "c.yaml:3:37: lanes.bad.retry.exitCodes.in[1]: expected a whole number from -2147483648 to "
     "2147483647, found x"},
    {"{completionGates: [{conditionType: 5}, 6]}",
     "c.yaml:3:47: lanes.bad.completionGates[1]: expected a mapping, found 6"},
    {"{completionGates: {}}",
     "c.yaml:3:26: lanes.bad.completionGates: expected a list of at most 8 mappings, found a "
     "mapping"},
};

TEST(BadLaneValueTest, HoldsThatLaneOnly) {
  for (const BadValue& c : kBadLanes) {
    SCOPED_TRACE(c.text);
    const LoadedConfig config =
        Parsed(std::string("lanes:\n  good: {deadlineSeconds: 5}\n  bad: ") + c.text + '\n');
    EXPECT_THAT(
        config.warnings,
        ElementsAre(c.message + std::string("; lane bad is held: its runs get no verdict")));
    ASSERT_EQ(config.settings.lanes.size(), 2U);
    EXPECT_FALSE(config.settings.lanes[0].held);
    EXPECT_EQ(config.settings.lanes[0].thresholds.deadline, Seconds(5));
    EXPECT_TRUE(config.settings.lanes[1].held);
    EXPECT_EQ(config.settings.lanes[1].name, "bad");
  }
}

TEST(ConfigTest, EveryBadValueIsTold) {
  const LoadedConfig config =
      Parsed("reaping: x\ngrace: {intervals: y}\nlanes: {a: {reaping: z}, b: 1}\n");
  EXPECT_EQ(config.warnings.size(), 4U);
}

}  // namespace
}  // namespace jobrun
