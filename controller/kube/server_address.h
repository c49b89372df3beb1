// Where the API server is: the URL of a kubeconfig, taken apart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace jobrun {

struct HostAndPort {
  std::string host{};  // without brackets
  bool ipv6{false};    // `host` is an IPv6 literal
  std::uint16_t port{0};

  // As it is dialled and sent in `Host`: "127.0.0.1:6443", "[::1]:6443".
  [[nodiscard]] std::string Authority() const;
};

// "host", "host:1", "[::1]", "[::1]:1"; `default_port` where none is given. Only the detail of an
// error is filled in.
[[nodiscard]] Result<HostAndPort> ParseHostAndPort(std::string_view text,
                                                   std::uint16_t default_port);

struct ServerAddress : HostAndPort {
  bool tls{true};
  std::string base_path{};  // what every target is put behind: "" or "/k8s/clusters/c-1", no slash
                            // at the end

  // "https://127.0.0.1:6443/k8s/clusters/c-1".
  [[nodiscard]] std::string Url() const;
};

// kInvalid for anything but http:// or https:// with a host, a usable port and no user, query or
// fragment.
[[nodiscard]] Result<ServerAddress> ParseServerUrl(const std::string& url);

}  // namespace jobrun
