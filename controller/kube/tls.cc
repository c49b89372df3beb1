#include "controller/kube/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string_view>
#include <utility>

#include "controller/kube/socket_bio.h"

namespace jobrun {
namespace {

struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using X509Ptr = std::unique_ptr<X509, X509Free>;

BioPtr ReadOnly(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

X509Ptr NextCertificate(BIO* bio) {
  return X509Ptr(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
}

Error Bad(const std::string& detail) {
  ERR_clear_error();
  return {Code::kInvalid, "set up TLS", detail};
}

// A password prompt on the terminal would hang a daemon.
int NoPassword(char* /*into*/, int /*size*/, int /*writing*/, void* /*pointer*/) { return 0; }

std::string TimeText(const ASN1_TIME* time) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(bio.get(), time);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

// "localhost, 127.0.0.1": whom a certificate is for; the first few.
std::string AlternativeNames(X509* certificate) {
  constexpr int kMost = 6;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string text;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < kMost; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    char address[INET6_ADDRSTRLEN] = "";
    if (name->type == GEN_DNS) {
      text += (text.empty() ? "" : ", ");
      text.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                  static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address);
      text += (text.empty() ? "" : ", ") + std::string(address);
    }
  }
  GENERAL_NAMES_free(names);
  return text.empty() ? "no name at all" : text;
}

std::string RefusalText(int error, X509* certificate) {
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the server's certificate is for " + AlternativeNames(certificate) +
             ", not for the host asked for; use one of those names, or tls-server-name";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the server's certificate, or one above it, expired on " +
             TimeText(X509_get0_notAfter(certificate)) +
             "; renew it, or set this machine's clock right";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server's certificate is not valid before " +
             TimeText(X509_get0_notBefore(certificate)) + "; is this machine's clock right?";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "the server's certificate is not signed by the CA we were given; is "
             "certificate-authority the one of this cluster?";
    default:
      return std::string("the server's certificate was refused: ") +
             X509_verify_cert_error_string(error);
  }
}

int Verify(X509_STORE_CTX* store, void* pointer) {
  const int verified = X509_verify_cert(store);
  const int error = X509_STORE_CTX_get_error(store);
  if (verified > 0 && error == X509_V_OK) return 1;
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (certificate == nullptr) certificate = X509_STORE_CTX_get0_cert(store);
  static_cast<TlsRefusals*>(pointer)->Note(RefusalText(error, certificate));
  return 0;
}

Outcome TrustOnly(SSL_CTX* context, const std::string& pem) {
  if (pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) return Bad("the system has no CA store");
    return Ok();
  }
  // A fresh store: cpprestsdk would otherwise add the CA to the system's roots.
  X509_STORE* store = X509_STORE_new();
  const BioPtr bio = ReadOnly(pem);
  int count = 0;
  while (const X509Ptr certificate = NextCertificate(bio.get())) {
    X509_STORE_add_cert(store, certificate.get());
    ++count;
  }
  ERR_clear_error();
  SSL_CTX_set_cert_store(context, store);
  if (count == 0) return Bad("the CA bundle holds no PEM certificate");
  return Ok();
}

Outcome Identify(SSL_CTX* context, const TlsMaterial& material) {
  if (material.certificate_pem.empty()) return Ok();
  const BioPtr chain = ReadOnly(material.certificate_pem);
  const X509Ptr leaf = NextCertificate(chain.get());
  if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return Bad("client-certificate holds no PEM certificate");
  }
  while (X509Ptr issuer = NextCertificate(chain.get())) {
    if (SSL_CTX_add_extra_chain_cert(context, issuer.get()) == 1) (void)issuer.release();
  }
  ERR_clear_error();
  const BioPtr bio = ReadOnly(material.key_pem);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassword, nullptr), &EVP_PKEY_free);
  if (key == nullptr) return Bad("client-key holds no PEM private key, or one with a password");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Bad("client-key does not belong to client-certificate");
  }
  return Ok();
}

bool CheckName(SSL_CTX* context, const std::string& name) {
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_hostflags(
      parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (IsAddressLiteral(name)) return X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
  return X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1;
}

}  // namespace

void TlsRefusals::Note(std::string text) {
  const std::lock_guard lock(mutex_);
  last_ = std::move(text);
}

std::string TlsRefusals::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(last_, {});
}

std::optional<std::chrono::seconds> CertificateLifeLeft(const std::string& pem) {
  const X509Ptr leaf = NextCertificate(ReadOnly(pem).get());
  ERR_clear_error();
  int days = 0;
  int seconds = 0;
  if (leaf == nullptr ||
      ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(leaf.get())) != 1) {
    return std::nullopt;
  }
  return std::chrono::days(days) + std::chrono::seconds(seconds);
}

bool IsAddressLiteral(const std::string& name) {
  unsigned char address[sizeof(in6_addr)];
  return inet_pton(AF_INET, name.c_str(), address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), address) == 1;
}

Outcome ConfigureTls(SSL_CTX* context, const TlsMaterial& material, const TlsPeer& peer,
                     TlsRefusals& refusals) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // A truncated body is noticed by its framing; many servers close without a word.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_protos(context, kHttp11, sizeof kHttp11 - 1);
  if (const Outcome done = Identify(context, material); !done.ok()) return done;
  if (peer.skip_verify) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return Ok();
  }
  if (const Outcome done = TrustOnly(context, material.ca_pem); !done.ok()) return done;
  if (!CheckName(context, peer.name)) return Bad("the name \"" + peer.name + "\" can't be checked");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &Verify, &refusals);
  return Ok();
}

Result<TlsContext> MakeTlsContext(const TlsMaterial& material, const TlsPeer& peer,
                                  TlsRefusals& refusals) {
  TlsContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (context == nullptr) return Bad("OpenSSL can't make a context");
  const Outcome done = ConfigureTls(context.get(), material, peer, refusals);
  if (!done.ok()) return done.error();
  return context;
}

std::string TakeTlsError(const std::string& fallback) {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (error == 0) return fallback;
  const char* reason = ERR_reason_error_string(error);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
    switch (ERR_GET_REASON(error)) {
      case SSL_R_WRONG_VERSION_NUMBER:
      case SSL_R_HTTP_REQUEST:
        return "the server does not speak TLS here; is the port right, or is it http://?";
      case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return std::string("the server refused our client certificate (") + reason +
               "); renew client-certificate and client-key";
      default:
        break;
    }
  }
  return std::string("TLS failed: ") + (reason != nullptr ? reason : "unknown error");
}

}  // namespace jobrun
