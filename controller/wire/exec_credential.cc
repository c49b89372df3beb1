#include "controller/wire/exec_credential.h"

#include <algorithm>
#include <utility>

#include "controller/base/rfc3339.h"
#include "controller/wire/json_cursor.h"
#include "controller/wire/json_writer.h"
#include "controller/wire/scratch.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

Error Bad(std::string detail) { return {Code::kInvalid, "read an ExecCredential", detail}; }

bool IsTokenCharacter(char c) { return c > ' ' && c < 0x7f; }

class AnswerReader {
 public:
  [[nodiscard]] bool Read(ondemand::object& root) {
    return json::EachField(root, [this](std::string_view key, ondemand::value& value) {
      if (key == "apiVersion") return Text("apiVersion", value, api_version);
      if (key == "kind") return Text("kind", value, kind);
      if (key != "status" || !json::IsObject(value)) return true;
      has_status = true;
      return json::EachField(value, [this](std::string_view name, ondemand::value& field) {
        return ReadStatus(name, field);
      });
    });
  }

  std::string api_version{};
  std::string kind{};
  bool has_status{false};
  ExecCredential credential{};
  std::string mistake{};  // the first one

 private:
  bool Text(const char* name, ondemand::value& value, std::string& into) {
    const auto text = json::Text(value, scratch_);
    if (text) into = *text;
    if (!text && mistake.empty()) mistake = std::string(name) + ": expected a string";
    return true;
  }

  bool ReadStatus(std::string_view key, ondemand::value& value) {
    if (key == "token") return Text("status.token", value, credential.token);
    if (key == "clientKeyData") return Text("status.clientKeyData", value, credential.key_pem);
    if (key == "clientCertificateData") {
      return Text("status.clientCertificateData", value, credential.certificate_pem);
    }
    if (key != "expirationTimestamp") return true;
    std::string text;
    if (!Text("status.expirationTimestamp", value, text) || text.empty()) return true;
    credential.expires = ParseRfc3339(text);
    if (!credential.expires && mistake.empty()) {
      mistake = "status.expirationTimestamp: expected a time like 2026-11-22T01:02:03Z";
    }
    return true;
  }

  Scratch scratch_;
};

// What is wrong with what was read; empty: nothing.
std::string Judge(const AnswerReader& answer, std::string_view api_version) {
  if (!answer.mistake.empty()) return answer.mistake;
  if (answer.kind != "ExecCredential") return "expected an object of kind ExecCredential";
  if (answer.api_version != api_version) {
    return "it answers in version " + answer.api_version + ", the kubeconfig asks for " +
           std::string(api_version);
  }
  if (!answer.has_status) return "it holds no status";
  const ExecCredential& given = answer.credential;
  if (given.certificate_pem.empty() != given.key_pem.empty()) {
    return "status.clientCertificateData and status.clientKeyData go together";
  }
  if (given.token.empty() && given.key_pem.empty()) {
    return "status holds neither a token nor a certificate with its key";
  }
  if (!std::ranges::all_of(given.token, IsTokenCharacter)) {
    return "status.token holds spaces, line ends or bytes that are not ASCII";
  }
  return {};
}

}  // namespace

std::string WriteExecInfo(const ExecInfo& info) {
  json::Writer writer;
  writer.Open().Text("apiVersion", info.api_version).Text("kind", "ExecCredential");
  writer.Key("spec").Open();
  if (info.cluster) {
    const ExecCluster& cluster = *info.cluster;
    writer.Key("cluster").Open().Text("server", cluster.server);
    if (!cluster.tls_server_name.empty()) writer.Text("tls-server-name", cluster.tls_server_name);
    if (cluster.insecure_skip_tls_verify) writer.Key("insecure-skip-tls-verify").Raw("true");
    if (!cluster.ca_base64.empty()) writer.Text("certificate-authority-data", cluster.ca_base64);
    if (!cluster.proxy_url.empty()) writer.Text("proxy-url", cluster.proxy_url);
    if (!cluster.config_json.empty()) writer.Key("config").Raw(cluster.config_json);
    writer.Close();
  }
  writer.Key("interactive").Raw(info.interactive ? "true" : "false");
  return writer.Close().Close().Take();
}

Result<ExecCredential> ReadExecCredential(std::string_view json_text,
                                          std::string_view api_version) {
  std::string buffer;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object root;
  AnswerReader answer;
  if (!json::OpenObject(parser, json::CopyPadded(buffer, json_text), document, root) ||
      !answer.Read(root) || !json::AtEnd(document)) {
    return Bad("expected one JSON object");
  }
  if (std::string mistake = Judge(answer, api_version); !mistake.empty()) {
    return Bad(std::move(mistake));
  }
  return std::move(answer.credential);
}

}  // namespace jobrun
