#include "controller/wire/canary.h"

#include <cstddef>
#include <cstdint>

#include "controller/base/hex.h"
#include "controller/base/object_name.h"
#include "controller/base/rfc3339.h"
#include "controller/base/stable_hash.h"
#include "controller/model/phase.h"
#include "controller/wire/json_writer.h"

namespace jobrun {
namespace {

constexpr std::string_view kNamePrefix = "jobrun-canary-";
constexpr std::string_view kSincePrefix = "writable-since=";

}  // namespace

std::string CanaryName(std::string_view identity) {
  std::string name = std::string(kNamePrefix).append(identity);
  if (name.size() <= kObjectNameMax) return name;
  const std::string suffix = HexOf(StableHash(identity));
  name.resize(kObjectNameMax - 1 - suffix.size());
  // A label of the name must end in a letter or digit.
  while (name.ends_with('.') || name.ends_with('-')) name.pop_back();
  return name.append("-").append(suffix);
}

bool IsCanary(std::string_view lane, std::string_view name) {
  return lane == kCanaryLane && name.starts_with(kNamePrefix);
}

std::string WriteCanary(std::string_view name, std::string_view name_space) {
  json::Writer writer;
  writer.Open().Text("apiVersion", "jobrun.dev/v1").Text("kind", "JobRun");
  writer.Key("metadata").Open().Text("name", name).Text("namespace", name_space);
  writer.Key("labels")
      .Open()
      .Text("app.kubernetes.io/name", "jobrun")
      .Text(kCanaryLabel, "true")
      .Close()
      .Close();
  writer.Key("spec").Open().Text("lane", kCanaryLane).Text("reaping", "Disabled").Close();
  return writer.Close().Take();
}

std::string WriteCanaryClaim(std::string_view identity, ServerTime at) {
  json::Writer writer;
  writer.Open().Key("status").Open();
  writer.Text("phase", PhaseName(Phase::kRunning))
      .Text("claimedAt", FormatMicroTime(at))
      .Text("claimedBy", identity);
  return writer.Close().Close().Take();
}

std::string WriteCanaryBeat(ServerTime at, std::optional<ServerTime> writable_since) {
  json::Writer writer;
  writer.Open().Key("status").Open().Text("lastHeartbeatAt", FormatMicroTime(at));
  if (writable_since) {
    writer.Text("progress", std::string(kSincePrefix).append(FormatMicroTime(*writable_since)));
  } else {
    writer.Key("progress").Raw("null");
  }
  return writer.Close().Close().Take();
}

std::optional<ServerTime> WritableSince(std::string_view progress) {
  if (!progress.starts_with(kSincePrefix)) return std::nullopt;
  progress.remove_prefix(kSincePrefix.size());
  const std::optional<ServerTime> since = ParseRfc3339(progress);
  return since && FormatMicroTime(*since) == progress ? since : std::nullopt;
}

}  // namespace jobrun
