#include "controller/wire/status_patch.h"

#include "controller/base/rfc3339.h"
#include "controller/model/observed_run.h"
#include "controller/wire/json_writer.h"

namespace jobrun {
namespace {

// An ordinary verdict takes some 700, with its message and one condition.
constexpr std::size_t kPatchBytes = 1000;

// Opens the patch up to the fields of the status. The version is the precondition: the API server
// answers 409 when the object has moved on.
json::Writer OpenStatusPatch(std::uint64_t resource_version) {
  json::Writer writer(kPatchBytes);
  writer.Open().Key("metadata").Open();
  writer.Text("resourceVersion", std::to_string(resource_version)).Close();
  writer.Key("status").Open();
  return writer;
}

std::string VerdictCondition(const VerdictPatch& patch) {
  const ReasonInfo& reason = Info(patch.reason);
  return WriteCondition(
      {.type = reason.phase == Phase::kStuck ? kStuckCondition : kSucceededCondition,
       .status = reason.phase == Phase::kFailed ? "False" : "True",
       .reason = reason.name,
       .message = patch.message,
       .at = patch.at,
       .generation = patch.generation});
}

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(quoted, text);
  return quoted;
}

std::string RetryObject(const RetryRecord& retry) {
  json::Writer writer;
  writer.Open().Text("state", kRetryStateNames[static_cast<std::size_t>(retry.state)]);
  if (!retry.successor_name.empty()) writer.Text("successorName", retry.successor_name);
  if (!retry.successor_uid.empty()) writer.Text("successorUID", retry.successor_uid);
  if (retry.not_before) writer.Text("notBeforeTime", FormatMicroTime(*retry.not_before));
  return writer.Close().Take();
}

// Calls put(name, json) for each field of the status that a verdict sets.
template <class Put>
void EachVerdictField(const VerdictPatch& patch, Put put) {
  const ReasonInfo& reason = Info(patch.reason);
  put("phase", Quoted(PhaseName(reason.phase)));
  put("reason", Quoted(reason.name));
  put("message", Quoted(patch.message));
  if (!patch.cause.empty()) put("cause", Quoted(patch.cause));
  put("verdictID", Quoted(patch.verdict_id));
  put("completionTime", Quoted(FormatMicroTime(patch.at)));
  put("observedGeneration", std::to_string(patch.generation));
  if (patch.retry) put("retry", RetryObject(*patch.retry));
  std::string conditions = "[" + std::string(patch.foreign_conditions);
  if (!patch.foreign_conditions.empty()) conditions += ',';
  put("conditions", conditions.append(VerdictCondition(patch)).append("]"));
}

}  // namespace

std::string WriteCondition(const Condition& condition) {
  json::Writer writer;
  writer.Open()
      .Text("type", condition.type)
      .Text("status", condition.status)
      .Text("reason", condition.reason)
      .Text("message", condition.message)
      .Text("lastTransitionTime", FormatTime(condition.at))
      .Number("observedGeneration", condition.generation)
      .Close();
  return writer.Take();
}

std::string WriteVerdictPatch(const VerdictPatch& patch) {
  json::Writer writer = OpenStatusPatch(patch.resource_version);
  EachVerdictField(
      patch, [&](std::string_view name, std::string_view value) { writer.Key(name).Raw(value); });
  return writer.Close().Close().Take();
}

std::string WriteVerdictJsonPatch(const VerdictPatch& patch, const Grounds& grounds) {
  // A test for null holds where there is nothing.
  const auto or_null = [](std::string_view text) { return text.empty() ? "null" : text; };
  const std::string claimed =
      grounds.claimed_at.empty() ? std::string() : Quoted(grounds.claimed_at);
  json::Patch operations;
  operations.Test("/metadata/uid", Quoted(grounds.uid));
  operations.Test("/metadata/generation", std::to_string(patch.generation));
  operations.Test("/metadata/deletionTimestamp", "null");
  operations.Test("/status/phase", Quoted(PhaseName(Phase::kRunning)));
  operations.Test("/status/claimedAt", or_null(claimed));
  operations.Test("/status/exitCode", "null");
  operations.Test("/status/conditions", or_null(grounds.conditions_json));
  EachVerdictField(patch, [&](std::string_view name, std::string_view value) {
    operations.Add("/status/" + std::string(name), value);
  });
  return operations.Take();
}

std::string WriteRetryPatch(const RetryPatch& patch) {
  json::Writer writer = OpenStatusPatch(patch.resource_version);
  writer.Key("retry").Raw(RetryObject(patch.retry));
  if (patch.conditions) writer.Key("conditions").Raw("[").Raw(*patch.conditions).Raw("]");
  return writer.Close().Close().Take();
}

std::string WriteVisitPatch(const VisitPatch& patch) {
  json::Writer writer = OpenStatusPatch(patch.resource_version);
  if (patch.start_time) writer.Text("startTime", FormatMicroTime(*patch.start_time));
  if (!patch.condition.empty()) writer.Key("conditions").Raw("[").Raw(patch.condition).Raw("]");
  return writer.Close().Close().Take();
}

std::string WriteVisitJsonPatch(const VisitPatch& patch) {
  json::Patch operations;
  operations.Test("/metadata/resourceVersion", Quoted(std::to_string(patch.resource_version)));
  if (patch.start_time) {
    operations.Add("/status/startTime", Quoted(FormatMicroTime(*patch.start_time)));
  }
  if (!patch.condition.empty()) operations.Add("/status/conditions/-", patch.condition);
  return operations.Take();
}

}  // namespace jobrun
