// A JobRun as the watch path reports it: only what a decision may need, as views into the text it
// was decoded from. It lives no longer than that text (one engine turn).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "controller/base/time.h"
#include "controller/model/phase.h"
#include "controller/model/retry.h"
#include "controller/model/uid.h"

namespace jobrun {

// Absent strings are empty. Timestamps stay text: heartbeats are compared, never interpreted.
struct ObservedRun {
  std::string_view name_space{};
  std::string_view name{};
  Uid uid{};
  std::uint64_t resource_version{0};
  std::uint64_t generation{0};
  ServerTime created{};  // metadata.creationTimestamp, cut to the second by the API server
  bool being_deleted{false};
  // The whole list metadata.managedFields, not looked into; wire/managed_fields.h reads it.
  std::string_view managed_fields{};

  std::string_view lane{};
  std::string_view spec_json{};  // the whole spec object; decoded when its generation is new
  bool cancelled{false};
  std::uint32_t attempt{1};
  std::string_view concurrency_key{};
  std::string_view retry_of_uid{};
  std::string_view retry_of_name{};

  Phase phase{Phase::kPending};
  std::string_view claimed_at{};
  std::string_view claimed_by{};
  std::string_view last_heartbeat_at{};
  std::string_view start_time{};
  std::string_view executor_pod{};  // status.executor.podName
  std::string_view executor_uid{};
  std::string_view progress{};
  std::optional<std::int32_t> exit_code{};
  std::string_view completion_time{};
  std::string_view late_heartbeat{};  // status.lateHeartbeatTime
  std::optional<RetryState> retry_state{};
  std::string_view retry_not_before{};
  std::string_view successor_name{};
  std::string_view reason{};
  std::string_view verdict_id{};
  // status.conditions holds a condition that is not the controller's own: a merge patch of the list
  // would wipe it, so the verdict's write carries the whole list.
  bool has_foreign_conditions{false};
  std::string_view conditions_json{};  // the whole list; read where a gate depends on it
};

// The types of the conditions that this controller writes: the verdict's, which its write makes
// anew, and that the executor was seen alive, which stays.
inline constexpr std::string_view kSucceededCondition = "Succeeded";
inline constexpr std::string_view kStuckCondition = "Stuck";
inline constexpr std::string_view kExecutorFoundCondition = "ExecutorFound";

}  // namespace jobrun
