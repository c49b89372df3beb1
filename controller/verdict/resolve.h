// Puts together what a run, its lane and the defaults say about reaping.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/model/thresholds.h"

namespace jobrun {

// One lane's say, as the configuration has it.
struct LaneRules {
  const Thresholds* thresholds{nullptr};
  const Thresholds* max{nullptr};  // ceilings on what holds in the end
  // The fields runs may set; absent: all, empty: none.
  std::optional<std::span<const std::string>> overridable{};
  bool held{false};
};

// Run before lane before defaults before the built-in values (docs/verdicts.md).
//  - `global` is the kill switch: the stricter of it and what run or lane say holds (Disabled,
//  DryRun, Enabled).
//  - With heartbeats Ignored the claim limit holds only where the run or the lane itself sets one.
//  - A timeout shorter than two intervals is raised to them, and marked so that somebody can be
//  warned.
[[nodiscard]] Policy ResolvePolicy(const Thresholds& run, const LaneRules& lane,
                                   const Thresholds& defaults, Reaping global);

// The conditions that must be True before exit code 0 counts as success, in the same precedence; a
// run that lists its own replaces the lane's.
[[nodiscard]] std::vector<std::string> ResolveGates(const Thresholds& run, const LaneRules& lane,
                                                    const Thresholds& defaults);

// What holds about retries, in the same precedence, field by field. A lane's `max` bounds attempts
// and waits.
[[nodiscard]] RetryPolicy ResolveRetry(const Thresholds& run, const LaneRules& lane,
                                       const Thresholds& defaults);

// The name under which `overridable` lists a field: its path ("heartbeat.timeoutSeconds") or, for a
// whole group, the part before the dot ("heartbeat").
[[nodiscard]] bool MayOverride(std::span<const std::string> overridable, std::string_view path);

}  // namespace jobrun
