// Where the API server is and who we are to it: found once at start, as a plain value. What can
// rotate stays a file name here and is read again later (live_credentials.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/environment.h"
#include "controller/kube/exec_plugin.h"
#include "controller/kube/proxy.h"
#include "controller/kube/server_address.h"

namespace jobrun {

// Longest credential file that is read (kubeconfig, certificate, key, token): real ones are a few
// KiB.
inline constexpr std::size_t kCredentialFileBytesMax = std::size_t{1} << 20U;

// PEM text, either in the configuration itself or in a file that may change under us. Both empty:
// none.
struct PemSource {
  std::string file{};
  std::string inline_pem{};
  [[nodiscard]] bool Given() const { return !file.empty() || !inline_pem.empty(); }
};

struct Credentials {
  std::string
      origin;  // for people: "/root/.kube/config, context dev", "the service account of this pod"
  ServerAddress server;
  std::optional<ProxyAddress> proxy{};  // none: directly
  PemSource ca;                         // none: the system's roots
  PemSource client_certificate;
  PemSource client_key;
  std::string token;  // the last known one; what `token_file` holds wins
  std::string token_file;
  std::optional<ExecPlugin> exec{};      // gives token and certificate; none of those above then
  std::string tls_server_name;           // checked and sent as SNI in place of the host, when set
  bool insecure_skip_tls_verify{false};  // only by somebody's explicit word; always with a warning
  std::string name_space;                // of the context or the service account; may be empty
  std::vector<std::string> warnings{};   // to be logged once by whoever asked

  // The server and the way there, for errors: "https://10.0.0.1:6443 through the proxy
  // http://p:80".
  [[nodiscard]] std::string Peer() const;
  // A request's target as it is written to the connection, and what goes along for a proxy: with
  // plain HTTP the proxy is sent the whole URL, and carries it on.
  [[nodiscard]] std::string WrittenTarget(const std::string& target) const;
  [[nodiscard]] std::string ProxyAuthorization() const;
};

struct CredentialOptions {
  std::string kubeconfig{};  // --kubeconfig; empty: not given
  std::string context{};     // --context; empty: the file's current-context
  // Don't verify the server, whatever CA is given: it is not looked at then. Adds a warning.
  bool insecure_skip_tls_verify{false};
  Environment environment{};  // the process's own when it is not set
  std::string service_account_dir{"/var/run/secrets/kubernetes.io/serviceaccount"};
};

// The first that is there of: the flag, $KUBECONFIG (a list with ':', merged as kubectl does: the
// first file that names a thing wins, files that do not exist are passed over), the pod's service
// account, ~/.kube/config. One that is there but can't be used is an error, never a reason to look
// further. Where the kubeconfig names no proxy, the environment may (proxy.h). Reads files; any
// thread. Errors name the file, where in it, and what to do (kInvalid; kNotFound when there is none
// of the four).
[[nodiscard]] Result<Credentials> FindCredentials(const CredentialOptions& options);

// The whole of a small file. kNotFound, kForbidden (may not be read), kInvalid (too large, a
// directory).
[[nodiscard]] Result<std::string> ReadCredentialFile(const std::string& path);

}  // namespace jobrun
