// kubeconfig files, as far as the controller needs them.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/credentials.h"

namespace jobrun {

struct KubeconfigOptions {
  // Merged as kubectl does: of each cluster, user and context the first file that names it wins,
  // and the first current-context. With several, those that do not exist are passed over, as long
  // as one does.
  std::vector<std::string> files{};
  std::string context{};  // empty: current-context
};

// Reads files; any thread. Relative paths inside are relative to the file that holds them. Keys
// that kubectl knows and we can't honour (auth-provider, username, impersonation) are errors in the
// entries used, because ignoring them would act as someone else; other unknown keys are passed
// over. `insecure-skip-tls-verify: true` is honoured, with a warning: nobody writes it by accident.
// Of several YAML documents in a file the first counts, as for kubectl, with a warning. Errors name
// file, line and column and say what was expected.
[[nodiscard]] Result<Credentials> LoadKubeconfig(const KubeconfigOptions& options);

}  // namespace jobrun
