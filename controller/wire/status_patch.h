// The merge patches that the controller writes to a JobRun's status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/model/reason.h"
#include "controller/model/retry.h"

namespace jobrun {

inline constexpr std::string_view kMergePatchType = "application/merge-patch+json";
inline constexpr std::string_view kJsonPatchType = "application/json-patch+json";

// status.retry: what is to become of a run that ended. Empty texts are not written.
struct RetryRecord {
  RetryState state{};
  std::string_view successor_name{};
  std::string_view successor_uid{};
  std::optional<ServerTime> not_before{};
};

// A verdict, with the version it was judged on. `foreign_conditions` are the raw JSON texts of
// conditions that are not ours, comma-separated, as ForeignConditions returns them; a merge patch
// replaces the list.
struct VerdictPatch {
  std::uint64_t resource_version{0};
  std::uint64_t generation{0};
  Reason reason{};
  std::string_view message{};
  std::string_view cause{};  // empty: none
  std::string_view verdict_id{};
  ServerTime at{};  // completionTime and lastTransitionTime: the API server's clock
  std::string_view foreign_conditions{};
  std::optional<RetryRecord> retry{};
};
[[nodiscard]] std::string WriteVerdictPatch(const VerdictPatch& patch);

// The same for a verdict that heartbeats do not excuse, on a run that somebody writes to all the
// time: a JSON patch that tests what the verdict rests on instead of the version. Texts as the
// object has them; no exit code and no deletion is tested as well.
struct Grounds {
  std::string_view uid{};
  std::string_view claimed_at{};
  std::string_view conditions_json{};  // the list, so that none added meanwhile is lost; or empty
};
[[nodiscard]] std::string WriteVerdictJsonPatch(const VerdictPatch& patch, const Grounds& grounds);

// One condition as JSON.
struct Condition {
  std::string_view type{};
  std::string_view status{};
  std::string_view reason{};
  std::string_view message{};
  ServerTime at{};
  std::uint64_t generation{0};
};
[[nodiscard]] std::string WriteCondition(const Condition& condition);

// The first visit of a Running run: when it started, on the API server's clock, and that its
// executor was seen alive (`condition`, as WriteCondition makes it). At least one of the two.
struct VisitPatch {
  std::uint64_t resource_version{0};
  std::optional<ServerTime> start_time{};
  std::string_view condition{};
};
// For a run without conditions.
[[nodiscard]] std::string WriteVisitPatch(const VisitPatch& patch);
// For a run that has some, which stay as they are: a JSON patch.
[[nodiscard]] std::string WriteVisitJsonPatch(const VisitPatch& patch);

// What was decided, or has become, of the retry of a run that ended. `conditions`: the whole list
// that is to stand afterwards, as raw JSON elements; without it conditions are left alone.
struct RetryPatch {
  std::uint64_t resource_version{0};
  RetryRecord retry{};
  std::optional<std::string_view> conditions{};
};
[[nodiscard]] std::string WriteRetryPatch(const RetryPatch& patch);

// The conditions of the object in `text` that this controller does not write, as raw JSON joined
// with commas; empty when there are none. Fails when the text is no object.
[[nodiscard]] Result<std::string> ForeignConditions(std::string_view text);

// The same, of all conditions but those of one type.
[[nodiscard]] Result<std::string> ConditionsExcept(std::string_view text, std::string_view type);

// The types of the conditions in `conditions_json` (a JSON list, or empty) that are True. What
// can't be read is not.
[[nodiscard]] std::vector<std::string> TrueConditions(std::string_view conditions_json);

// The message of the condition of this type, if it is there and True.
[[nodiscard]] std::optional<std::string> TrueConditionMessage(std::string_view conditions_json,
                                                              std::string_view type);

}  // namespace jobrun
