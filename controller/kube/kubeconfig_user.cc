#include "controller/kube/kubeconfig_user.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

namespace jobrun {
namespace {

using Terminal = ExecPlugin::Terminal;

constexpr char kVersion[] = "client.authentication.k8s.io/v1";
constexpr char kOldVersion[] = "client.authentication.k8s.io/v1beta1";

void RefuseUnsupported(KubeconfigReader& reader, const KubeconfigSection& user) {
  static constexpr std::pair<const char*, const char*> kUnsupported[] = {
      {"auth-provider", "auth-provider is not supported, as in current kubectl"},
      {"username", "a user name and password are not supported, as by current API servers"},
      {"as", "impersonation (as) is not supported"},
      {"as-uid", "impersonation (as-uid) is not supported"},
      {"as-groups", "impersonation (as-groups) is not supported"},
      {"as-user-extra", "impersonation (as-user-extra) is not supported"}};
  for (const auto& [key, text] : kUnsupported) {
    const YAML::Node value = user.At(key);
    if (!value) continue;
    reader.Fail(
        user, value.Mark(),
        std::string(text) + "; give exec, token, tokenFile or client-certificate and client-key");
  }
}

// One line of what may be many, without what moves a terminal's cursor.
std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool gap = (c >= 0 && c <= ' ') || c == 0x7f;
    if (!gap) line += c;
    if (gap && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

// A name without a slash is looked for in $PATH when it is run.
std::string CommandPath(const std::string& command, const std::string& file) {
  if (command.find('/') == std::string::npos) return command;
  return (std::filesystem::absolute(file).parent_path() / command).lexically_normal().string();
}

void ReadVersion(KubeconfigReader& reader, const KubeconfigSection& exec, ExecPlugin& plugin) {
  plugin.api_version = reader.Text(exec, "apiVersion");
  if (plugin.api_version == kVersion || plugin.api_version == kOldVersion) return;
  const YAML::Node value = exec.At("apiVersion");
  reader.Fail(exec, value ? value.Mark() : exec.node.Mark(),
              std::string("exec: apiVersion: expected ") + kVersion + " or " + kOldVersion);
}

void ReadTerminal(KubeconfigReader& reader, const KubeconfigSection& exec, ExecPlugin& plugin) {
  const std::string mode = reader.Text(exec, "interactiveMode");
  // The older version takes it for granted.
  if (mode.empty() && plugin.api_version == kOldVersion) return;
  if (mode == "Never") {
    plugin.terminal = Terminal::kNever;
  } else if (mode == "Always") {
    plugin.terminal = Terminal::kAlways;
  } else if (mode != "IfAvailable") {
    const YAML::Node value = exec.At("interactiveMode");
    reader.Fail(exec, value ? value.Mark() : exec.node.Mark(),
                "exec: interactiveMode: expected Never, IfAvailable or Always");
  }
}

void ReadEnvironment(KubeconfigReader& reader, const KubeconfigSection& exec, ExecPlugin& plugin) {
  for (const YAML::Node& node : reader.List(exec, "env")) {
    if (!node.IsMap()) {
      return reader.Fail(exec, node.Mark(), "exec: env: expected a name and a value");
    }
    const KubeconfigSection entry{node, exec.file, exec.title};
    std::string name = reader.Text(entry, "name");
    if (name.empty() || name.find('=') != std::string::npos) {
      return reader.Fail(exec, node.Mark(), "exec: env: the name is missing, or holds a =");
    }
    plugin.environment.emplace_back(std::move(name), reader.Text(entry, "value"));
  }
}

void ReadExec(KubeconfigReader& reader, const KubeconfigSection& user, Credentials& credentials) {
  const YAML::Node given = user.At("exec");
  if (!given) return;
  const KubeconfigSection exec = reader.Map(user, "exec");
  ExecPlugin plugin{.owner = user.title + " of " + user.file};
  const std::string command = reader.Text(exec, "command");
  if (command.empty()) reader.Fail(exec, given.Mark(), "exec: command: missing");
  plugin.command = CommandPath(command, user.file);
  for (const YAML::Node& node : reader.List(exec, "args")) {
    if (!node.IsScalar()) return reader.Fail(exec, node.Mark(), "exec: args: expected strings");
    plugin.arguments.push_back(node.Scalar());
  }
  ReadEnvironment(reader, exec, plugin);
  ReadVersion(reader, exec, plugin);
  ReadTerminal(reader, exec, plugin);
  plugin.install_hint = OneLine(reader.Text(exec, "installHint"));
  plugin.wants_cluster = reader.Flag(exec, "provideClusterInfo");
  const bool otherwise = !credentials.token.empty() || !credentials.token_file.empty() ||
                         credentials.client_certificate.Given();
  if (otherwise) {
    reader.Fail(
        user, given.Mark(),
        "exec excludes token, tokenFile and client-certificate: give the one that is meant");
  }
  credentials.exec = std::move(plugin);
}

}  // namespace

void ReadKubeconfigUser(KubeconfigReader& reader, const KubeconfigSection& user,
                        Credentials& credentials) {
  RefuseUnsupported(reader, user);
  credentials.client_certificate = reader.Pem(user, "client-certificate");
  credentials.client_key = reader.Pem(user, "client-key");
  credentials.token = reader.Text(user, "token");
  credentials.token_file = reader.Path(user, "tokenFile");
  if (credentials.client_certificate.Given() != credentials.client_key.Given()) {
    reader.Fail(user, user.node.Mark(), "client-certificate and client-key go together");
  }
  const auto bad = [](char c) { return c <= ' ' || c == 0x7f; };
  if (std::any_of(credentials.token.begin(), credentials.token.end(), bad)) {
    reader.Fail(user, user.At("token").Mark(), "token: holds spaces or line ends");
  }
  ReadExec(reader, user, credentials);
}

}  // namespace jobrun
