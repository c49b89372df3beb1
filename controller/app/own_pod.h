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

// The Event for a configuration that was not taken; `error` names file, line and column.
[[nodiscard]] EmitEvent TellBadConfig(const OwnPod& pod, const std::string& error);

}  // namespace jobrun
