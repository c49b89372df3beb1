#include "controller/kube/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "controller/kube/kubeconfig_reader.h"
#include "controller/kube/kubeconfig_user.h"
#include "controller/kube/yaml_documents.h"
#include "controller/kube/yaml_json.h"

namespace jobrun {
namespace {

constexpr char kPluginExtension[] = "client.authentication.k8s.io/exec";

// All files put together.
struct Merged {
  std::map<std::string, KubeconfigSection> clusters;
  std::map<std::string, KubeconfigSection> users;
  std::map<std::string, KubeconfigSection> contexts;
  std::string current_context;
  std::vector<std::string> warnings;
};

// Adds the entries of `file`'s list `list`, each `{name: …, <inner>: {…}}`, that are not there yet.
void MergeList(KubeconfigReader& reader, const KubeconfigSection& file, const char* list,
               const char* inner, std::map<std::string, KubeconfigSection>& into) {
  const YAML::Node entries = file.At(list);
  if (!entries) return;
  if (!entries.IsSequence()) {
    return reader.Fail(file, entries.Mark(), std::string(list) + ": expected a list");
  }
  std::set<std::string> seen;
  for (const YAML::Node& node : entries) {
    KubeconfigSection entry{node, file.file, std::string(list)};
    if (!node.IsMap()) return reader.Fail(entry, node.Mark(), "expected a mapping with a name");
    const std::string name = reader.Text(entry, "name");
    if (name.empty()) return reader.Fail(entry, node.Mark(), "an entry has no name");
    if (!seen.insert(name).second) {
      return reader.Fail(entry, node.Mark(), "the name \"" + name + "\" is there twice");
    }
    entry.title = std::string(inner) + " \"" + name + "\"";
    if (!into.contains(name)) into.emplace(name, reader.Map(entry, inner));
  }
}

// False when the file does not exist.
bool MergeFile(KubeconfigReader& reader, const std::string& path, Merged& merged) {
  const Result<std::string> text = ReadCredentialFile(path);
  if (!text.ok()) {
    if (text.error().code == Code::kNotFound) return false;
    reader.Fail({text.error().code, "read the kubeconfig " + path, text.error().detail});
    return true;
  }
  KubeconfigSection file{YAML::Node(), path, ""};
  try {
    if (const auto further = FindFurtherDocument(text.value())) {
      merged.warnings.push_back(
          path + ", line " + std::to_string(further->line + 1) +
          ": what begins here is not read, only the first YAML document is, as by kubectl");
    }
    file.node = YAML::Load(text.value());
  } catch (const YAML::Exception& bad) {
    reader.Fail(file, bad.mark, "not YAML: " + bad.msg);
    return true;
  }
  if (file.node.IsNull()) return true;  // an empty file
  if (!file.node.IsMap()) {
    reader.Fail(file, file.node.Mark(), "expected a mapping with clusters, users and contexts");
    return true;
  }
  reader.RefuseDuplicates(file);
  MergeList(reader, file, "clusters", "cluster", merged.clusters);
  MergeList(reader, file, "users", "user", merged.users);
  MergeList(reader, file, "contexts", "context", merged.contexts);
  if (merged.current_context.empty()) merged.current_context = reader.Text(file, "current-context");
  return true;
}

std::string Names(const std::map<std::string, KubeconfigSection>& entries) {
  std::string names;
  for (const auto& [name, section] : entries) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

// The entry `name`, which `whence` refers to.
const KubeconfigSection* Find(KubeconfigReader& reader,
                              const std::map<std::string, KubeconfigSection>& entries,
                              const std::string& name, const KubeconfigSection& whence) {
  const auto found = entries.find(name);
  if (found != entries.end()) return &found->second;
  reader.Fail(whence, whence.node.Mark(),
              "refers to \"" + name + "\", which is not there; there are: " + Names(entries));
  return nullptr;
}

void ReadProxy(KubeconfigReader& reader, const KubeconfigSection& cluster,
               Credentials& credentials) {
  const std::string url = reader.Text(cluster, "proxy-url");
  if (url.empty()) return;
  Result<ProxyAddress> proxy = ParseProxyUrl(url, "proxy-url of " + cluster.title);
  if (proxy.ok()) {
    credentials.proxy = std::move(proxy).value();
  } else {
    reader.Fail(cluster, cluster.At("proxy-url").Mark(), proxy.error().ToString());
  }
}

void ReadCluster(KubeconfigReader& reader, const KubeconfigSection& cluster,
                 Credentials& credentials) {
  const YAML::Mark mark = cluster.node.Mark();
  const std::string url = reader.Text(cluster, "server");
  Result<ServerAddress> server = ParseServerUrl(url);
  if (!server.ok()) {
    const YAML::Node value = cluster.At("server");
    return reader.Fail(cluster, value ? value.Mark() : mark,
                       url.empty() ? "server: missing; expected a URL like https://10.0.0.1:6443"
                                   : "server: " + server.error().ToString());
  }
  credentials.server = std::move(server).value();
  credentials.ca = reader.Pem(cluster, "certificate-authority");
  credentials.tls_server_name = reader.Text(cluster, "tls-server-name");
  credentials.insecure_skip_tls_verify = reader.Flag(cluster, "insecure-skip-tls-verify");
  ReadProxy(reader, cluster, credentials);
  if (!credentials.insecure_skip_tls_verify) return;
  if (credentials.ca.Given()) {
    reader.Fail(cluster, mark,
                "insecure-skip-tls-verify and certificate-authority exclude each other");
  }
  credentials.warnings.push_back(cluster.title + " of " + cluster.file +
                                 " says insecure-skip-tls-verify: anyone on the way to the server "
                                 "can read and change what is sent; give certificate-authority");
}

// What the cluster has to say to credential plugins: the extension of this name, whatever it holds.
void ReadPluginConfig(KubeconfigReader& reader, const KubeconfigSection& cluster,
                      Credentials& credentials) {
  if (!credentials.exec || !credentials.exec->wants_cluster) return;
  for (const YAML::Node& node : reader.List(cluster, "extensions")) {
    if (!node.IsMap()) {
      return reader.Fail(cluster, node.Mark(), "extensions: expected a name and an extension");
    }
    const KubeconfigSection entry{node, cluster.file, cluster.title};
    if (reader.Text(entry, "name") != kPluginExtension) continue;
    Result<std::string> json = YamlAsJson(node["extension"]);
    if (!json.ok()) return reader.Fail(cluster, node.Mark(), json.error().detail);
    credentials.exec->cluster_config = std::move(json).value();
  }
}

Result<Credentials> Select(KubeconfigReader& reader, Merged& merged,
                           const KubeconfigOptions& options) {
  const std::string& wanted = options.context.empty() ? merged.current_context : options.context;
  KubeconfigSection whole{YAML::Node(), options.files.front(), ""};
  if (wanted.empty()) {
    reader.Fail(whole, YAML::Mark::null_mark(),
                "no current-context is set; there are: " + Names(merged.contexts) +
                    "; choose with kubectl config use-context");
    return *reader.error();
  }
  if (!merged.contexts.contains(wanted)) {
    reader.Fail(
        whole, YAML::Mark::null_mark(),
        "the context \"" + wanted + "\" is not there; there are: " + Names(merged.contexts));
    return *reader.error();
  }
  const KubeconfigSection& context = merged.contexts.at(wanted);
  Credentials credentials;
  credentials.warnings = merged.warnings;
  credentials.origin = context.file + ", context " + wanted;
  credentials.name_space = reader.Text(context, "namespace");
  const KubeconfigSection* cluster =
      Find(reader, merged.clusters, reader.Text(context, "cluster"), context);
  if (cluster != nullptr) ReadCluster(reader, *cluster, credentials);
  const std::string user_name = reader.Text(context, "user");
  if (!user_name.empty()) {  // without one: anonymous
    const KubeconfigSection* user = Find(reader, merged.users, user_name, context);
    if (user != nullptr) ReadKubeconfigUser(reader, *user, credentials);
  }
  if (cluster != nullptr) ReadPluginConfig(reader, *cluster, credentials);
  if (reader.error()) return *reader.error();
  return credentials;
}

// Over plain HTTP nothing secret is sent, as with kubectl.
void DropSecretsWithoutTls(Credentials& credentials) {
  if (credentials.server.tls) return;
  const bool any = !credentials.token.empty() || !credentials.token_file.empty() ||
                   credentials.client_certificate.Given() || credentials.exec;
  credentials.exec.reset();
  credentials.token.clear();
  credentials.token_file.clear();
  credentials.client_certificate = {};
  credentials.client_key = {};
  credentials.ca = {};
  if (any) {
    credentials.warnings.push_back("no token or certificate is sent to " +
                                   credentials.server.Url() + ", because it is not https");
  }
}

}  // namespace

Result<Credentials> LoadKubeconfig(const KubeconfigOptions& options) {
  KubeconfigReader reader;
  Merged merged;
  bool any = false;
  for (const std::string& file : options.files) any = MergeFile(reader, file, merged) || any;
  if (reader.error()) return *reader.error();
  if (!any) {
    std::string files;
    for (const std::string& file : options.files) files += (files.empty() ? "" : ", ") + file;
    return Error{Code::kNotFound, "read the kubeconfig " + files,
                 "no such file; look at --kubeconfig and $KUBECONFIG"};
  }
  try {
    Result<Credentials> credentials = Select(reader, merged, options);
    if (!credentials.ok()) {
      Error error = credentials.error();  // what is missed may be in what was not read
      for (const std::string& warning : merged.warnings) error.detail += "; " + warning;
      return error;
    }
    DropSecretsWithoutTls(credentials.value());
    return credentials;
  } catch (const YAML::Exception& bad) {  // a shape that no check above foresaw
    reader.Fail({YAML::Node(), options.files.front(), ""}, bad.mark, bad.msg);
    return *reader.error();
  }
}

}  // namespace jobrun
