// Where the API server is and who we are to it: found once at start, as a plain value. What can
// rotate stays a file name here and is read again later (live_credentials.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/result.h"

namespace jobrun {

// Longest credential file that is read (kubeconfig, certificate, key, token): real ones are a few
// KiB.
inline constexpr std::size_t kCredentialFileBytesMax = std::size_t{1} << 20U;

// A server URL of a kubeconfig, taken apart.
struct ServerAddress {
  bool tls{true};
  std::string host;  // without brackets
  bool ipv6{false};  // `host` is an IPv6 literal
  std::uint16_t port{443};
  std::string
      base_path;  // what every target is put behind: "" or "/k8s/clusters/c-1", no slash at the end

  // As it is dialled and sent in `Host`: "127.0.0.1:6443", "[::1]:6443".
  [[nodiscard]] std::string Authority() const;
  // "https://127.0.0.1:6443/k8s/clusters/c-1".
  [[nodiscard]] std::string Url() const;
};

// kInvalid for anything but http:// or https:// with a host, a usable port and no user, query or
// fragment.
[[nodiscard]] Result<ServerAddress> ParseServerUrl(const std::string& url);

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
  PemSource ca;  // none: the system's roots
  PemSource client_certificate;
  PemSource client_key;
  std::string token;  // the last known one; what `token_file` holds wins
  std::string token_file;
  std::string tls_server_name;           // checked and sent as SNI in place of the host, when set
  bool insecure_skip_tls_verify{false};  // only by the kubeconfig's own word; always with a warning
  std::string name_space;                // of the context or the service account; may be empty
  std::vector<std::string> warnings{};   // to be logged once by whoever asked
};

// The process's environment; tests hand in their own. Nothing for a variable that is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

struct CredentialOptions {
  std::string kubeconfig{};  // --kubeconfig; empty: not given
  std::string context{};     // --context; empty: the file's current-context
  Environment environment{};
  std::string service_account_dir{"/var/run/secrets/kubernetes.io/serviceaccount"};
};

// The first that is there of: the flag, $KUBECONFIG (a list with ':', merged as kubectl does: the
// first file that names a thing wins, files that do not exist are passed over), the pod's service
// account,
// ~/.kube/config. One that is there but can't be used is an error, never a reason to look further.
// Reads files; any thread. Errors name the file, where in it, and what to do (kInvalid; kNotFound
// when there is none of the four).
[[nodiscard]] Result<Credentials> FindCredentials(const CredentialOptions& options);

// The whole of a small file. kNotFound, kForbidden (may not be read), kInvalid (too large, a
// directory).
[[nodiscard]] Result<std::string> ReadCredentialFile(const std::string& path);

}  // namespace jobrun
