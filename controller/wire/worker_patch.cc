#include "controller/wire/worker_patch.h"

#include "controller/base/rfc3339.h"
#include "controller/wire/json_cursor.h"
#include "controller/wire/json_writer.h"

namespace jobrun {
namespace {

// maxLength of crds/jobruns.yaml.
constexpr std::size_t kProgressMax = 1024;
constexpr std::size_t kMessageMax = 4096;
constexpr std::size_t kReasonMax = 128;

constexpr std::string_view kProgressPath = "/status/progress";

// Opens what is refused wherever it is not about this run in the hands of this worker.
json::Patch OpenPatch(const Author& author) {
  json::Patch patch;
  patch.TestText("/metadata/uid", FormatUid(author.run));
  patch.AddText("/status/claimedBy", author.worker);
  return patch;
}

void WriteExecutor(json::Writer& writer, const ExecutorPlace& place) {
  if (place.pod_name.empty()) return;
  writer.Key("executor").Open().Text("podName", place.pod_name);
  if (!place.pod_uid.empty()) writer.Text("podUID", place.pod_uid);
  if (!place.node_name.empty()) writer.Text("nodeName", place.node_name);
  writer.Close();
}

}  // namespace

std::string WriteClaimPatch(const ClaimPatch& patch) {
  json::Writer writer;
  writer.Open().Key("metadata").Open();
  writer.Text("resourceVersion", std::to_string(patch.resource_version)).Close();
  writer.Key("status").Open().Text("claimedBy", patch.worker);
  writer.Text("phase", PhaseName(Phase::kRunning)).Text("claimedAt", FormatMicroTime(patch.at));
  WriteExecutor(writer, patch.executor);
  return writer.Close().Close().Take();
}

std::string WriteBeatPatch(const BeatPatch& patch) {
  json::Patch operations = OpenPatch(patch.author);
  operations.AddText("/status/lastHeartbeatAt", FormatMicroTime(patch.at));
  if (patch.progress) operations.AddText(kProgressPath, CutText(*patch.progress, kProgressMax));
  return operations.Take();
}

std::string WriteEndPatch(const EndPatch& patch) {
  json::Patch operations = OpenPatch(patch.author);
  const std::string at = FormatMicroTime(patch.at);
  if (patch.exit_code) {
    operations.Add("/status/exitCode", std::to_string(*patch.exit_code));
    operations.AddText("/status/exitTime", at);
  }
  if (patch.phase) {
    operations.AddText("/status/phase", PhaseName(*patch.phase));
    operations.AddText("/status/completionTime", at);
  }
  if (!patch.reason.empty()) {
    operations.AddText("/status/reason", CutText(patch.reason, kReasonMax));
  }
  if (!patch.message.empty()) {
    operations.AddText("/status/message", CutText(patch.message, kMessageMax));
  }
  if (patch.progress) operations.AddText(kProgressPath, CutText(*patch.progress, kProgressMax));
  return operations.Take();
}

std::string WriteWorkerLease(const WorkerLeaseText& lease) {
  const std::string at = FormatMicroTime(lease.at);
  json::Writer writer;
  writer.Open().Text("apiVersion", "coordination.k8s.io/v1").Text("kind", "Lease");
  writer.Key("metadata").Open().Text("name", lease.worker).Text("namespace", lease.name_space);
  writer.Close().Key("spec").Open().Text("holderIdentity", lease.worker);
  writer.Number("leaseDurationSeconds", static_cast<std::uint64_t>(lease.duration.count()));
  return writer.Text("acquireTime", at).Text("renewTime", at).Close().Close().Take();
}

std::string WriteLeaseRenewal(const WorkerLeaseText& lease) {
  json::Writer writer;
  writer.Open().Key("spec").Open().Text("holderIdentity", lease.worker);
  writer.Text("renewTime", FormatMicroTime(lease.at));
  return writer.Close().Close().Take();
}

Result<WorkOrder> ReadWorkOrder(std::string_view spec_json) {
  WorkOrder order;
  if (spec_json.empty()) return order;
  std::string buffer;
  Scratch scratch;
  json::ondemand::parser parser;
  json::ondemand::document document;
  json::ondemand::object spec;
  const auto take = [&](std::string_view key, json::ondemand::value& value) {
    if (key == "assignedTo") {
      order.assigned_to = json::Text(value, scratch).value_or(std::string_view());
    }
    if (key != "payload" || json::IsNull(value)) return true;
    const auto raw = json::RawValue(value);
    if (raw) order.payload_json = *raw;
    return raw.has_value();
  };
  const bool sound =
      json::OpenObject(parser, json::CopyPadded(buffer, spec_json), document, spec) &&
      json::EachField(spec, take);
  if (!sound) return Error{Code::kInvalid, "read the spec", "expected an object in JSON"};
  return order;
}

}  // namespace jobrun
