// Asking a proxy for a way to the API server: CONNECT of HTTP/1.1, or SOCKS5 (RFC 1928, 1929). No
// socket: bytes in, bytes out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/kube/credentials.h"
#include "controller/kube/http_reply.h"
#include "controller/kube/proxy.h"
#include "controller/kube/server_address.h"

namespace jobrun {

// For one connection. Both addresses must outlive it.
class ProxyTunnel {
 public:
  ProxyTunnel(const ProxyAddress& proxy, const ServerAddress& server);

  // What the proxy is sent first.
  [[nodiscard]] std::string Begin();

  enum class State : std::uint8_t { kMore, kSend, kOpen, kRefused };
  struct Step {
    State state{State::kMore};
    std::string text{};  // kSend: what to send; kRefused: why, in words
  };
  // What the proxy sent. After kOpen the connection is the server's.
  [[nodiscard]] Step Take(std::string_view bytes);
  // The proxy hung up.
  [[nodiscard]] Step End();

 private:
  enum class Stage : std::uint8_t { kMethod, kPassword, kAddress };

  [[nodiscard]] Step Answered(HttpReply::State state);
  [[nodiscard]] Step TakeSocks(std::string_view bytes);
  [[nodiscard]] Step MethodChosen();
  [[nodiscard]] Step PasswordJudged();
  [[nodiscard]] Step AddressReached();
  [[nodiscard]] Step AskForAddress();

  const ProxyAddress& proxy_;
  const ServerAddress& server_;
  HttpReply reply_;
  std::string socks_{};  // of a reply that is not whole yet
  Stage stage_{Stage::kMethod};
};

// Words for a 407 to a request that a proxy carries without a tunnel; empty when it is none of its.
[[nodiscard]] std::string RefusalOfProxy(const Credentials& credentials);

}  // namespace jobrun
