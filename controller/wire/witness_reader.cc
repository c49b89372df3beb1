#include "controller/wire/witness_reader.h"

#include <array>
#include <utility>

namespace jobrun::json {
namespace {

// status.reason of a pod that its kubelet, or the node controller, ended.
constexpr std::string_view kEvictedReason = "Evicted";
constexpr std::string_view kNodeLostReason = "NodeLost";
constexpr std::string_view kOutOfMemory = "OOMKilled";

// Reasons of the condition DisruptionTarget (Kubernetes 1.26 and later).
constexpr std::array<std::pair<std::string_view, PodCause>, 5> kDisruptions = {{
    {"DeletionByTaintManager", PodCause::kNodeLost},
    {"DeletionByPodGC", PodCause::kNodeLost},
    {"EvictionByEvictionAPI", PodCause::kEvicted},
    {"PreemptionByScheduler", PodCause::kEvicted},
    {"TerminationByKubelet", PodCause::kEvicted},
}};

PodCause CauseOfDisruption(std::string_view reason) {
  for (const auto& [name, cause] : kDisruptions) {
    if (name == reason) return cause;
  }
  return PodCause::kNone;
}

// How a container ended; nothing while it waits or runs.
struct Ended {
  std::string_view container{};
  std::string_view reason{};
  std::optional<std::int32_t> exit_code{};
};

// state: {"terminated": {"exitCode": 137, "reason": "OOMKilled", …}}
bool ReadState(ondemand::value& state, Scratch& scratch, Ended& ended) {
  return EachField(state, [&](std::string_view key, ondemand::value& value) {
    if (key != "terminated" || !IsObject(value)) return true;
    return EachField(value, [&](std::string_view field, ondemand::value& of) {
      if (field == "reason") ended.reason = Text(of, scratch).value_or(std::string_view());
      if (field == "exitCode") ended.exit_code = ParseInt32(Token(of));
      return true;
    });
  });
}

bool ReadContainer(ondemand::value& container, Scratch& scratch, Ended& ended) {
  if (!IsObject(container)) return true;
  return EachField(container, [&](std::string_view key, ondemand::value& value) {
    if (key == "name") ended.container = Text(value, scratch).value_or(std::string_view());
    return key != "state" || !IsObject(value) || ReadState(value, scratch, ended);
  });
}

}  // namespace

bool WitnessReader::ReadPodStatus(ondemand::value& value) {
  if (!IsObject(value)) return true;
  std::string_view phase;
  std::string_view reason;
  PodCause disrupted = PodCause::kNone;
  bool out_of_memory = false;
  const bool sound = EachField(value, [&](std::string_view key, ondemand::value& field) {
    if (key == "phase") TakeText(field, phase, "status.phase of a pod: expected a string");
    if (key == "reason") TakeText(field, reason, "status.reason of a pod: expected a string");
    if (key == "conditions") return ReadConditions(field, disrupted);
    const bool containers = key == "containerStatuses" || key == "initContainerStatuses";
    return !containers || ReadContainers(field, out_of_memory);
  });
  pod.node_lost = disrupted == PodCause::kNodeLost || reason == kNodeLostReason;
  pod.finished = phase == "Succeeded" || phase == "Failed";
  if (reason == kEvictedReason) {
    pod.cause = PodCause::kEvicted;
  } else if (reason == kNodeLostReason) {
    pod.cause = PodCause::kNodeLost;
  } else if (out_of_memory) {
    pod.cause = PodCause::kOomKilled;
  } else if (disrupted != PodCause::kNone) {
    pod.cause = disrupted;
  } else if (pod.finished) {
    pod.cause = phase == "Failed" ? PodCause::kPodFailed : PodCause::kPodSucceeded;
  }
  return sound;
}

bool WitnessReader::ReadConditions(ondemand::value& value, PodCause& disrupted) {
  if (!IsArray(value)) return true;
  return EachElement(value, [&](ondemand::value& condition) {
    if (!IsObject(condition)) return true;
    std::string_view type;
    std::string_view status;
    std::string_view reason;
    const bool sound = EachField(condition, [&](std::string_view key, ondemand::value& field) {
      if (key == "type") type = Text(field, scratch_).value_or(std::string_view());
      if (key == "status") status = Text(field, scratch_).value_or(std::string_view());
      if (key == "reason") reason = Text(field, scratch_).value_or(std::string_view());
      return true;
    });
    if (type == "DisruptionTarget" && status == "True") disrupted = CauseOfDisruption(reason);
    return sound;
  });
}

bool WitnessReader::ReadContainers(ondemand::value& value, bool& out_of_memory) {
  if (!IsArray(value)) return true;
  return EachElement(value, [&](ondemand::value& container) {
    Ended ended;
    if (!ReadContainer(container, scratch_, ended)) return false;
    const bool worse = ended.reason == kOutOfMemory && !out_of_memory;
    const bool first_error = pod.container.empty() && ended.exit_code.value_or(0) != 0;
    if (worse || first_error) {
      pod.container = ended.container;
      pod.exit_code = ended.exit_code;
    }
    out_of_memory = out_of_memory || worse;
    return true;
  });
}

bool WitnessReader::ReadLeaseSpec(ondemand::value& value) {
  if (!IsObject(value)) return true;
  return EachField(value, [this](std::string_view key, ondemand::value& field) {
    if (key == "renewTime") TakeText(field, renew_time, "spec.renewTime: expected a string");
    return true;
  });
}

void WitnessReader::TakeText(ondemand::value& value, std::string_view& into,
                             std::string_view problem_text) {
  const std::optional<std::string_view> text = Text(value, scratch_);
  if (!text && problem.empty()) problem = problem_text;
  into = text.value_or(std::string_view());
}

}  // namespace jobrun::json
