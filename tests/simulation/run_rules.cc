#include "tests/simulation/run_rules.h"

#include <array>

#include "controller/base/rfc3339.h"

namespace jobrun::simulation {
namespace {

std::string_view Value(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}
bool Has(const Fields& fields, std::string_view name) { return fields.contains(name); }

bool IsOver(std::string_view phase) {
  return phase == "Succeeded" || phase == "Failed" || phase == "Stuck";
}

std::optional<std::string> RefusedPhase(const Fields& before, const Fields& after) {
  const std::string_view old_phase = Unquoted(Value(before, "phase"));
  const std::string_view phase = Unquoted(Value(after, "phase"));
  if (!old_phase.empty() && phase.empty()) return "phase can't be removed";
  const bool forward = old_phase.empty() || phase == old_phase || old_phase == "Pending" ||
                       (old_phase == "Running" && phase != "Pending");
  if (!forward) return "phases only move forward and a terminal phase is final";
  if (phase == "Running" && (!Has(after, "claimedAt") || !Has(after, "claimedBy"))) {
    return "a Running run has claimedAt and claimedBy";
  }
  const bool begun = !phase.empty() && phase != "Pending";
  for (const std::string_view field : {"claimedAt", "claimedBy", "lastHeartbeatAt"}) {
    if (Has(after, field) && !begun) return "a claim or a heartbeat needs phase Running";
  }
  if (Has(after, "startTime") && !begun) return "startTime needs phase Running";
  if (Has(after, "lateHeartbeatTime") && !IsOver(phase)) {
    return "lateHeartbeatTime needs a terminal phase";
  }
  if (Has(after, "retry") && phase != "Failed" && phase != "Stuck") {
    return "retry needs phase Failed or Stuck";
  }
  return std::nullopt;
}

std::optional<std::string> RefusedRetry(const std::string& before, const std::string& after) {
  if (before.empty()) return std::nullopt;
  if (after.empty()) return "retry can't be removed";
  const std::string old_state = MemberText(before, "state");
  const std::string state = MemberText(after, "state");
  if (old_state != "\"Pending\"" && state != old_state) return "retry.state leaves Pending once";
  for (const char* field : {"successorName", "notBeforeTime"}) {
    if (MemberText(before, field) != MemberText(after, field)) {
      return std::string(field) + " is final";
    }
  }
  const std::string uid = MemberText(before, "successorUID");
  if (!uid.empty() && uid != MemberText(after, "successorUID")) return "successorUID is set once";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> RefusedStatus(const Fields& before, const Fields& after) {
  for (const std::string_view once :
       {"claimedAt", "claimedBy", "startTime", "exitCode", "exitTime", "lateHeartbeatTime"}) {
    if (Has(before, once) && Value(before, once) != Value(after, once)) {
      return std::string(once) + " is set once";
    }
  }
  if (auto refused = RefusedPhase(before, after)) return refused;
  if (IsOver(Unquoted(Value(before, "phase")))) {
    constexpr std::array kFinal = {"claimedAt",      "claimedBy", "lastHeartbeatAt", "startTime",
                                   "executor",       "progress",  "exitCode",        "exitTime",
                                   "completionTime", "reason",    "message",         "cause",
                                   "verdictID"};
    for (const std::string_view field : kFinal) {
      if (Value(before, field) != Value(after, field)) {
        return "the run is finished and its status is final";
      }
    }
  }
  const std::string_view retry = Value(after, "retry");
  if (!retry.empty() && MemberText(retry, "state") == "\"Created\"" &&
      MemberText(retry, "successorUID").empty()) {
    return "Created needs successorUID";
  }
  const std::string_view beat = Unquoted(Value(after, "lastHeartbeatAt"));
  if (!beat.empty() && !ParseRfc3339(beat)) return "lastHeartbeatAt: not a date-time";
  return RefusedRetry(std::string(Value(before, "retry")), std::string(retry));
}

std::optional<std::string> RefusedSpec(const Fields& before, const Fields& after) {
  for (const std::string_view field :
       {"lane", "assignedTo", "concurrencyKey", "attempt", "retryOf", "payload"}) {
    if (Value(before, field) != Value(after, field)) return std::string(field) + " is immutable";
  }
  if (Value(before, "cancelled") == "true" && Value(after, "cancelled") != "true") {
    return "cancelled can't be undone";
  }
  return std::nullopt;
}

}  // namespace jobrun::simulation
