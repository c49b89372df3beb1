// The pod that this process runs in, as the downward API tells it: POD_NAME, POD_NAMESPACE and
// POD_UID in the environment.
#pragma once

#include <optional>
#include <string>

#include "controller/engine/io.h"
#include "controller/kube/credentials.h"
#include "controller/model/uid.h"

namespace jobrun {

struct OwnPod {
  std::string name_space{};
  std::string name{};
  Uid uid{};  // none: not told
};

// Nothing outside of a pod, and in one that is not told its name. Without POD_NAMESPACE it is in
// `credentials_namespace`; an unusable POD_UID counts as none.
[[nodiscard]] std::optional<OwnPod> FindOwnPod(const Environment& environment,
                                               const std::string& credentials_namespace);

// Makes it the one that the event regards.
void Regard(const OwnPod& pod, EmitEvent& event);

// The Event for a configuration that was not taken; `error` names file, line and column. It regards
// the own pod, which has no name in it yet.
[[nodiscard]] EmitEvent TellBadConfig(const std::string& error);

// Which process this is among the controller's replicas: the pod's uid, so that a container that is
// restarted is the same one; elsewhere `host` and `process_id`, cut to what names may hold.
[[nodiscard]] std::string IdentityOf(const std::optional<OwnPod>& pod, std::string host,
                                     const std::string& process_id);

}  // namespace jobrun
