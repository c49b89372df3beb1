#include "controller/kube/plugin_answer.h"

#include <unistd.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "controller/kube/base64.h"
#include "controller/kube/child_output.h"
#include "controller/kube/tls.h"

namespace jobrun {
namespace {

Result<ExecCluster> DescribeCluster(const Credentials& credentials) {
  ExecCluster cluster{.server = credentials.server.Url(),
                      .tls_server_name = credentials.tls_server_name,
                      .insecure_skip_tls_verify = credentials.insecure_skip_tls_verify,
                      .config_json = credentials.exec->cluster_config};
  if (credentials.proxy) cluster.proxy_url = credentials.proxy->given_url;
  std::string ca = credentials.ca.inline_pem;
  if (ca.empty() && credentials.ca.Given()) {
    Result<std::string> read = ReadCredentialFile(credentials.ca.file);
    if (!read.ok()) return read.error();
    ca = std::move(read).value();
  }
  cluster.ca_base64 = EncodeBase64(ca);
  return cluster;
}

std::vector<std::string> MakeEnvironment(const ExecPlugin& plugin, const std::string& info) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = std::min(text.find('='), text.size());
    variables[std::string(text.substr(0, equals))] = text.substr(std::min(equals + 1, text.size()));
  }
  for (const auto& [name, value] : plugin.environment) variables[name] = value;
  variables["KUBERNETES_EXEC_INFO"] = info;
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  return environment;
}

// What the pair of a plugin's answer is good for.
std::string JudgePair(const ExecCredential& answer) {
  if (answer.certificate_pem.empty()) return {};
  TlsRefusals unused;
  const Result<TlsContext> context =
      MakeTlsContext({.certificate_pem = answer.certificate_pem, .key_pem = answer.key_pem},
                     {.skip_verify = true}, unused);
  if (context.ok()) return {};
  return "status.clientCertificateData, status.clientKeyData: " + context.error().detail;
}

}  // namespace

Result<ExecCredential> AskPlugin(const Credentials& credentials, const PluginTerms& terms) {
  const ExecPlugin& plugin = *credentials.exec;
  const auto failed = [&](Code code, const std::string& detail) {
    return Error{code, "ask " + plugin.Title(), detail};
  };
  const bool terminal =
      plugin.terminal != ExecPlugin::Terminal::kNever && terms.may_ask && isatty(STDIN_FILENO) == 1;
  if (plugin.terminal == ExecPlugin::Terminal::kAlways && !terminal) {
    return failed(Code::kInvalid, terms.may_ask
                                      ? "it must ask somebody (interactiveMode: Always), but "
                                        "standard input is no terminal"
                                      : "it must ask somebody (interactiveMode: Always), which it "
                                        "may at the start only; start anew to log in again");
  }
  ExecInfo info{.api_version = plugin.api_version, .interactive = terminal};
  if (plugin.wants_cluster) {
    Result<ExecCluster> cluster = DescribeCluster(credentials);
    if (!cluster.ok()) return failed(cluster.error().code, cluster.error().ToString());
    info.cluster = std::move(cluster).value();
  }
  ChildCommand command{.words = {plugin.command},
                       .environment = MakeEnvironment(plugin, WriteExecInfo(info)),
                       .inherits_input = terminal,
                       .output_bytes_max = kPluginOutputBytesMax,
                       .time_max = terminal ? terms.time_max_asking : terms.time_max,
                       .stop = terms.stop};
  command.words.insert(command.words.end(), plugin.arguments.begin(), plugin.arguments.end());
  const Result<std::string> printed = RunForOutput(command);
  if (!printed.ok()) {
    const bool missing = printed.error().code == Code::kNotFound;
    const std::string hint = plugin.install_hint.empty() ? "" : ": " + plugin.install_hint;
    return failed(printed.error().code,
                  printed.error().detail + (missing ? "; is it installed?" + hint : ""));
  }
  Result<ExecCredential> answer = ReadExecCredential(printed.value(), plugin.api_version);
  if (!answer.ok()) {
    return failed(answer.error().code, "what it printed (" + std::to_string(printed->size()) +
                                           " bytes) can't be used: " + answer.error().detail);
  }
  if (const std::string mistake = JudgePair(answer.value()); !mistake.empty()) {
    return failed(Code::kInvalid, mistake);
  }
  return answer;
}

}  // namespace jobrun
