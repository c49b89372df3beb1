// The certificate that our own server shows: from files that may be replaced while it runs, or one
// that it signed itself.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "controller/base/log.h"
#include "controller/base/result.h"

namespace jobrun {

// Both empty: a certificate of our own, for clients that don't look at it, as controller-runtime
// makes one.
struct CertificateFiles {
  std::string certificate{};  // PEM, leaf first
  std::string key{};          // PEM
};

// Changes with every new content, also when a mounted Secret is swapped: that makes other files.
// All 0 without a file.
struct FileStamp {
  std::uint64_t number{0};
  std::int64_t size{0};
  std::int64_t seconds{0};
  std::int64_t nanoseconds{0};
  bool operator==(const FileStamp&) const = default;
};

class ServerTls {
 public:
  // kInvalid names the file and says what is wrong with it. `log` must outlive this.
  [[nodiscard]] static Result<std::unique_ptr<ServerTls>> Load(CertificateFiles files,
                                                               LogSink& log);

  // For a new connection: TLS 1.2 or later, with the certificate of the files as they are
  // now. While they hold a mistake the one before it is shown; that is said once. One thread.
  [[nodiscard]] std::shared_ptr<SSL_CTX> Context();

 private:
  ServerTls(CertificateFiles files, LogSink& log) : files_(std::move(files)), log_(log) {}

  struct Stamps {
    FileStamp certificate{};
    FileStamp key{};
    bool operator==(const Stamps&) const = default;
  };
  struct Pair {  // their contents
    std::string certificate{};
    std::string key{};
    bool operator==(const Pair&) const = default;
  };
  [[nodiscard]] Result<Pair> Read() const;
  [[nodiscard]] Result<std::shared_ptr<SSL_CTX>> Make(const Pair& pair) const;
  void LookAgain();

  CertificateFiles files_;
  LogSink& log_;
  Stamps stamps_{};  // of the files when they were last read
  Pair seen_{};      // what they had then, good or bad
  std::string complaint_{};
  std::shared_ptr<SSL_CTX> context_{};
};

}  // namespace jobrun
