// One client's TLS connection: bytes of requests in, bytes of answers out, nothing that waits.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace jobrun::bench {

// A request of HTTP/1.1 as our client writes them: a head, and a body of known length.
struct HttpRequest {
  std::string method{};
  std::string path{};  // without the query
  std::string query{};
  std::string body{};
  // The value of a query parameter, not decoded; empty without it.
  [[nodiscard]] std::string_view Parameter(std::string_view name) const;
};

class Connection {
 public:
  // Takes the descriptor over.
  Connection(int fd, SSL_CTX* context);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] int Descriptor() const { return fd_; }

  // Reads what there is, handshake included. False when the connection is over.
  [[nodiscard]] bool Read();
  // The next whole request, or nothing yet.
  [[nodiscard]] std::optional<HttpRequest> NextRequest();

  // Encrypts `text` in records of its own, as a server does that flushes after it. Nothing is sent
  // before Flush.
  void Write(std::string_view text);
  // Hands to the kernel what it takes. False when the connection is over.
  [[nodiscard]] bool Flush();
  // Encrypted bytes that the kernel has not taken yet.
  [[nodiscard]] std::size_t Pending() const { return out_.size() - sent_; }
  [[nodiscard]] std::uint64_t BytesSent() const { return bytes_sent_; }

 private:
  friend struct ConnectionBio;
  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  int fd_;
  std::unique_ptr<SSL, SslFree> ssl_;
  std::string in_{};   // decrypted
  std::string out_{};  // encrypted
  std::size_t sent_{0};
  std::uint64_t bytes_sent_{0};
  bool failed_{false};
};

// The server's side of TLS, with the records and the cipher of a kube-apiserver.
struct SslContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextFree>;
// PEM texts; null when OpenSSL refuses them.
[[nodiscard]] SslContext MakeServerContext(const std::string& certificate, const std::string& key);

}  // namespace jobrun::bench
