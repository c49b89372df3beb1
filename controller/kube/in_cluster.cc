#include "controller/kube/in_cluster.h"

#include <utility>

namespace jobrun {
namespace {

constexpr char kOperation[] = "use the service account of this pod";

std::string Trimmed(std::string text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  text.erase(end == std::string::npos ? 0 : end + 1);
  return text;
}

Error Unusable(const Error& cause, const std::string& advice) {
  return {cause.code, kOperation, cause.ToString() + "; " + advice};
}

}  // namespace

Result<Credentials> LoadInCluster(const InClusterOptions& options) {
  Credentials credentials;
  credentials.origin = "the service account of this pod";
  const bool ipv6 = options.host.find(':') != std::string::npos;
  const std::string host = ipv6 ? "[" + options.host + "]" : options.host;
  Result<ServerAddress> server = ParseServerUrl("https://" + host + ":" + options.port);
  if (!server.ok()) {
    return Unusable(server.error(), "look at KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT");
  }
  credentials.server = std::move(server).value();

  credentials.token_file = options.directory + "/token";
  const Result<std::string> token = ReadCredentialFile(credentials.token_file);
  if (!token.ok()) {
    return Unusable(token.error(), "is automountServiceAccountToken off? Else give --kubeconfig");
  }
  credentials.token = Trimmed(token.value());
  if (credentials.token.empty()) {
    return Error{Code::kInvalid, kOperation, credentials.token_file + " is empty"};
  }

  credentials.ca.file = options.directory + "/ca.crt";
  const Result<std::string> ca = ReadCredentialFile(credentials.ca.file);
  if (!ca.ok()) return Unusable(ca.error(), "the API server can't be verified without it");

  const Result<std::string> name_space = ReadCredentialFile(options.directory + "/namespace");
  if (name_space.ok()) credentials.name_space = Trimmed(name_space.value());
  return credentials;
}

}  // namespace jobrun
