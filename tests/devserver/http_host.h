// Serves an ApiModel over HTTP/1.1 with keep-alive, chunked watches, TLS and authentication. One
// thread does everything; the model is only touched by it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "controller/base/result.h"
#include "controller/base/time.h"
#include "tests/api_model/api_model.h"
#include "tests/devserver/pki.h"

namespace jobrun {

// Limits of one connection. The body limit is the real server's.
inline constexpr std::size_t kHeaderBytesMax = 64 * 1024;
inline constexpr std::size_t kBodyBytesMax = 3 * 1024 * 1024;
// Up to here a body that is too large is still read, so that its sender gets to read the refusal.
inline constexpr std::size_t kBodyBytesRead = 8 * 1024 * 1024;
inline constexpr std::size_t kConnectionsMax = 10'000;

struct HttpHostOptions {
  std::string host{"127.0.0.1"};  // an IP address
  std::uint16_t port = 0;         // 0: any free one
  const Pki* pki = nullptr;       // null: plain HTTP, and everybody is let in
  std::string token{};            // what clients without a certificate must send as bearer token
  std::function<ServerTime()> clock{};
};

class HttpHost {
 public:
  // Listens before it returns. `model` must outlive the host.
  static Result<std::unique_ptr<HttpHost>> Listen(api_model::ApiModel& model,
                                                  HttpHostOptions options);
  ~HttpHost();
  HttpHost(const HttpHost&) = delete;
  HttpHost& operator=(const HttpHost&) = delete;

  // "127.0.0.1:6443" or "[::1]:6443".
  [[nodiscard]] std::string Address() const;
  // Serves until Stop, SIGTERM or SIGINT.
  void Run();
  // From any thread.
  void Stop();

 private:
  class Impl;
  explicit HttpHost(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobrun
