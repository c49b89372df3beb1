#include "controller/kube/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "controller/kube/base64.h"
#include "controller/kube/yaml_documents.h"

namespace jobrun {
namespace {

// A mapping of one file. The first mistake found is kept in `error`; what is asked after it yields
// nothing.
struct Section {
  YAML::Node node{};
  std::string file{};
  std::string title{};  // "cluster \"prod\"", for people
};

class Reader {
 public:
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  void Fail(const Section& at, const YAML::Mark& mark, const std::string& detail) {
    if (error_) return;
    const std::string where = mark.is_null()
                                  ? std::string()
                                  : "line " + std::to_string(mark.line + 1) + ", column " +
                                        std::to_string(mark.column + 1) + ": ";
    const std::string title = at.title.empty() ? std::string() : at.title + ": ";
    error_ = Error{Code::kInvalid, "read the kubeconfig " + at.file, where + title + detail};
  }
  void Fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  // yaml-cpp keeps the first of two equal keys without a word.
  void RefuseDuplicates(const Section& section) {
    std::set<std::string> seen;
    for (const auto& entry : section.node) {
      if (!entry.first.IsScalar() || seen.insert(entry.first.Scalar()).second) continue;
      Fail(section, entry.first.Mark(), "the key \"" + entry.first.Scalar() + "\" is there twice");
    }
  }

  // The mapping under `key`; an empty one when it is missing or null.
  Section Map(const Section& parent, const char* key) {
    const YAML::Node value = parent.node[key];
    const bool missing = !value || value.IsNull();
    if (!missing && !value.IsMap()) {
      Fail(parent, value.Mark(), std::string(key) + ": expected a mapping");
    }
    const bool usable = !missing && value.IsMap();
    Section section{usable ? value : YAML::Node(YAML::NodeType::Map), parent.file, parent.title};
    RefuseDuplicates(section);
    return section;
  }

  std::string Text(const Section& section, const char* key) {
    const YAML::Node value = std::as_const(section.node)[key];
    if (!value || value.IsNull()) return {};
    if (value.IsScalar()) return value.Scalar();
    Fail(section, value.Mark(), std::string(key) + ": expected a string");
    return {};
  }

  bool Flag(const Section& section, const char* key) {
    const std::string text = Text(section, key);
    if (text.empty() || text == "false") return false;
    if (text != "true") {
      Fail(section, std::as_const(section.node)[key].Mark(),
           std::string(key) + ": expected true or false");
    }
    return true;
  }

  // A file name, made absolute from where the kubeconfig is.
  std::string Path(const Section& section, const char* key) {
    const std::string path = Text(section, key);
    if (path.empty()) return {};
    return (std::filesystem::path(section.file).parent_path() / path).lexically_normal().string();
  }

  // The decoded bytes of a "-data" key.
  std::string Base64(const Section& section, const char* key) {
    std::optional<std::string> bytes = DecodeBase64(Text(section, key));
    if (bytes) return std::move(*bytes);
    Fail(section, std::as_const(section.node)[key].Mark(),
         std::string(key) + ": expected base64 text");
    return {};
  }

  PemSource Pem(const Section& section, const std::string& key) {
    PemSource source{Path(section, key.c_str()), Base64(section, (key + "-data").c_str())};
    if (!source.inline_pem.empty()) source.file.clear();  // as kubectl has it
    return source;
  }

 private:
  std::optional<Error> error_;
};

// All files put together.
struct Merged {
  std::map<std::string, Section> clusters;
  std::map<std::string, Section> users;
  std::map<std::string, Section> contexts;
  std::string current_context;
  std::vector<std::string> warnings;
};

// Adds the entries of `file`'s list `list`, each `{name: …, <inner>: {…}}`, that are not there yet.
void MergeList(Reader& reader, const Section& file, const char* list, const char* inner,
               std::map<std::string, Section>& into) {
  const YAML::Node entries = std::as_const(file.node)[list];
  if (!entries || entries.IsNull()) return;
  if (!entries.IsSequence()) {
    return reader.Fail(file, entries.Mark(), std::string(list) + ": expected a list");
  }
  std::set<std::string> seen;
  for (const YAML::Node& node : entries) {
    Section entry{node, file.file, std::string(list)};
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
bool MergeFile(Reader& reader, const std::string& path, Merged& merged) {
  const Result<std::string> text = ReadCredentialFile(path);
  if (!text.ok()) {
    if (text.error().code == Code::kNotFound) return false;
    reader.Fail({text.error().code, "read the kubeconfig " + path, text.error().detail});
    return true;
  }
  Section file{YAML::Node(), path, ""};
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

std::string Names(const std::map<std::string, Section>& entries) {
  std::string names;
  for (const auto& [name, section] : entries) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

// The entry `name`, which `whence` refers to.
const Section* Find(Reader& reader, const std::map<std::string, Section>& entries,
                    const std::string& name, const Section& whence) {
  const auto found = entries.find(name);
  if (found != entries.end()) return &found->second;
  reader.Fail(whence, whence.node.Mark(),
              "refers to \"" + name + "\", which is not there; there are: " + Names(entries));
  return nullptr;
}

void ReadProxy(Reader& reader, const Section& cluster, Credentials& credentials) {
  const std::string url = reader.Text(cluster, "proxy-url");
  if (url.empty()) return;
  Result<ProxyAddress> proxy = ParseProxyUrl(url, "proxy-url of " + cluster.title);
  if (proxy.ok()) {
    credentials.proxy = std::move(proxy).value();
  } else {
    reader.Fail(cluster, std::as_const(cluster.node)["proxy-url"].Mark(), proxy.error().ToString());
  }
}

void ReadCluster(Reader& reader, const Section& cluster, Credentials& credentials) {
  const YAML::Mark mark = cluster.node.Mark();
  const std::string url = reader.Text(cluster, "server");
  Result<ServerAddress> server = ParseServerUrl(url);
  if (!server.ok()) {
    const YAML::Node value = std::as_const(cluster.node)["server"];
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

void RefuseUnsupported(Reader& reader, const Section& user) {
  static constexpr std::pair<const char*, const char*> kUnsupported[] = {
      {"exec", "a command that fetches credentials (exec) is not supported"},
      {"auth-provider", "auth-provider is not supported, as in current kubectl"},
      {"username", "a user name and password are not supported, as by current API servers"},
      {"as", "impersonation (as) is not supported"},
      {"as-uid", "impersonation (as-uid) is not supported"},
      {"as-groups", "impersonation (as-groups) is not supported"},
      {"as-user-extra", "impersonation (as-user-extra) is not supported"}};
  for (const auto& [key, text] : kUnsupported) {
    const YAML::Node value = std::as_const(user.node)[key];
    if (!value || value.IsNull()) continue;
    reader.Fail(user, value.Mark(),
                std::string(text) + "; give token, tokenFile or client-certificate and client-key");
  }
}

void ReadUser(Reader& reader, const Section& user, Credentials& credentials) {
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
    reader.Fail(user, std::as_const(user.node)["token"].Mark(), "token: holds spaces or line ends");
  }
}

Result<Credentials> Select(Reader& reader, Merged& merged, const KubeconfigOptions& options) {
  const std::string& wanted = options.context.empty() ? merged.current_context : options.context;
  Section whole{YAML::Node(), options.files.front(), ""};
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
  const Section& context = merged.contexts.at(wanted);
  Credentials credentials;
  credentials.warnings = merged.warnings;
  credentials.origin = context.file + ", context " + wanted;
  credentials.name_space = reader.Text(context, "namespace");
  const Section* cluster = Find(reader, merged.clusters, reader.Text(context, "cluster"), context);
  if (cluster != nullptr) ReadCluster(reader, *cluster, credentials);
  const std::string user_name = reader.Text(context, "user");
  if (!user_name.empty()) {  // without one: anonymous
    const Section* user = Find(reader, merged.users, user_name, context);
    if (user != nullptr) ReadUser(reader, *user, credentials);
  }
  if (reader.error()) return *reader.error();
  return credentials;
}

// Over plain HTTP nothing secret is sent, as with kubectl.
void DropSecretsWithoutTls(Credentials& credentials) {
  if (credentials.server.tls) return;
  const bool any = !credentials.token.empty() || !credentials.token_file.empty() ||
                   credentials.client_certificate.Given();
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
  Reader reader;
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
