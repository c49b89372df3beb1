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

void Regard(const OwnPod& pod, EmitEvent& event) {
  event.name_space = pod.name_space;
  event.name = pod.name;
  event.uid = pod.uid;
}

std::string IdentityOf(const std::optional<OwnPod>& pod, std::string host,
                       const std::string& process_id) {
  constexpr std::size_t kHostBytesMax = 63;
  if (pod && !pod->uid.IsNone()) return FormatUid(pod->uid);
  host = host.substr(0, kHostBytesMax);
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!good) c = '-';
  }
  return "on-" + host + "-" + process_id;
}

EmitEvent TellBadConfig(const std::string& error) {
  return {.subject = EventSubject::kPod,
          .severity = EventSeverity::kWarning,
          .reason = "InvalidConfiguration",
          .action = "Reload",
          .note = error + "; the configuration before it stays in force"};
}

}  // namespace jobrun
