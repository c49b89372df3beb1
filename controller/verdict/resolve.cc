#include "controller/verdict/resolve.h"

#include <algorithm>

namespace jobrun {
namespace {

constexpr Seconds kClaimTtlDefault{7200};
constexpr Seconds kFinalizeGraceDefault{300};
constexpr Seconds kCancelGraceDefault{60};
constexpr Seconds kHeartbeatIntervalDefault{30};
constexpr Seconds kHeartbeatTimeoutDefault{150};

// What the run asks for, less what its lane does not let runs set.
Thresholds Permitted(const Thresholds& run,
                     const std::optional<std::span<const std::string>>& overridable) {
  if (!overridable) return run;
  Thresholds permitted = run;
  if (!MayOverride(*overridable, "reaping")) permitted.reaping.reset();
  if (!MayOverride(*overridable, "heartbeat.mode")) permitted.heartbeat_mode.reset();
  if (!MayOverride(*overridable, "heartbeat.source")) permitted.heartbeat_source.reset();
  if (!MayOverride(*overridable, "completionGates")) permitted.completion_gates.reset();
  if (!MayOverride(*overridable, "retry")) permitted.retry = {};
  for (const SecondsField& field : kSecondsFields) {
    if (!MayOverride(*overridable, field.path)) (permitted.*field.member).reset();
  }
  return permitted;
}

template <class T>
std::optional<T> FirstSaid(const std::optional<T>& a, const std::optional<T>& b,
                           const std::optional<T>& c) {
  if (a) return a;
  if (b) return b;
  return c;
}

// A lane's ceiling holds also for a run that set no limit at all.
std::optional<Seconds> Capped(std::optional<Seconds> value, const std::optional<Seconds>& max) {
  if (!max) return value;
  return value ? std::min(*value, *max) : *max;
}

}  // namespace

bool MayOverride(std::span<const std::string> overridable, std::string_view path) {
  const std::string_view group = path.substr(0, path.find('.'));
  return std::ranges::any_of(
      overridable, [&](const std::string& allowed) { return allowed == path || allowed == group; });
}

Policy ResolvePolicy(const Thresholds& run, const LaneRules& lane, const Thresholds& defaults,
                     Reaping global) {
  static const Thresholds kSilent{};
  const Thresholds& of_lane = lane.thresholds != nullptr ? *lane.thresholds : kSilent;
  const Thresholds& max = lane.max != nullptr ? *lane.max : kSilent;
  const Thresholds of_run = Permitted(run, lane.overridable);
  const auto said = [&](auto Thresholds::* field) {
    return FirstSaid(of_run.*field, of_lane.*field, defaults.*field);
  };
  const auto limit = [&](std::optional<Seconds> Thresholds::* field) {
    return Capped(said(field), max.*field);
  };

  Policy policy;
  policy.reaping = std::max(global, said(&Thresholds::reaping).value_or(Reaping::kEnabled));
  policy.held = lane.held;
  policy.pending_deadline = limit(&Thresholds::pending_deadline);
  policy.deadline = limit(&Thresholds::deadline);
  policy.backstop = limit(&Thresholds::backstop);
  policy.heartbeat_mode = said(&Thresholds::heartbeat_mode).value_or(HeartbeatMode::kAuto);
  policy.heartbeat_source = said(&Thresholds::heartbeat_source).value_or(HeartbeatSource::kStatus);
  policy.heartbeat_interval =
      limit(&Thresholds::heartbeat_interval).value_or(kHeartbeatIntervalDefault);
  policy.heartbeat_timeout =
      limit(&Thresholds::heartbeat_timeout).value_or(kHeartbeatTimeoutDefault);
  if (policy.heartbeat_timeout < 2 * policy.heartbeat_interval) {
    policy.heartbeat_timeout = 2 * policy.heartbeat_interval;
    policy.timeout_raised = true;
  }
  policy.progress_timeout = limit(&Thresholds::progress_timeout);
  policy.finalize_grace = limit(&Thresholds::finalize_grace).value_or(kFinalizeGraceDefault);
  policy.cancel_grace = limit(&Thresholds::cancel_grace).value_or(kCancelGraceDefault);
  policy.ttl = limit(&Thresholds::ttl);
  policy.first_timeout = limit(&Thresholds::first_timeout).value_or(policy.heartbeat_timeout);
  policy.claim_ttl = policy.heartbeat_mode == HeartbeatMode::kIgnored
                         ? Capped(FirstSaid(of_run.claim_ttl, of_lane.claim_ttl, {}), max.claim_ttl)
                         : limit(&Thresholds::claim_ttl).value_or(kClaimTtlDefault);
  return policy;
}

RetryPolicy ResolveRetry(const Thresholds& run, const LaneRules& lane, const Thresholds& defaults) {
  static const RetryRules kSilent{};
  const RetryRules of_run = Permitted(run, lane.overridable).retry;
  const RetryRules& of_lane = lane.thresholds != nullptr ? lane.thresholds->retry : kSilent;
  const RetryRules& max = lane.max != nullptr ? lane.max->retry : kSilent;
  const auto said = [&](auto RetryRules::* field) {
    return FirstSaid(of_run.*field, of_lane.*field, defaults.retry.*field);
  };
  RetryPolicy policy;
  policy.max_attempts = said(&RetryRules::max_attempts).value_or(policy.max_attempts);
  policy.backoff = said(&RetryRules::backoff).value_or(policy.backoff);
  policy.max_backoff = said(&RetryRules::max_backoff).value_or(policy.max_backoff);
  if (max.max_attempts) policy.max_attempts = std::min(policy.max_attempts, *max.max_attempts);
  if (max.max_backoff) policy.max_backoff = std::min(policy.max_backoff, *max.max_backoff);
  if (max.backoff) policy.backoff = std::min(policy.backoff, *max.backoff);
  policy.max_backoff = std::max(policy.max_backoff, policy.backoff);
  policy.on = said(&RetryRules::on);
  policy.exit_codes_in = said(&RetryRules::exit_codes_in);
  policy.exit_codes_not_in =
      said(&RetryRules::exit_codes_not_in).value_or(policy.exit_codes_not_in);
  return policy;
}

std::vector<std::string> ResolveGates(const Thresholds& run, const LaneRules& lane,
                                      const Thresholds& defaults) {
  const auto& of_lane = lane.thresholds != nullptr ? lane.thresholds->completion_gates
                                                   : std::optional<std::vector<std::string>>();
  return FirstSaid(Permitted(run, lane.overridable).completion_gates, of_lane,
                   defaults.completion_gates)
      .value_or(std::vector<std::string>());
}

}  // namespace jobrun
