// The credentials every pod is given.
#pragma once

#include <string>

#include "controller/base/result.h"
#include "controller/kube/credentials.h"

namespace jobrun {

struct InClusterOptions {
  std::string host{};       // $KUBERNETES_SERVICE_HOST: a name or an address, IPv6 without brackets
  std::string port{};       // $KUBERNETES_SERVICE_PORT
  std::string directory{};  // holds `token`, `ca.crt` and `namespace`
};

// The token and the CA must be there and readable; the namespace may be missing. Reads files; any
// thread.
[[nodiscard]] Result<Credentials> LoadInCluster(const InClusterOptions& options);

}  // namespace jobrun
