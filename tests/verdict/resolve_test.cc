#include "controller/verdict/resolve.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

Policy Resolve(const Thresholds& run, const Thresholds& lane, const Thresholds& defaults,
               Reaping global = Reaping::kEnabled) {
  return ResolvePolicy(run, LaneRules{.thresholds = &lane}, defaults, global);
}

TEST(ResolveTest, BuiltInValuesHoldWhereNobodySaysAnything) {
  const Policy policy = Resolve({}, {}, {});
  EXPECT_EQ(policy, (Policy{.claim_ttl = 7200s}));
  EXPECT_EQ(policy.heartbeat_interval, 30s);
  EXPECT_EQ(policy.heartbeat_timeout, 150s);
  EXPECT_EQ(policy.first_timeout, 150s);
  EXPECT_EQ(policy.heartbeat_mode, HeartbeatMode::kAuto);
}

TEST(ResolveTest, TheSourceOfHeartbeatsFollowsTheSamePrecedence) {
  const Thresholds by_lease{.heartbeat_source = HeartbeatSource::kLease};
  const Thresholds by_status{.heartbeat_source = HeartbeatSource::kStatus};
  EXPECT_EQ(Resolve({}, {}, by_lease).heartbeat_source, HeartbeatSource::kLease);
  EXPECT_EQ(Resolve({}, by_status, by_lease).heartbeat_source, HeartbeatSource::kStatus);
  EXPECT_EQ(Resolve(by_lease, by_status, {}).heartbeat_source, HeartbeatSource::kLease);
  const std::vector<std::string> none;
  const Thresholds nothing;
  const LaneRules strict{.thresholds = &nothing, .overridable = none};
  EXPECT_EQ(ResolvePolicy(by_lease, strict, {}, Reaping::kEnabled).heartbeat_source,
            HeartbeatSource::kStatus);
}

TEST(ResolveTest, RunBeforeLaneBeforeDefaultsForEveryThreshold) {
  for (const SecondsField& field : kSecondsFields) {
    Thresholds run, lane, defaults;
    run.*field.member = 1000s;
    lane.*field.member = 2000s;
    defaults.*field.member = 3000s;
    const auto resolved = [&](const Thresholds& a, const Thresholds& b, const Thresholds& c) {
      const Policy policy = Resolve(a, b, c);
      if (field.path == "pendingDeadlineSeconds") return *policy.pending_deadline;
      if (field.path == "deadlineSeconds") return *policy.deadline;
      if (field.path == "backstopSeconds") return *policy.backstop;
      if (field.path == "claimTTLSeconds") return *policy.claim_ttl;
      if (field.path == "heartbeat.intervalSeconds") return policy.heartbeat_interval;
      if (field.path == "heartbeat.timeoutSeconds") return policy.heartbeat_timeout;
      if (field.path == "progressTimeoutSeconds") return *policy.progress_timeout;
      if (field.path == "ttlSecondsAfterFinished") return *policy.ttl;
      if (field.path == "finalizeGraceSeconds") return policy.finalize_grace;
      if (field.path == "cancelGraceSeconds") return policy.cancel_grace;
      return policy.first_timeout;
    };
    EXPECT_EQ(resolved(run, lane, defaults), 1000s) << field.path;
    EXPECT_EQ(resolved({}, lane, defaults), 2000s) << field.path;
    EXPECT_EQ(resolved({}, {}, defaults), 3000s) << field.path;
  }
}

TEST(ResolveTest, TheGatesOfARunReplaceThoseOfItsLane) {
  using Gates = std::vector<std::string>;
  const Thresholds lane{.completion_gates = Gates{"lane/done"}};
  const Thresholds defaults{.completion_gates = Gates{"default/done"}};
  const LaneRules rules{.thresholds = &lane};
  EXPECT_EQ(ResolveGates({.completion_gates = Gates{"a", "b"}}, rules, defaults),
            (Gates{"a", "b"}));
  EXPECT_EQ(ResolveGates({.completion_gates = Gates{}}, rules, defaults), Gates{});
  EXPECT_EQ(ResolveGates({}, rules, defaults), Gates{"lane/done"});
  EXPECT_EQ(ResolveGates({}, {}, defaults), Gates{"default/done"});
  EXPECT_EQ(ResolveGates({}, {}, {}), Gates{});
}

TEST(ResolveTest, RetriesAreResolvedFieldByField) {
  using namespace std::chrono_literals;  // NOLINT
  const Thresholds lane{.retry = {.max_attempts = 5, .backoff = 20s, .on = {{"Reported"}}}};
  const Thresholds defaults{.retry = {.backoff = 1s, .max_backoff = 50s, .exit_codes_in = {{7}}}};
  const LaneRules rules{.thresholds = &lane};
  const RetryPolicy policy = ResolveRetry({.retry = {.max_attempts = 2}}, rules, defaults);
  EXPECT_EQ(policy.max_attempts, 2);
  EXPECT_EQ(policy.backoff, 20s);
  EXPECT_EQ(policy.max_backoff, 50s);
  EXPECT_EQ(policy.on, std::vector<std::string>{"Reported"});
  EXPECT_EQ(policy.exit_codes_in, std::vector<std::int32_t>{7});
  EXPECT_EQ(ResolveRetry({}, {}, {}), RetryPolicy{});
}

TEST(ResolveTest, ALaneBoundsRetries) {
  const Thresholds run{.retry = {.max_attempts = 90, .backoff = 900s, .max_backoff = 9000s}};
  const Thresholds max{.retry = {.max_attempts = 3, .backoff = 60s, .max_backoff = 600s}};
  const RetryPolicy policy = ResolveRetry(run, {.max = &max}, {});
  EXPECT_EQ(policy.max_attempts, 3);
  EXPECT_EQ(policy.backoff, 60s);
  EXPECT_EQ(policy.max_backoff, 600s);
  const std::vector<std::string> nothing;
  EXPECT_EQ(ResolveRetry(run, {.overridable = nothing}, {}), RetryPolicy{});
}

TEST(ResolveTest, AWaitThatIsLongerThanTheLongestIsTheLongest) {
  EXPECT_EQ(ResolveRetry({.retry = {.backoff = 500s}}, {}, {}).max_backoff, 500s);
}

TEST(ResolveTest, ATimeoutShorterThanTwoIntervalsIsRaisedAndMarked) {
  const Policy raised = Resolve({.heartbeat_timeout = 59s}, {.heartbeat_interval = 30s}, {});
  EXPECT_EQ(raised.heartbeat_timeout, 60s);
  EXPECT_TRUE(raised.timeout_raised);
  const Policy exact = Resolve({.heartbeat_timeout = 60s}, {.heartbeat_interval = 30s}, {});
  EXPECT_EQ(exact.heartbeat_timeout, 60s);
  EXPECT_FALSE(exact.timeout_raised);
}

TEST(ResolveTest, TheFirstHeartbeatIsAllowedTheTimeoutUnlessSaid) {
  EXPECT_EQ(Resolve({.heartbeat_timeout = 80s}, {}, {}).first_timeout, 80s);
  EXPECT_EQ(Resolve({.heartbeat_timeout = 80s, .first_timeout = 10s}, {}, {}).first_timeout, 10s);
}

TEST(ResolveTest, AnIgnoredLaneHasNoClaimLimitButItsOwn) {
  const Thresholds ignored{.heartbeat_mode = HeartbeatMode::kIgnored};
  EXPECT_EQ(Resolve({}, ignored, {}).claim_ttl, std::nullopt);
  EXPECT_EQ(Resolve({}, ignored, {.claim_ttl = 7200s}).claim_ttl, std::nullopt);
  EXPECT_EQ(
      Resolve({}, {.claim_ttl = 14400s, .heartbeat_mode = HeartbeatMode::kIgnored}, {}).claim_ttl,
      14400s);
  EXPECT_EQ(Resolve({.claim_ttl = 5s}, ignored, {}).claim_ttl, 5s);
}

TEST(ResolveTest, TheStricterOfTheKillSwitchAndTheRestHolds) {
  using enum Reaping;
  EXPECT_EQ(Resolve({.reaping = kEnabled}, {}, {}, kDisabled).reaping, kDisabled);
  EXPECT_EQ(Resolve({.reaping = kEnabled}, {.reaping = kEnabled}, {}, kDryRun).reaping, kDryRun);
  EXPECT_EQ(Resolve({.reaping = kDisabled}, {}, {}, kEnabled).reaping, kDisabled);
  EXPECT_EQ(Resolve({.reaping = kEnabled}, {.reaping = kDisabled}, {}, kEnabled).reaping, kEnabled);
  EXPECT_EQ(Resolve({}, {.reaping = kDryRun}, {}, kEnabled).reaping, kDryRun);
}

TEST(ResolveTest, ALaneBoundsWhatItsRunsMayAskFor) {
  const Thresholds lane{.deadline = 3600s};
  const Thresholds max{.deadline = 7200s, .backstop = 9000s};
  const LaneRules rules{.thresholds = &lane, .max = &max};
  const auto deadline = [&](Seconds asked) {
    return *ResolvePolicy({.deadline = asked}, rules, {}, Reaping::kEnabled).deadline;
  };
  EXPECT_EQ(deadline(7200s), 7200s);
  EXPECT_EQ(deadline(7201s), 7200s);
  EXPECT_EQ(ResolvePolicy({}, rules, {}, Reaping::kEnabled).deadline, 3600s);
  EXPECT_EQ(ResolvePolicy({}, rules, {}, Reaping::kEnabled).backstop, 9000s);
}

TEST(ResolveTest, RunsSetOnlyWhatTheirLaneLetsThem) {
  const Thresholds lane{.deadline = 3600s, .heartbeat_timeout = 100s};
  const std::vector<std::string> overridable = {"deadlineSeconds", "heartbeat"};
  const LaneRules rules{.thresholds = &lane, .overridable = overridable};
  const Policy policy = ResolvePolicy(
      {.reaping = Reaping::kDisabled, .deadline = 1s, .backstop = 1s, .heartbeat_timeout = 90s},
      rules, {}, Reaping::kEnabled);
  EXPECT_EQ(policy.reaping, Reaping::kEnabled);
  EXPECT_EQ(policy.deadline, 1s);
  EXPECT_EQ(policy.backstop, std::nullopt);
  EXPECT_EQ(policy.heartbeat_timeout, 90s);
}

TEST(ResolveTest, AnEmptyListLetsRunsSetNothingAndNoListEverything) {
  const Thresholds run{
      .reaping = Reaping::kDisabled, .deadline = 1s, .heartbeat_mode = HeartbeatMode::kIgnored};
  const auto resolve = [&](const LaneRules& rules) {
    return ResolvePolicy(run, rules, {}, Reaping::kEnabled);
  };
  EXPECT_EQ(resolve({.overridable = std::span<const std::string>{}}),
            ResolvePolicy({}, {}, {}, Reaping::kEnabled));
  EXPECT_EQ(resolve({}).deadline, 1s);
  EXPECT_EQ(resolve({}).reaping, Reaping::kDisabled);
  EXPECT_EQ(resolve({}).heartbeat_mode, HeartbeatMode::kIgnored);
}

TEST(ResolveTest, AHeldLaneIsMarked) {
  EXPECT_TRUE(ResolvePolicy({}, LaneRules{.held = true}, {}, Reaping::kEnabled).held);
}

}  // namespace
}  // namespace jobrun
