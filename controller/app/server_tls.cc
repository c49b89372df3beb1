#include "controller/app/server_tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <utility>

#include "controller/app/text_file.h"
#include "controller/kube/socket_bio.h"

namespace jobrun {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 20U;
// Nobody checks a certificate that signed itself, so nobody is helped by its end.
constexpr long kOwnCertificateSeconds = 10L * 365 * 24 * 3600;

template <auto Free>
struct Freed {
  template <class Object>
  void operator()(Object* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

std::string TakeError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "unknown error" : reason;
}

std::shared_ptr<SSL_CTX> NewContext() {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  return context;
}

// Nobody is there to be asked.
int NoPassphrase(char*, int, int, void*) { return -1; }

BioPtr ReadOnly(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The leaf and then those that lead to its root. Empty: well; else what is wrong.
std::string UseCertificates(SSL_CTX* context, const std::string& pem) {
  const BioPtr memory = ReadOnly(pem);
  for (int number = 0;; ++number) {
    Certificate certificate(PEM_read_bio_X509(memory.get(), nullptr, NoPassphrase, nullptr));
    if (!certificate) {
      const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      const std::string error = TakeError();
      if (number > 0 && at_end) return {};
      return at_end ? "expected a certificate in PEM" : "a broken certificate: " + error;
    }
    const bool used = number == 0 ? SSL_CTX_use_certificate(context, certificate.get()) == 1
                                  : SSL_CTX_add1_chain_cert(context, certificate.get()) == 1;
    if (!used) return TakeError();
  }
}

std::string UseKey(SSL_CTX* context, const std::string& pem) {
  const BioPtr memory = ReadOnly(pem);
  const Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, NoPassphrase, nullptr));
  if (!key) {
    TakeError();
    return "expected a private key in PEM, without a passphrase";
  }
  // The first compares it with a certificate for the same kind of key only.
  if (SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1) {
    return {};
  }
  TakeError();
  return "the key does not belong to the certificate";
}

Result<std::string> ReadPem(const std::string& path) {
  Result<std::string> text = ReadTextFile(path, kFileBytesMax);
  if (text && text->size() > kFileBytesMax) {
    return Error{Code::kInvalid, path, "is larger than 1 MiB"};
  }
  return text;
}

bool Sign(X509* certificate, EVP_PKEY* key) {
  constexpr std::array<unsigned char, 18> kName = {"jobrun-controller"};
  unsigned char serial = 0;
  X509_NAME* const name = X509_get_subject_name(certificate);
  return RAND_bytes(&serial, 1) == 1 && X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1 + serial) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), kOwnCertificateSeconds) != nullptr &&
         X509_set_pubkey(certificate, key) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, kName.data(),
                                    static_cast<int>(kName.size()) - 1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

std::shared_ptr<SSL_CTX> SelfSigned() {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  std::shared_ptr<SSL_CTX> context = NewContext();
  const bool made = key && certificate && context && Sign(certificate.get(), key.get()) &&
                    SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
                    SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1;
  return made ? context : nullptr;
}

FileStamp StampOf(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return {};
  return {.number = status.st_ino,
          .size = status.st_size,
          .seconds = status.st_mtim.tv_sec,
          .nanoseconds = status.st_mtim.tv_nsec};
}

}  // namespace

Result<ServerTls::Pair> ServerTls::Read() const {
  Result<std::string> certificate = ReadPem(files_.certificate);
  if (!certificate) return certificate.error();
  Result<std::string> key = ReadPem(files_.key);
  if (!key) return key.error();
  return Pair{std::move(*certificate), std::move(*key)};
}

Result<std::shared_ptr<SSL_CTX>> ServerTls::Make(const Pair& pair) const {
  std::shared_ptr<SSL_CTX> context = NewContext();
  if (!context) return Error{Code::kInternal, "set TLS up", TakeError()};
  if (std::string bad = UseCertificates(context.get(), pair.certificate); !bad.empty()) {
    return Error{Code::kInvalid, files_.certificate, std::move(bad)};
  }
  if (std::string bad = UseKey(context.get(), pair.key); !bad.empty()) {
    return Error{Code::kInvalid, files_.key, std::move(bad)};
  }
  return context;
}

void ServerTls::LookAgain() {
  const Stamps stamps{StampOf(files_.certificate), StampOf(files_.key)};
  if (std::exchange(stamps_, stamps) == stamps && stamps != Stamps{}) return;
  const Result<Pair> pair = Read();
  if (pair && *pair == seen_) return complaint_.clear();
  if (pair) seen_ = *pair;
  auto context = pair ? Make(*pair) : Result<std::shared_ptr<SSL_CTX>>(pair.error());
  if (context) {
    context_ = std::move(*context);
    return complaint_.clear();
  }
  const std::string complaint = context.error().ToString();
  if (std::exchange(complaint_, complaint) == complaint || !context_) return;
  log_.Write({LogLevel::kError,
              "the certificate for metrics can't be used; the one before it is shown",
              {{"error", complaint}}});
}

Result<std::unique_ptr<ServerTls>> ServerTls::Load(CertificateFiles files, LogSink& log) {
  std::unique_ptr<ServerTls> tls(new ServerTls(std::move(files), log));
  if (tls->files_.certificate.empty()) {
    tls->context_ = SelfSigned();
    if (!tls->context_) return Error{Code::kInternal, "make a certificate", TakeError()};
    return tls;
  }
  tls->LookAgain();
  if (!tls->context_) return Error{Code::kInvalid, "certificate for metrics", tls->complaint_};
  return tls;
}

std::shared_ptr<SSL_CTX> ServerTls::Context() {
  if (!files_.certificate.empty()) LookAgain();
  return context_;
}

}  // namespace jobrun
