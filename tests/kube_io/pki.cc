#include "tests/kube_io/pki.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

namespace jobrun::testing {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

Bio Memory() { return {BIO_new(BIO_s_mem()), &BIO_free_all}; }

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Bio From(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all};
}

Certificate Blank(EVP_PKEY* key, const std::string& name, const LeafOptions& options) {
  static long serial = 0;
  Certificate made(X509_new(), &X509_free);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), options.not_before_seconds);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), options.not_after_seconds);
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return made;
}

void Extend(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  X509_add_ext(certificate, made, -1);
  X509_EXTENSION_free(made);
}

Identity Pems(X509* certificate, EVP_PKEY* key) {
  const Bio first = Memory();
  const Bio second = Memory();
  PEM_write_bio_X509(first.get(), certificate);
  PEM_write_bio_PrivateKey(second.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {Text(first.get()), Text(second.get())};
}

std::string AlternativeNames(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    unsigned char address[16];
    const bool literal = inet_pton(AF_INET, name.c_str(), address) == 1 ||
                         inet_pton(AF_INET6, name.c_str(), address) == 1;
    if (!text.empty()) text += ",";
    text.append(literal ? "IP:" : "DNS:").append(name);
  }
  return text;
}

}  // namespace

std::string SerialOf(const Identity& identity) {
  const Certificate read(
      PEM_read_bio_X509(From(identity.certificate_pem).get(), nullptr, nullptr, nullptr),
      &X509_free);
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(read.get()), nullptr);
  char* text = BN_bn2hex(number);
  std::string serial = text;
  OPENSSL_free(text);
  BN_free(number);
  return serial;
}

TestCa::TestCa(const std::string& name) {
  const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const Certificate made = Blank(key.get(), name, {});
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  Extend(made.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(made.get(), key.get(), EVP_sha256());
  identity_ = Pems(made.get(), key.get());
}

Identity TestCa::Issue(const LeafOptions& options) const {
  const Certificate issuer(
      PEM_read_bio_X509(From(identity_.certificate_pem).get(), nullptr, nullptr, nullptr),
      &X509_free);
  const Key issuer_key(
      PEM_read_bio_PrivateKey(From(identity_.key_pem).get(), nullptr, nullptr, nullptr),
      &EVP_PKEY_free);
  const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const Certificate made = Blank(key.get(), "leaf", options);
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get()));
  if (!options.names.empty()) {
    Extend(made.get(), NID_subject_alt_name, AlternativeNames(options.names));
  }
  X509_sign(made.get(), issuer_key.get(), EVP_sha256());
  return Pems(made.get(), key.get());
}

}  // namespace jobrun::testing
