#include "tests/devserver/pki.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

namespace jobrun {
namespace {

template <class T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509, X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO, BIO_free_all>>;

using Extensions = std::vector<std::pair<int, std::string>>;

struct Signer {
  X509* certificate = nullptr;  // null: signs itself
  EVP_PKEY* key = nullptr;
};

struct Profile {
  std::string organisation{};
  std::string name{};
  Extensions extensions{};
};

constexpr long kDayBefore = -24L * 3600;
constexpr long kTenYears = 3650L * 24 * 3600;

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(length)};
}

std::string Pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return Text(bio.get());
}

std::string Pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return Text(bio.get());
}

void AddName(X509_NAME* name, const char* field, const std::string& value) {
  if (value.empty()) return;
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(value.data()),  // NOLINT
                             static_cast<int>(value.size()), -1, 0);
}

bool AddExtensions(X509* certificate, X509* issuer, const Extensions& extensions) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const auto& [nid, value] : extensions) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (extension == nullptr) return false;
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  return true;
}

Certificate MakeCertificate(EVP_PKEY* key, const Signer& signer, const Profile& profile,
                            ServerTime now) {
  Certificate certificate(X509_new());
  X509* raw = certificate.get();
  X509_set_version(raw, 2);
  std::uint32_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);  // NOLINT
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(raw), std::uint64_t{serial} + 1);
  time_t at = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  X509_time_adj(X509_getm_notBefore(raw), kDayBefore, &at);
  X509_time_adj(X509_getm_notAfter(raw), kTenYears, &at);
  X509_set_pubkey(raw, key);
  AddName(X509_get_subject_name(raw), "O", profile.organisation);
  AddName(X509_get_subject_name(raw), "CN", profile.name);
  X509* issuer = signer.certificate == nullptr ? raw : signer.certificate;
  X509_set_issuer_name(raw, X509_get_subject_name(issuer));
  if (!AddExtensions(raw, issuer, profile.extensions)) return nullptr;
  if (X509_sign(raw, signer.key, EVP_sha256()) == 0) return nullptr;
  return certificate;
}

}  // namespace

Result<Pki> MakePki(const std::string& host, ServerTime now) {
  const Error problem{Code::kInternal, "make certificates", "OpenSSL refused"};
  const Key ca_key(EVP_EC_gen("P-256"));
  const Key server_key(EVP_EC_gen("P-256"));
  const Key client_key(EVP_EC_gen("P-256"));
  if (!ca_key || !server_key || !client_key) return problem;
  const Profile ca_profile{"",
                           "jobrun-devserver-ca",
                           {{NID_basic_constraints, "critical,CA:TRUE"},
                            {NID_key_usage, "critical,keyCertSign,cRLSign"},
                            {NID_subject_key_identifier, "hash"}}};
  const Certificate ca = MakeCertificate(ca_key.get(), {nullptr, ca_key.get()}, ca_profile, now);
  if (!ca) return problem;
  const Signer signer{ca.get(), ca_key.get()};
  const Profile server_profile{
      "",
      "jobrun-devserver",
      {{NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1,IP:" + host},
       {NID_ext_key_usage, "serverAuth"}}};
  const Profile client_profile{"system:masters", "admin", {{NID_ext_key_usage, "clientAuth"}}};
  const Certificate server = MakeCertificate(server_key.get(), signer, server_profile, now);
  const Certificate client = MakeCertificate(client_key.get(), signer, client_profile, now);
  if (!server || !client) return problem;
  return Pki{.ca_certificate = Pem(ca.get()),
             .server_certificate = Pem(server.get()),
             .server_key = Pem(server_key.get()),
             .client_certificate = Pem(client.get()),
             .client_key = Pem(client_key.get())};
}

std::string RandomHex(std::size_t bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<unsigned char> raw(bytes);
  RAND_bytes(raw.data(), static_cast<int>(bytes));
  std::string text;
  for (const unsigned char byte : raw) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

std::string Base64(const std::string& bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),          // NOLINT
                      reinterpret_cast<const unsigned char*>(bytes.data()),  // NOLINT
                      static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

}  // namespace jobrun
