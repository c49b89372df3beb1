// Asking a credential plugin once.
#pragma once

#include <atomic>

#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/kube/credentials.h"
#include "controller/wire/exec_credential.h"

namespace jobrun {

// What a plugin may print: a token and a chain of certificates are a few KiB.
inline constexpr std::size_t kPluginOutputBytesMax = std::size_t{1} << 20U;

struct PluginTerms {
  bool may_ask{false};  // it may have the terminal, if there is one and its kubeconfig says so
  Nanos time_max{};
  Nanos time_max_asking{};                 // when it has the terminal: people are slow
  const std::atomic<bool>* stop{nullptr};  // may be null
};

// Runs credentials.exec, which must be set, and reads its answer; blocks. Errors name the plugin,
// the user and the kubeconfig (kNotFound, with the installHint; kInvalid; kTransient).
[[nodiscard]] Result<ExecCredential> AskPlugin(const Credentials& credentials,
                                               const PluginTerms& terms);

}  // namespace jobrun
