#include "controller/app/own_pod.h"

namespace jobrun {

std::optional<OwnPod> FindOwnPod(const Environment& environment,
                                 const std::string& credentials_namespace) {
  OwnPod pod{.name_space = environment("POD_NAMESPACE").value_or(""),
             .name = environment("POD_NAME").value_or(""),
             .uid = ParseUid(environment("POD_UID").value_or("")).value_or(Uid{})};
  if (pod.name_space.empty()) pod.name_space = credentials_namespace;
  if (pod.name.empty() || pod.name_space.empty()) return std::nullopt;
  return pod;
}

EmitEvent TellBadConfig(const OwnPod& pod, const std::string& error) {
  return {.subject = EventSubject::kPod,
          .name_space = pod.name_space,
          .name = pod.name,
          .uid = pod.uid,
          .severity = EventSeverity::kWarning,
          .reason = "InvalidConfiguration",
          .action = "Reload",
          .note = error + "; the configuration before it stays in force"};
}

}  // namespace jobrun
