// What a credential plugin is told and what it answers: ExecCredential of
// client.authentication.k8s.io, versions v1 and v1beta1, which hold the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controller/base/result.h"
#include "controller/base/time.h"

namespace jobrun {

// One that serves at all has a token, or a certificate with its key, or all three.
struct ExecCredential {
  std::string token{};
  std::string certificate_pem{};
  std::string key_pem{};
  std::optional<ServerTime> expires{};  // by the machine's wall clock; nothing: unknown
};

// The cluster that the credentials are for, as the plugin may want to know it.
struct ExecCluster {
  std::string server{};  // URL
  std::string tls_server_name{};
  bool insecure_skip_tls_verify{false};
  std::string ca_base64{};
  std::string proxy_url{};
  std::string config_json{};  // of the cluster's extension for plugins; empty: none
};

struct ExecInfo {
  std::string api_version{};
  bool interactive{false};  // the plugin has the terminal as its standard input
  std::optional<ExecCluster> cluster{};
};

// The value of $KUBERNETES_EXEC_INFO.
[[nodiscard]] std::string WriteExecInfo(const ExecInfo& info);

// kInvalid says what is wrong with the answer, without repeating any of it but its version.
[[nodiscard]] Result<ExecCredential> ReadExecCredential(std::string_view json_text,
                                                        std::string_view api_version);

}  // namespace jobrun
