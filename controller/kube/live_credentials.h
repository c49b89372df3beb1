// Credentials that are rotated while the process runs: what the clients of this folder share.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "controller/base/log.h"
#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/kube/credentials.h"
#include "controller/kube/plugin_renewal.h"
#include "controller/kube/tls.h"

namespace jobrun {

// How old what was read of the files may get. Projected tokens are renewed at 80 % of their life;
// the Kubernetes documentation asks clients to read them again at least once a minute.
inline constexpr Nanos kCredentialsReread = std::chrono::seconds(30);

// Any thread; must outlive the contexts it made or configured, and their connections. What can't be
// read again (a file that is missing, empty or half written in the middle of a swap) leaves the
// last good in use, with one warning until it can be. With a credential plugin there is a thread
// that asks it again (plugin_renewal.h); it ends with the LiveCredentials.
class LiveCredentials {
 public:
  // kInvalid, kNotFound: a file named by the credentials is not usable now, at start. Runs their
  // plugin, if they have one, and waits for it: at most RenewalTimes::run_max_asking. `log` may be
  // null; it must outlive this.
  static Result<std::shared_ptr<LiveCredentials>> Make(Credentials credentials, LogSink* log,
                                                       RenewalTimes times = {});

  // Where and what; never changes.
  [[nodiscard]] const Credentials& fixed() const { return credentials_; }

  // The value of `Authorization`; empty without a token. Rereads all files when what it has is
  // older than kCredentialsReread.
  [[nodiscard]] std::string Authorization(Mono now);

  // After a 401 to a request that carried `authorization`: rereads at once (at most once a second).
  // True when there is another token or certificate now, so that the request is worth sending
  // again. Else a plugin is asked again, which is not waited for: a later request carries what it
  // gives.
  [[nodiscard]] bool RereadAfterRefusal(Mono now, const std::string& authorization);

  // Counts changes of the TLS material; a connection made under another number is not used again.
  [[nodiscard]] std::uint64_t tls_generation();

  // A context for a new connection, of the files as they are now.
  struct Tls {
    TlsContext context;
    std::uint64_t generation{0};
  };
  [[nodiscard]] Tls ForNewConnection();
  // The same into a context of a library's own.
  void Configure(SSL_CTX* context);

  // Words for a failed handshake: why the server's certificate was refused, else OpenSSL's error.
  [[nodiscard]] std::string TakeHandshakeError(const std::string& fallback);
  // Words for a 401: whose credentials, and what to do.
  [[nodiscard]] std::string RefusalText() const;

 private:
  // What tells a file's versions apart without reading it.
  struct Signature {
    std::int64_t modified_ns{0};
    std::uint64_t inode{0};
    std::int64_t size{-1};
    bool operator==(const Signature&) const = default;
  };
  using Signatures = std::array<Signature, 3>;

  LiveCredentials(Credentials credentials, LogSink* log);

  [[nodiscard]] Outcome ReadToken();
  [[nodiscard]] Signatures SignFiles() const;
  [[nodiscard]] Result<TlsMaterial> ReadMaterial() const;
  [[nodiscard]] Outcome ReadTls();
  void Reread(Mono now);  // with the lock held, like those below
  void TakeFromPlugin();
  void RereadTls();
  [[nodiscard]] std::string AuthorizationHeld() const;
  void Warn(bool& warned, const Outcome& outcome);

  const Credentials credentials_;
  const TlsPeer peer_;
  LogSink* const log_;
  TlsRefusals refusals_;

  std::mutex mutex_;
  std::string token_;
  Mono read_at_{Mono::min()};
  Mono refused_at_{Mono::min()};
  Signatures signatures_{};
  TlsMaterial material_{};
  TlsContext context_{};
  std::uint64_t generation_{0};
  bool token_warned_{false};
  bool tls_warned_{false};
  std::shared_ptr<const ExecCredential> taken_{};        // of the plugin; null without one
  std::shared_ptr<const ExecCredential> material_of_{};  // what context_ was made of
  std::unique_ptr<PluginRenewal> plugin_{};  // the last member: its thread ends before the rest
};

}  // namespace jobrun
