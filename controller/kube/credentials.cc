#include "controller/kube/credentials.h"

#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "controller/kube/in_cluster.h"
#include "controller/kube/kubeconfig.h"

namespace jobrun {
namespace {

std::optional<std::string> ProcessEnvironment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

Error BadUrl(const std::string& url, const std::string& detail) {
  return {Code::kInvalid, "read the server URL \"" + url + "\"",
          detail + "; expected something like https://10.0.0.1:6443"};
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool IsIpv6Character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

// What may stand in a request line; '?' and '#' would end the path.
bool IsPathCharacter(char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '"'; }

template <class Predicate>
bool All(std::string_view text, Predicate predicate) {
  for (const char c : text) {
    if (!predicate(c)) return false;
  }
  return true;
}

// Takes "host", "[v6]" off the front of `rest`; false when there is neither.
bool TakeHost(std::string_view& rest, ServerAddress& address) {
  if (!rest.starts_with('[')) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    address.host = rest.substr(0, end);
    rest.remove_prefix(end);
    return !address.host.empty() && All(address.host, IsHostCharacter);
  }
  const std::size_t end = rest.find(']');
  if (end == std::string_view::npos) return false;
  address.ipv6 = true;
  address.host = rest.substr(1, end - 1);
  rest.remove_prefix(end + 1);
  return address.host.find(':') != std::string::npos && All(address.host, IsIpv6Character);
}

bool TakePort(std::string_view rest, std::uint16_t& port) {
  if (rest.empty()) return true;
  if (!rest.starts_with(':')) return false;
  rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  return error == std::errc{} && end == rest.data() + rest.size() && port != 0;
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

}  // namespace

std::string ServerAddress::Authority() const {
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string ServerAddress::Url() const {
  return (tls ? "https://" : "http://") + Authority() + base_path;
}

Result<ServerAddress> ParseServerUrl(const std::string& url) {
  constexpr std::string_view kHttps = "https://";
  constexpr std::string_view kHttp = "http://";
  ServerAddress address;
  std::string_view rest = url;
  if (rest.starts_with(kHttps)) {
    rest.remove_prefix(kHttps.size());
  } else if (rest.starts_with(kHttp)) {
    rest.remove_prefix(kHttp.size());
    address.tls = false;
    address.port = 80;
  } else {
    return BadUrl(url, "it does not start with https://");
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view path = rest.substr(slash);
  rest = rest.substr(0, slash);
  if (rest.find('@') != std::string_view::npos) return BadUrl(url, "user names are not supported");
  if (!TakeHost(rest, address)) return BadUrl(url, "the host is missing or malformed");
  if (!TakePort(rest, address.port)) return BadUrl(url, "the port must be 1 to 65535");
  if (!All(path, IsPathCharacter)) return BadUrl(url, "the path may hold no query and no fragment");
  while (path.ends_with('/')) path.remove_suffix(1);
  address.base_path = path;
  return address;
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
  const auto environment = options.environment ? options.environment : ProcessEnvironment;
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

}  // namespace jobrun
