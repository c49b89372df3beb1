// Proxies on the way to the API server, as a kubeconfig or the environment names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controller/base/result.h"
#include "controller/kube/environment.h"
#include "controller/kube/server_address.h"

namespace jobrun {

struct ProxyAddress : HostAndPort {
  enum class Kind : std::uint8_t { kHttp, kSocks5 };
  Kind kind{Kind::kHttp};
  bool has_user{false};
  std::string user{};  // decoded, like the password
  std::string password{};
  std::string given_url{};  // as it was given, with the password
  std::string source{};     // for people: "$HTTPS_PROXY", "proxy-url of cluster \"prod\""

  // "http://proxy:3128", without user and password.
  [[nodiscard]] std::string Url() const;
  // The value of `Proxy-Authorization`; empty without a user.
  [[nodiscard]] std::string Authorization() const;
  // A request to this server goes through a tunnel; else, over plain HTTP, to the proxy itself.
  [[nodiscard]] bool Tunnels(const ServerAddress& server) const;
};

// http://[user:password@]host[:80] or socks5://[user:password@]host[:1080]; the user and the
// password may hold %XX. SOCKS5 proxies look names up themselves, also those called socks5://, as
// in Go. kInvalid for the rest, https:// among it; errors hold no password.
[[nodiscard]] Result<ProxyAddress> ParseProxyUrl(const std::string& url, const std::string& source);

// What HTTPS_PROXY (HTTP_PROXY for a server without TLS) and NO_PROXY say, in upper or else lower
// case, by the rules of Go's golang.org/x/net/http/httpproxy; where no scheme is given it is
// http://. Unlike there a value that can't be used is kInvalid: going directly would be a surprise.
[[nodiscard]] Result<std::optional<ProxyAddress>> ProxyFromEnvironment(
    const Environment& environment, const ServerAddress& server);

// The list's rule: entries are split by commas; "*" is everything; an address, with or without a
// port; a CIDR; a name, which stands for its subdomains too (".name" and "*.name": for those only),
// with or without a port. "localhost" and loopback addresses are never proxied.
[[nodiscard]] bool GoesPastProxy(const HostAndPort& server, const std::string& no_proxy);

}  // namespace jobrun
