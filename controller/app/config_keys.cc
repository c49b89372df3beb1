#include "controller/app/config_keys.h"

#include <limits>
#include <string>
#include <utility>

namespace jobrun {
namespace {

constexpr double kSeconds = static_cast<double>(kSecondsMax);
constexpr std::string_view kHeartbeatPrefix = "heartbeat.";
// More than any API server takes; stands for "unlimited" where the engine needs a number.
constexpr int kUnlimited = 1'000'000;

template <std::size_t N>
std::vector<std::string_view> Names(const std::array<std::string_view, N>& names) {
  return {names.begin(), names.end()};
}

Key Whole(std::string_view name, double min, double max,
          std::function<void(const Value&)> take = {}) {
  return {.name = name, .kind = ValueKind::kWhole, .min = min, .max = max, .take = std::move(take)};
}

Key Number(std::string_view name, double min, double max, std::function<void(const Value&)> take) {
  return {
      .name = name, .kind = ValueKind::kNumber, .min = min, .max = max, .take = std::move(take)};
}

Key Choice(std::string_view name, std::vector<std::string_view> choices,
           std::function<void(const Value&)> take = {}) {
  return {.name = name,
          .kind = ValueKind::kChoice,
          .choices = std::move(choices),
          .take = std::move(take)};
}

Key Section(std::string_view name, Keys keys) {
  return {.name = name, .kind = ValueKind::kSection, .keys = std::move(keys)};
}

// `longer` must be at least `factor` times `shorter` where a section holds both.
std::optional<Mismatch> TooShort(const Wholes& wholes, std::string_view longer,
                                 std::string_view shorter, std::int64_t factor) {
  const auto upper = wholes.find(longer);
  const auto lower = wholes.find(shorter);
  if (upper == wholes.end() || lower == wholes.end()) return std::nullopt;
  if (upper->second >= factor * lower->second) return std::nullopt;
  const std::string times = factor == 1 ? "" : std::to_string(factor) + " times ";
  return Mismatch{.key = longer,
                  .expected = "at least " + times + std::string(shorter) + " (" +
                              std::to_string(lower->second) + ')',
                  .found = std::to_string(upper->second)};
}

// The fields of Thresholds that count seconds, those of `heartbeat` or those of the section around
// it.
Keys SecondsKeys(Thresholds& into, bool of_heartbeat) {
  Keys keys;
  for (const SecondsField& field : kSecondsFields) {
    if (field.path.starts_with(kHeartbeatPrefix) != of_heartbeat) continue;
    std::string_view name = field.path;
    if (of_heartbeat) name.remove_prefix(kHeartbeatPrefix.size());
    keys.push_back(Whole(name, static_cast<double>(field.min), static_cast<double>(field.max),
                         [&into, member = field.member](const Value& value) {
                           into.*member = Seconds(value.whole);
                         }));
  }
  return keys;
}

Key HeartbeatKeys(Thresholds& into) {
  Key section = Section("heartbeat", SecondsKeys(into, true));
  section.keys.push_back(Choice("mode", Names(kHeartbeatModeNames), [&into](const Value& value) {
    into.heartbeat_mode = static_cast<HeartbeatMode>(value.whole);
  }));
  section.keys.push_back(
      Choice("source", Names(kHeartbeatSourceNames), [&into](const Value& value) {
        into.heartbeat_source = static_cast<HeartbeatSource>(value.whole);
      }));
  section.check = [&into](const Wholes& wholes) {
    auto mismatch = TooShort(wholes, "timeoutSeconds", "intervalSeconds", 2);
    if (mismatch) into.heartbeat_interval = into.heartbeat_timeout = std::nullopt;
    return mismatch;
  };
  return section;
}

// What `max` may bound, too.
Keys RetryLimitKeys(RetryRules& into) {
  return {Whole("maxAttempts", 1, kMaxAttemptsMax,
                [&into](const Value& value) { into.max_attempts = static_cast<int>(value.whole); }),
          Whole("backoffSeconds", 1, kSeconds,
                [&into](const Value& value) { into.backoff = Seconds(value.whole); }),
          Whole("maxBackoffSeconds", 1, kSeconds,
                [&into](const Value& value) { into.max_backoff = Seconds(value.whole); })};
}

Key RetryKeys(RetryRules& into) {
  const auto codes = [](std::string_view name, std::optional<std::vector<std::int32_t>>& list) {
    return Key{
        .name = name, .kind = ValueKind::kWholes, .max = 64, .take = [&list](const Value& value) {
          list = value.wholes;
        }};
  };
  Key section = Section("retry", RetryLimitKeys(into));
  section.keys.push_back(
      Key{.name = "on", .kind = ValueKind::kTexts, .max = 32, .take = [&into](const Value& value) {
            into.on = value.items;
          }});
  section.keys.push_back(Section(
      "exitCodes", {codes("in", into.exit_codes_in), codes("notIn", into.exit_codes_not_in)}));
  section.check = [&into](const Wholes& wholes) {
    auto mismatch = TooShort(wholes, "maxBackoffSeconds", "backoffSeconds", 1);
    if (mismatch) into.backoff = into.max_backoff = std::nullopt;
    return mismatch;
  };
  return section;
}

Key GateKeys(Thresholds& into) {
  const auto add = [&into](const Value& value) { into.completion_gates->push_back(value.text); };
  return {.name = "completionGates",
          .kind = ValueKind::kSections,
          .max = 8,
          .keys = {Key{.name = "conditionType", .kind = ValueKind::kText, .max = 316, .take = add}},
          .take = [&into](const Value&) { into.completion_gates.emplace(); }};
}

Key ThresholdKeys(std::string_view name, Thresholds& into) {
  Key section = Section(name, SecondsKeys(into, false));
  section.keys.push_back(Choice("reaping", Names(kReapingNames), [&into](const Value& value) {
    into.reaping = static_cast<Reaping>(value.whole);
  }));
  section.keys.push_back(HeartbeatKeys(into));
  section.keys.push_back(GateKeys(into));
  section.keys.push_back(RetryKeys(into.retry));
  return section;
}

Key MaxKeys(Thresholds& into) {
  Key section = Section("max", SecondsKeys(into, false));
  section.keys.push_back(Section("heartbeat", SecondsKeys(into, true)));
  section.keys.push_back(Section("retry", RetryLimitKeys(into.retry)));
  return section;
}

std::vector<std::string_view> OverridablePaths() {
  std::vector<std::string_view> paths = {"reaping", "heartbeat.mode"};
  for (const SecondsField& field : kSecondsFields) paths.push_back(field.path);
  for (const std::string_view other : {"heartbeat.source", "completionGates", "retry"}) {
    paths.push_back(other);
  }
  return paths;
}

Key RateLimitKeys(RateLimit& into) {
  constexpr double kMost = kUnlimited;
  return Section("rateLimit",
                 {Number("reapsPerSecond", 0, kMost,
                         [&into](const Value& value) { into.reaps_per_second = value.number; }),
                  Whole("burst", 0, kMost,
                        [&into](const Value& value) {
                          into.burst = value.whole == 0 ? kUnlimited : value.number;
                        }),
                  Whole("inFlight", 0, kMost,
                        [&into](const Value& value) {
                          into.in_flight =
                              value.whole == 0 ? kUnlimited : static_cast<int>(value.whole);
                        }),
                  Number("visitsPerSecond", 0, kMost,
                         [&into](const Value& value) { into.visits_per_second = value.number; })});
}

Key GraceKeys(Grace& into) {
  return Section("grace",
                 {Whole("serverSkewSeconds", 0, 3600,
                        [&into](const Value& value) { into.server_skew = Seconds(value.whole); }),
                  Whole("intervals", 1, 100, [&into](const Value& value) {
                    into.intervals = static_cast<int>(value.whole);
                  })});
}

Key WholeSeconds(std::string_view name, double min, double max, Seconds& into) {
  return Whole(name, min, max, [&into](const Value& value) { into = Seconds(value.whole); });
}

Key Switch(std::string_view name, bool& into) {
  return Key{.name = name, .kind = ValueKind::kSwitch, .take = [&into](const Value& value) {
               into = value.whole != 0;
             }};
}

Key BreakerKeys(BreakerSettings& into) {
  return Section(
      "breaker",
      {Switch("enabled", into.enabled),
       Number("fraction", 0.01, 1, [&into](const Value& value) { into.fraction = value.number; }),
       Whole("minRuns", 1, kSeconds,
             [&into](const Value& value) { into.min_runs = static_cast<int>(value.whole); }),
       WholeSeconds("holdSeconds", 0, 86400, into.hold),
       Choice("override", Names(kBreakerOverrideNames), [&into](const Value& value) {
         into.override_by_operator = static_cast<BreakerOverride>(value.whole);
       })});
}

Key ExecutorKeys(ExecutorChecks& into) {
  return Section(
      "executors",
      {Switch("enabled", into.enabled),
       Key{.name = "selector",
           .kind = ValueKind::kText,
           .max = 4096,
           .take = [&into](const Value& value) { into.selector = value.text; }},
       Whole("deadChecks", 1, 100,
             [&into](const Value& value) { into.dead_checks = static_cast<int>(value.whole); }),
       Whole("checkSeconds", 1, 3600,
             [&into](const Value& value) { into.check = Seconds(value.whole); })});
}

// client-go's order: a lease outlives the attempts to renew it, which outlive one retry.
Key LeaderElectionKeys(LeaderElection& into) {
  Key section =
      Section("leaderElection", {WholeSeconds("leaseSeconds", 1, 3600, into.lease),
                                 WholeSeconds("renewDeadlineSeconds", 1, 3600, into.renew_deadline),
                                 WholeSeconds("retrySeconds", 1, 3600, into.retry)});
  section.check = [&into](const Wholes&) -> std::optional<Mismatch> {
    const Wholes wholes = {{"leaseSeconds", into.lease.count()},
                           {"renewDeadlineSeconds", into.renew_deadline.count()},
                           {"retrySeconds", into.retry.count()}};
    const auto longer = [&wholes](std::string_view above, std::string_view below) {
      auto mismatch = TooShort(wholes, above, below, 1);
      if (!mismatch && wholes.contains(above) && wholes.contains(below) &&
          wholes.at(above) == wholes.at(below)) {
        mismatch = Mismatch{.key = above, .found = std::to_string(wholes.at(above))};
      }
      if (mismatch) mismatch->expected = "more than " + std::string(below);
      return mismatch;
    };
    auto mismatch = longer("leaseSeconds", "renewDeadlineSeconds");
    if (!mismatch) mismatch = longer("renewDeadlineSeconds", "retrySeconds");
    if (mismatch) into = LeaderElection{};
    return mismatch;
  };
  return section;
}

Key WatchKeys(RunWatchSettings& into) {
  return Section("watch", {WholeSeconds("relistSeconds", 10, 86400, into.relist),
                           Switch("finished", into.finished), Switch("gzip", into.gzip)});
}

}  // namespace

Key FileKeys(Settings& settings) {
  return Section(
      "",
      {Choice("reaping", Names(kReapingNames),
              [&settings](const Value& value) {
                settings.reaping = static_cast<Reaping>(value.whole);
              }),
       ThresholdKeys("defaults", settings.defaults), RateLimitKeys(settings.rate_limit),
       GraceKeys(settings.grace), BreakerKeys(settings.breaker), ExecutorKeys(settings.executors),
       Section("canary", {WholeSeconds("periodSeconds", 1, 60, settings.canary.period)}),
       WatchKeys(settings.watch), LeaderElectionKeys(settings.election)});
}

Key LaneKeys(Lane& lane) {
  Key section = ThresholdKeys(lane.name, lane.thresholds);
  section.keys.push_back(MaxKeys(lane.max));
  section.keys.push_back(
      Key{.name = "overridable",
          .kind = ValueKind::kTexts,
          .max = 32,
          .choices = OverridablePaths(),
          .take = [&lane](const Value& value) { lane.overridable = value.items; }});
  return section;
}

}  // namespace jobrun
