#include "controller/wire/status_patch.h"

#include "controller/base/rfc3339.h"
#include "controller/model/observed_run.h"
#include "controller/wire/json_writer.h"

namespace jobrun {
namespace {

// Opens the patch up to the fields of the status. The version is the precondition: the API server
// answers 409 when the object has moved on.
json::Writer OpenStatusPatch(std::uint64_t resource_version) {
  json::Writer writer;
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

void WriteRetry(json::Writer& writer, const RetryRecord& retry) {
  writer.Key("retry").Open();
  writer.Text("state", kRetryStateNames[static_cast<std::size_t>(retry.state)]);
  if (!retry.successor_name.empty()) writer.Text("successorName", retry.successor_name);
  if (!retry.successor_uid.empty()) writer.Text("successorUID", retry.successor_uid);
  if (retry.not_before) writer.Text("notBeforeTime", FormatMicroTime(*retry.not_before));
  writer.Close();
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
  const ReasonInfo& reason = Info(patch.reason);
  json::Writer writer = OpenStatusPatch(patch.resource_version);
  writer.Text("phase", PhaseName(reason.phase))
      .Text("reason", reason.name)
      .Text("message", patch.message);
  if (!patch.cause.empty()) writer.Text("cause", patch.cause);
  writer.Text("verdictID", patch.verdict_id)
      .Text("completionTime", FormatMicroTime(patch.at))
      .Number("observedGeneration", patch.generation);
  if (patch.retry) WriteRetry(writer, *patch.retry);
  writer.Key("conditions").Raw("[");
  if (!patch.foreign_conditions.empty()) writer.Raw(patch.foreign_conditions).Raw(",");
  return writer.Raw(VerdictCondition(patch)).Raw("]").Close().Close().Take();
}

std::string WriteRetryPatch(const RetryPatch& patch) {
  json::Writer writer = OpenStatusPatch(patch.resource_version);
  WriteRetry(writer, patch.retry);
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
  json::Writer writer;
  writer.Raw("[").Open().Text("op", "test").Text("path", "/metadata/resourceVersion");
  writer.Text("value", std::to_string(patch.resource_version)).Close();
  if (patch.start_time) {
    writer.Raw(",").Open().Text("op", "add").Text("path", "/status/startTime");
    writer.Text("value", FormatMicroTime(*patch.start_time)).Close();
  }
  if (!patch.condition.empty()) {
    writer.Raw(",").Open().Text("op", "add").Text("path", "/status/conditions/-");
    writer.Key("value").Raw(patch.condition).Close();
  }
  return writer.Raw("]").Take();
}

}  // namespace jobrun
