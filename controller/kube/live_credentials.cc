#include "controller/kube/live_credentials.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace jobrun {
namespace {

// With many requests under way a refusal comes many times at once; one look at the files is enough.
constexpr Nanos kRefusalReread = std::chrono::seconds(1);

Result<std::string> ReadPem(const PemSource& source) {
  if (!source.inline_pem.empty() || source.file.empty()) return source.inline_pem;
  return ReadCredentialFile(source.file);
}

}  // namespace

LiveCredentials::LiveCredentials(Credentials credentials, LogSink* log)
    : credentials_(std::move(credentials)),
      peer_{.name = credentials_.tls_server_name.empty() ? credentials_.server.host
                                                         : credentials_.tls_server_name,
            .skip_verify = credentials_.insecure_skip_tls_verify},
      log_(log),
      token_(credentials_.token) {}

Result<std::shared_ptr<LiveCredentials>> LiveCredentials::Make(Credentials credentials,
                                                               LogSink* log, RenewalTimes times) {
  std::shared_ptr<LiveCredentials> live(new LiveCredentials(std::move(credentials), log));
  if (live->credentials_.exec) {
    auto plugin = PluginRenewal::Start(live->credentials_, log, times);
    if (!plugin.ok()) return plugin.error();
    live->plugin_ = std::move(plugin).value();
    live->taken_ = live->plugin_->Held();
    live->token_ = live->taken_->token;
  }
  const Outcome token = live->ReadToken();
  if (!token.ok() && live->token_.empty()) return token.error();
  const Outcome tls = live->ReadTls();
  if (!tls.ok()) {
    Error error = tls.error();
    error.detail += "; the credentials come from " + live->credentials_.origin;
    return error;
  }
  return live;
}

Outcome LiveCredentials::ReadToken() {
  if (credentials_.token_file.empty()) return Ok();
  Result<std::string> text = ReadCredentialFile(credentials_.token_file);
  if (!text.ok()) return text.error();
  std::string token = std::move(text).value();
  const std::size_t end = token.find_last_not_of(" \t\r\n");
  token.erase(end == std::string::npos ? 0 : end + 1);
  const Error unusable{Code::kInvalid, "read the token " + credentials_.token_file, ""};
  if (token.empty()) return Error{unusable.code, unusable.operation, "the file is empty"};
  const auto bad = [](char c) { return c <= ' ' || c == 0x7f; };
  if (std::any_of(token.begin(), token.end(), bad)) {
    return Error{unusable.code, unusable.operation,
                 "it holds spaces, line ends or bytes that are "
                 "not ASCII"};
  }
  token_ = std::move(token);
  return Ok();
}

LiveCredentials::Signatures LiveCredentials::SignFiles() const {
  const std::string* files[] = {&credentials_.ca.file, &credentials_.client_certificate.file,
                                &credentials_.client_key.file};
  Signatures signatures{};
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    struct stat status{};
    if (files[i]->empty() || stat(files[i]->c_str(), &status) != 0) continue;
    signatures[i] = {status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_ino,
                     status.st_size};
  }
  return signatures;
}

Result<TlsMaterial> LiveCredentials::ReadMaterial() const {
  Result<std::string> ca = ReadPem(credentials_.ca);
  if (!ca.ok()) return ca.error();
  Result<std::string> certificate = ReadPem(credentials_.client_certificate);
  if (!certificate.ok()) return certificate.error();
  Result<std::string> key = ReadPem(credentials_.client_key);
  if (!key.ok()) return key.error();
  if (taken_ != nullptr) {
    return TlsMaterial{std::move(ca).value(), taken_->certificate_pem, taken_->key_pem};
  }
  return TlsMaterial{std::move(ca).value(), std::move(certificate).value(), std::move(key).value()};
}

Outcome LiveCredentials::ReadTls() {
  if (!credentials_.server.tls) return Ok();
  // Taken before the files are read: what changes in between is noticed next time.
  const Signatures signatures = SignFiles();
  if (context_ != nullptr && signatures == signatures_ && material_of_ == taken_) return Ok();
  Result<TlsMaterial> material = ReadMaterial();
  if (!material.ok()) return material.error();
  if (credentials_.ca.Given() && material->ca_pem.empty()) {
    // An empty bundle must never come to mean "trust the system's roots".
    return Error{Code::kInvalid, "read the CA " + credentials_.ca.file, "the file is empty"};
  }
  if (credentials_.client_certificate.Given() && material->certificate_pem.empty()) {
    return Error{Code::kInvalid, "read " + credentials_.client_certificate.file,
                 "the file is empty"};
  }
  if (context_ == nullptr || material.value() != material_) {
    Result<TlsContext> context = MakeTlsContext(material.value(), peer_, refusals_);
    if (!context.ok()) return context.error();
    context_ = std::move(context).value();
    material_ = std::move(material).value();
    ++generation_;
  }
  signatures_ = signatures;
  material_of_ = taken_;
  return Ok();
}

void LiveCredentials::Warn(bool& warned, const Outcome& outcome) {
  if (!outcome.ok() && !warned && log_ != nullptr) {
    log_->Write({LogLevel::kWarn,
                 "credentials can't be read again, the last good ones stay in use",
                 {{"error", outcome.error().ToString()}}});
  }
  warned = !outcome.ok();
}

void LiveCredentials::RereadTls() { Warn(tls_warned_, ReadTls()); }

void LiveCredentials::Reread(Mono now) {
  read_at_ = now;
  Warn(token_warned_, ReadToken());
  RereadTls();
}

void LiveCredentials::TakeFromPlugin() {
  if (plugin_ == nullptr) return;
  std::shared_ptr<const ExecCredential> held = plugin_->Held();
  if (held == taken_) return;
  taken_ = std::move(held);
  token_ = taken_->token;
  RereadTls();
}

std::string LiveCredentials::Authorization(Mono now) {
  const std::lock_guard lock(mutex_);
  TakeFromPlugin();
  if (read_at_ == Mono::min()) {
    read_at_ = now;  // Make has just read them
  } else if (now - read_at_ >= kCredentialsReread) {
    Reread(now);
  }
  return AuthorizationHeld();
}

std::string LiveCredentials::AuthorizationHeld() const {
  return token_.empty() ? std::string() : "Bearer " + token_;
}

bool LiveCredentials::RereadAfterRefusal(Mono now, const std::string& authorization) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t generation = generation_;
  if (refused_at_ == Mono::min() || now - refused_at_ >= kRefusalReread) {
    refused_at_ = now;
    Reread(now);
  }
  TakeFromPlugin();
  if (AuthorizationHeld() != authorization || generation_ != generation) return true;
  if (plugin_ != nullptr) plugin_->Renew();
  return false;
}

std::uint64_t LiveCredentials::tls_generation() {
  const std::lock_guard lock(mutex_);
  TakeFromPlugin();
  return generation_;
}

LiveCredentials::Tls LiveCredentials::ForNewConnection() {
  const std::lock_guard lock(mutex_);
  TakeFromPlugin();
  RereadTls();
  return {context_, generation_};
}

void LiveCredentials::Configure(SSL_CTX* context) {
  const std::lock_guard lock(mutex_);
  TakeFromPlugin();
  RereadTls();
  // The same material has made a context before, so this can't fail; were it to, nothing would be
  // trusted.
  if (!ConfigureTls(context, material_, peer_, refusals_).ok()) {
    SSL_CTX_set_cert_store(context, X509_STORE_new());
  }
}

std::string LiveCredentials::TakeHandshakeError(const std::string& fallback) {
  const std::string refusal = refusals_.Take();
  const std::string error = TakeTlsError(fallback);
  return refusal.empty() ? error : refusal;
}

std::string LiveCredentials::RefusalText() const {
  if (credentials_.exec) {
    return credentials_.server.Url() + " refused what " + credentials_.exec->Title() +
           " gave (401): it is asked again; is it for another cluster?";
  }
  const bool token = !credentials_.token.empty() || !credentials_.token_file.empty();
  const std::string what = token ? "the token"
                           : credentials_.client_certificate.Given()
                               ? "the client certificate"
                               : "a request without credentials";
  const std::string file = credentials_.token_file.empty() ? "" : " in " + credentials_.token_file;
  return credentials_.server.Url() + " refused " + what + file + " (401); it comes from " +
         credentials_.origin + ": is it expired, or of another cluster?";
}

}  // namespace jobrun
