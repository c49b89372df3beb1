// TLS as a client of the API server: what is trusted, who we are, and words for what goes wrong.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "controller/base/result.h"

namespace jobrun {

using TlsContext = std::shared_ptr<SSL_CTX>;

// Contents, not files: read as one, so that a context never mixes two rotations.
struct TlsMaterial {
  std::string
      ca_pem{};  // one certificate or more; the only ones trusted. Empty: the system's roots
  std::string certificate_pem{};  // the client's, leaf first; empty: none
  std::string key_pem{};
  bool operator==(const TlsMaterial&) const = default;
};

struct TlsPeer {
  std::string
      name{};  // a DNS name or an address, IPv6 without brackets: what its certificate must be for
  bool skip_verify{false};
};

// Why the last certificates were refused, in words: OpenSSL's own error says only "certificate
// verify failed". Any thread.
class TlsRefusals {
 public:
  void Note(std::string text);
  // The last one noted, once; empty when there is none.
  [[nodiscard]] std::string Take();

 private:
  std::mutex mutex_;
  std::string last_;
};

// Makes a fresh context (of our own or of a library) a client's for this one peer: TLS 1.2 or
// later, verification of chain and name (never of the subject's CN, as Go does), trust in
// `material.ca_pem` alone, ALPN http/1.1, refusals noted. Any CA of the bundle is an anchor, also
// an intermediate one, as in Go. kInvalid says what is wrong with the material.
// `refusals` must outlive the context and every connection made with it.
[[nodiscard]] Outcome ConfigureTls(SSL_CTX* context, const TlsMaterial& material,
                                   const TlsPeer& peer, TlsRefusals& refusals);
[[nodiscard]] Result<TlsContext> MakeTlsContext(const TlsMaterial& material, const TlsPeer& peer,
                                                TlsRefusals& refusals);

// Empties OpenSSL's error queue of this thread and puts the cause into words for a log line; says
// so when the server refused our certificate, or is not a TLS server at all. `fallback` when the
// queue is empty.
[[nodiscard]] std::string TakeTlsError(const std::string& fallback);

// How long the first certificate of `pem` is still valid, by the machine's wall clock; negative
// when it is over, nothing when there is none.
[[nodiscard]] std::optional<std::chrono::seconds> CertificateLifeLeft(const std::string& pem);

// An IPv4 or IPv6 literal: checked as an address, and never sent as SNI.
[[nodiscard]] bool IsAddressLiteral(const std::string& name);

}  // namespace jobrun
