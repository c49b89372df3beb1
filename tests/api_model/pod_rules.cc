#include "tests/api_model/pod_rules.h"

#include <algorithm>
#include <chrono>

#include "controller/base/rfc3339.h"

namespace jobrun::api_model {
namespace {

constexpr std::int64_t kDefaultGraceSeconds = 30;
constexpr const char* kUnchangeable =
    "pod updates may not change fields other than "
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)";

void Fill(Json& object, const char* key, Json value) {
  if (!object.contains(key)) object[key] = std::move(value);
}

bool IsTerminal(std::string_view phase) { return phase == "Succeeded" || phase == "Failed"; }

// Without a tag or with ":latest" an image is pulled each time.
const char* PullPolicy(std::string_view image) {
  const std::string_view name = image.substr(image.rfind('/') + 1);
  const auto colon = name.find(':');
  return colon == std::string_view::npos || name.substr(colon) == ":latest" ? "Always"
                                                                            : "IfNotPresent";
}

void FillContainerStatus(Json& status) {
  for (const char* key : {"state", "lastState"}) {
    Fill(status, key, Json::object());
    if (Json* running = Member(status[key], "running")) Fill(*running, "startedAt", nullptr);
    if (Json* terminated = Member(status[key], "terminated")) {
      Fill(*terminated, "exitCode", 0);
      Fill(*terminated, "startedAt", nullptr);
      Fill(*terminated, "finishedAt", nullptr);
    }
  }
  for (const char* key : {"name", "image", "imageID"}) Fill(status, key, "");
  Fill(status, "ready", false);
  Fill(status, "restartCount", 0);
}

// The items of a list at `key` that are objects.
template <class Do>
void EachObject(Json& parent, const char* key, Do&& visit) {
  Json* list = Member(parent, key);
  if (list == nullptr || !list->is_array()) return;
  for (Json& item : *list) {
    if (item.is_object()) visit(item);
  }
}

std::string At(const char* list, std::size_t index, const char* member) {
  return std::string(list) + "[" + std::to_string(index) + "]." + member;
}

void CheckContainers(const Json& spec, FieldErrors& errors) {
  const Json* containers = Member(spec, "containers");
  if (containers == nullptr || containers->empty()) {
    errors.push_back(RequiredField("spec.containers"));
    return;
  }
  for (std::size_t i = 0; i < containers->size(); ++i) {
    for (const char* key : {"name", "image"}) {
      if (StringMember((*containers)[i], key).empty())
        errors.push_back(RequiredField(At("spec.containers", i, key)));
    }
  }
}

// The spec without what an update may change.
Json Fixed(Json spec) {
  for (const char* list : {"containers", "initContainers"}) {
    EachObject(spec, list, [](Json& container) { container.erase("image"); });
  }
  for (const char* key : {"activeDeadlineSeconds", "tolerations"}) spec.erase(key);
  return spec;
}

const Json* StateOf(const Json& pod, std::string_view container) {
  const Json* statuses = MemberAt(pod, {"status", "containerStatuses"});
  if (statuses == nullptr) return nullptr;
  for (const Json& status : *statuses) {
    if (StringMember(status, "name") == container) return Member(status, "state");
  }
  return nullptr;
}

// A container that has ended and is not to be restarted stays ended.
void CheckTransitions(const Json& pod, const Json& before, FieldErrors& errors) {
  const Json spec = before.value("spec", Json::object());
  const std::string policy(StringMember(spec, "restartPolicy"));
  const Json* statuses = MemberAt(pod, {"status", "containerStatuses"});
  if (policy == "Always" || statuses == nullptr) return;
  for (std::size_t i = 0; i < statuses->size(); ++i) {
    const Json* old_state = StateOf(before, StringMember((*statuses)[i], "name"));
    const Json* ended = old_state == nullptr ? nullptr : Member(*old_state, "terminated");
    if (ended == nullptr || MemberAt((*statuses)[i], {"state", "terminated"}) != nullptr) continue;
    if (policy == "OnFailure" && ended->value("exitCode", 0) != 0) continue;
    errors.push_back(ForbiddenField(At("status.containerStatuses", i, "state"),
                                    "may not be transitioned to non-terminated state"));
  }
}

std::int64_t GraceOf(const Json& pod, std::optional<std::int64_t> asked) {
  const Json spec = pod.value("spec", Json::object());
  const Json status = pod.value("status", Json::object());
  // Nobody runs it: there is nothing to wait for.
  if (StringMember(spec, "nodeName").empty() || IsTerminal(StringMember(status, "phase"))) return 0;
  const std::int64_t grace =
      asked.value_or(spec.value("terminationGracePeriodSeconds", kDefaultGraceSeconds));
  return grace < 0 ? 1 : grace;
}

}  // namespace

bool IsPod(const ResourceType& type) {
  return !type.custom && type.group.empty() && type.plural == "pods";
}

void FillDecodedPod(Json& pod) {
  if (Json* spec = Member(pod, "spec"); spec != nullptr && spec->is_object()) {
    EachObject(*spec, "containers", [](Json& container) {
      Fill(container, "imagePullPolicy", PullPolicy(StringMember(container, "image")));
    });
  }
  Json* status = Member(pod, "status");
  if (status == nullptr || !status->is_object()) return;
  for (const char* list : {"initContainerStatuses", "containerStatuses"})
    EachObject(*status, list, FillContainerStatus);
  EachObject(*status, "conditions", [](Json& condition) {
    Fill(condition, "status", "");
    Fill(condition, "lastProbeTime", nullptr);
    Fill(condition, "lastTransitionTime", nullptr);
  });
}

Json NewPodStatus(const Json& pod) {
  const Json spec = pod.value("spec", Json::object());
  const Json containers = spec.value("containers", Json::array());
  const bool asks = std::any_of(containers.begin(), containers.end(), [](const Json& container) {
    const Json* resources = Member(container, "resources");
    return resources != nullptr && !resources->empty();
  });
  return {{"phase", "Pending"}, {"qosClass", asks ? "Burstable" : "BestEffort"}};
}

FieldErrors ValidatePod(const Json& pod, const Json* before) {
  FieldErrors errors;
  const Json spec = pod.value("spec", Json::object());
  if (before == nullptr) {
    CheckContainers(spec, errors);
    const std::string policy(StringMember(spec, "restartPolicy"));
    if (!policy.empty() && policy != "Always" && policy != "OnFailure" && policy != "Never") {
      errors.push_back(
          UnsupportedField("spec.restartPolicy", policy, {"Always", "OnFailure", "Never"}));
    }
    return errors;
  }
  if (Fixed(spec) != Fixed(before->value("spec", Json::object()))) {
    errors.push_back(ForbiddenField("spec", kUnchangeable));
  }
  CheckTransitions(pod, *before, errors);
  return errors;
}

std::optional<Json> MarkDeleted(const Json& pod, std::optional<std::int64_t> grace_seconds,
                                ServerTime now) {
  Json marked = pod;
  Json& metadata = marked["metadata"];
  std::int64_t grace = GraceOf(pod, grace_seconds);
  ServerTime asked_at = now;
  if (const auto due = ParseRfc3339(StringMember(metadata, "deletionTimestamp"))) {
    const auto before = metadata.value("deletionGracePeriodSeconds", std::int64_t{0});
    if (before == 0 || !grace_seconds || *grace_seconds >= before) return std::nullopt;
    grace = std::max<std::int64_t>(*grace_seconds, 0);
    asked_at = *due - std::chrono::seconds(before);
  } else {
    metadata["generation"] = metadata.value("generation", std::int64_t{0}) + 1;
  }
  metadata["deletionTimestamp"] = FormatTime(asked_at + std::chrono::seconds(grace));
  metadata["deletionGracePeriodSeconds"] = grace;
  return marked;
}

bool WaitsForItsKubelet(const Json& metadata) {
  return metadata.value("deletionGracePeriodSeconds", std::int64_t{0}) > 0;
}

}  // namespace jobrun::api_model
