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

Key NotInEffect(Key key) {
  key.in_effect = false;
  return key;
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

Keys LaterSecondsKeys() {
  return {NotInEffect(Whole("progressTimeoutSeconds", 1, kSeconds)),
          NotInEffect(Whole("finalizeGraceSeconds", 0, kSeconds)),
          NotInEffect(Whole("cancelGraceSeconds", 0, kSeconds)),
          NotInEffect(Whole("ttlSecondsAfterFinished", 0, kSeconds))};
}

void Append(Keys& keys, Keys more) {
  for (Key& key : more) keys.push_back(std::move(key));
}

Key HeartbeatKeys(Thresholds& into) {
  Key section = Section("heartbeat", SecondsKeys(into, true));
  section.keys.push_back(Choice("mode", Names(kHeartbeatModeNames), [&into](const Value& value) {
    into.heartbeat_mode = static_cast<HeartbeatMode>(value.whole);
  }));
  section.keys.push_back(NotInEffect(Choice("source", {"Status", "Lease"})));
  section.check = [&into](const Wholes& wholes) {
    auto mismatch = TooShort(wholes, "timeoutSeconds", "intervalSeconds", 2);
    if (mismatch) into.heartbeat_interval = into.heartbeat_timeout = std::nullopt;
    return mismatch;
  };
  return section;
}

Key RetryKeys() {
  const auto list = [](std::string_view name, ValueKind kind, double most) {
    return Key{.name = name, .kind = kind, .max = most};
  };
  Key section =
      Section("retry", {Whole("maxAttempts", 1, 100), Whole("backoffSeconds", 1, kSeconds),
                        Whole("maxBackoffSeconds", 1, kSeconds), list("on", ValueKind::kTexts, 32),
                        Section("exitCodes", {list("in", ValueKind::kWholes, 64),
                                              list("notIn", ValueKind::kWholes, 64)})});
  section.check = [](const Wholes& wholes) {
    return TooShort(wholes, "maxBackoffSeconds", "backoffSeconds", 1);
  };
  return NotInEffect(std::move(section));
}

Key ThresholdKeys(std::string_view name, Thresholds& into) {
  Key section = Section(name, SecondsKeys(into, false));
  section.keys.push_back(Choice("reaping", Names(kReapingNames), [&into](const Value& value) {
    into.reaping = static_cast<Reaping>(value.whole);
  }));
  section.keys.push_back(HeartbeatKeys(into));
  Append(section.keys, LaterSecondsKeys());
  section.keys.push_back(NotInEffect(
      Key{.name = "completionGates",
          .kind = ValueKind::kSections,
          .max = 8,
          .keys = {Key{.name = "conditionType", .kind = ValueKind::kText, .max = 316}}}));
  section.keys.push_back(RetryKeys());
  return section;
}

Key MaxKeys(Thresholds& into) {
  Key section = Section("max", SecondsKeys(into, false));
  section.keys.push_back(Section("heartbeat", SecondsKeys(into, true)));
  Append(section.keys, LaterSecondsKeys());
  section.keys.push_back(NotInEffect(
      Section("retry", {Whole("maxAttempts", 1, 100), Whole("backoffSeconds", 1, kSeconds),
                        Whole("maxBackoffSeconds", 1, kSeconds)})));
  return section;
}

std::vector<std::string_view> OverridablePaths() {
  std::vector<std::string_view> paths = {"reaping", "heartbeat.mode"};
  for (const SecondsField& field : kSecondsFields) paths.push_back(field.path);
  for (const std::string_view later :
       {"heartbeat.source", "progressTimeoutSeconds", "finalizeGraceSeconds", "cancelGraceSeconds",
        "ttlSecondsAfterFinished", "completionGates", "retry"}) {
    paths.push_back(later);
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

Key BreakerKeys() {
  return NotInEffect(Section(
      "breaker", {Key{.name = "enabled", .kind = ValueKind::kSwitch},
                  Number("fraction", 0.01, 1, {}), Whole("minRuns", 1, kSeconds),
                  Whole("holdSeconds", 0, 86400), Choice("override", {"None", "Open", "Closed"})}));
}

Key ExecutorKeys() {
  return NotInEffect(
      Section("executors", {Key{.name = "enabled", .kind = ValueKind::kSwitch},
                            Key{.name = "selector", .kind = ValueKind::kText, .max = 4096},
                            Whole("deadChecks", 1, 100), Whole("checkSeconds", 1, 3600)}));
}

// client-go's order: a lease outlives the attempts to renew it, which outlive one retry.
Key LeaderElectionKeys() {
  Key section = Section("leaderElection",
                        {Whole("leaseSeconds", 1, 3600), Whole("renewDeadlineSeconds", 1, 3600),
                         Whole("retrySeconds", 1, 3600)});
  section.check = [](const Wholes& wholes) -> std::optional<Mismatch> {
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
    return mismatch ? mismatch : longer("renewDeadlineSeconds", "retrySeconds");
  };
  return NotInEffect(std::move(section));
}

}  // namespace

Key FileKeys(Settings& settings) {
  return Section(
      "", {Choice("reaping", Names(kReapingNames),
                  [&settings](const Value& value) {
                    settings.reaping = static_cast<Reaping>(value.whole);
                  }),
           ThresholdKeys("defaults", settings.defaults), RateLimitKeys(settings.rate_limit),
           GraceKeys(settings.grace), BreakerKeys(), ExecutorKeys(),
           NotInEffect(Section("canary", {Whole("periodSeconds", 1, 60)})), LeaderElectionKeys()});
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
