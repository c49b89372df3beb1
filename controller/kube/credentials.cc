#include "controller/kube/credentials.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "controller/kube/in_cluster.h"
#include "controller/kube/kubeconfig.h"

namespace jobrun {
namespace {

std::optional<std::string> ProcessEnvironment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

std::vector<std::string> SplitList(const std::string& list) {
  std::vector<std::string> files;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) files.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return files;
}

Result<Credentials> LoadFirst(const CredentialOptions& options, const Environment& environment) {
  if (!options.kubeconfig.empty()) {
    return LoadKubeconfig({.files = {options.kubeconfig}, .context = options.context});
  }
  const std::string listed = environment("KUBECONFIG").value_or("");
  if (const std::vector<std::string> files = SplitList(listed); !files.empty()) {
    return LoadKubeconfig({.files = files, .context = options.context});
  }
  const std::string host = environment("KUBERNETES_SERVICE_HOST").value_or("");
  const std::string port = environment("KUBERNETES_SERVICE_PORT").value_or("");
  if (!host.empty() && !port.empty()) {
    return LoadInCluster({.host = host, .port = port, .directory = options.service_account_dir});
  }
  const std::string home = environment("HOME").value_or("");
  const std::string file = home + "/.kube/config";
  struct stat status{};
  if (!home.empty() && stat(file.c_str(), &status) == 0) {
    return LoadKubeconfig({.files = {file}, .context = options.context});
  }
  return Error{
      Code::kNotFound, "find credentials for the API server",
      "there is no --kubeconfig, no $KUBECONFIG, no service account of a pod and no file " +
          (home.empty() ? "~/.kube/config" : file) + "; give one of them"};
}

// Over plain HTTP there is nothing to verify.
void SkipVerification(Credentials& credentials) {
  if (!credentials.server.tls || credentials.insecure_skip_tls_verify) return;
  credentials.insecure_skip_tls_verify = true;
  credentials.ca = {};
  credentials.warnings.push_back(
      "the certificate of " + credentials.server.Url() +
      " is not verified, as asked for: anyone on the way can read and change what is sent");
}

}  // namespace

std::string Credentials::Peer() const {
  return proxy ? server.Url() + " through the proxy " + proxy->Url() : server.Url();
}

std::string Credentials::WrittenTarget(const std::string& target) const {
  const bool carried = proxy && !proxy->Tunnels(server);
  return (carried ? server.Url() : server.base_path) + target;
}

std::string Credentials::ProxyAuthorization() const {
  return proxy && !proxy->Tunnels(server) ? proxy->Authorization() : std::string();
}

Result<std::string> ReadCredentialFile(const std::string& path) {
  const auto failed = [&](Code code, const std::string& detail) {
    return Error{code, "read " + path, detail};
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) {
    const int error = errno;
    const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound
                      : error == EACCES                   ? Code::kForbidden
                                                          : Code::kInvalid;
    return failed(code, std::strerror(error));
  }
  struct stat status{};
  if (fstat(fileno(file.get()), &status) == 0 && S_ISDIR(status.st_mode)) {
    return failed(Code::kInvalid, "it is a directory");
  }
  std::string text;
  char block[4096];
  while (const std::size_t got = std::fread(block, 1, sizeof block, file.get())) {
    text.append(block, got);
    if (text.size() > kCredentialFileBytesMax) return failed(Code::kInvalid, "larger than 1 MiB");
  }
  if (std::ferror(file.get()) != 0)
    return failed(Code::kInvalid, "it could not be read to its end");
  return text;
}

Result<Credentials> FindCredentials(const CredentialOptions& options) {
  const Environment environment = options.environment ? options.environment : ProcessEnvironment;
  Result<Credentials> found = LoadFirst(options, environment);
  if (!found.ok()) return found;
  if (options.insecure_skip_tls_verify) SkipVerification(found.value());
  if (found->proxy) return found;
  auto proxy = ProxyFromEnvironment(environment, found->server);
  if (!proxy.ok()) return proxy.error();
  found.value().proxy = std::move(proxy).value();
  return found;
}

}  // namespace jobrun
