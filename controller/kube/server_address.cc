#include "controller/kube/server_address.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace jobrun {
namespace {

Error BadUrl(const std::string& url, const std::string& detail) {
  return {Code::kInvalid, "read the server URL \"" + url + "\"",
          detail + "; expected something like https://10.0.0.1:6443"};
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool IsIpv6Character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

// What may stand in a request line; '?' and '#' would end the path.
bool IsPathCharacter(char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '"'; }

// Takes "host", "[v6]" off the front of `rest`; false when there is neither.
bool TakeHost(std::string_view& rest, HostAndPort& address) {
  if (!rest.starts_with('[')) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    address.host = rest.substr(0, end);
    rest.remove_prefix(end);
    return !address.host.empty() && std::ranges::all_of(address.host, IsHostCharacter);
  }
  const std::size_t end = rest.find(']');
  if (end == std::string_view::npos) return false;
  address.ipv6 = true;
  address.host = rest.substr(1, end - 1);
  rest.remove_prefix(end + 1);
  return address.host.find(':') != std::string::npos &&
         std::ranges::all_of(address.host, IsIpv6Character);
}

bool TakePort(std::string_view rest, std::uint16_t& port) {
  if (rest.empty()) return true;
  if (!rest.starts_with(':')) return false;
  rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  return error == std::errc{} && end == rest.data() + rest.size() && port != 0;
}

}  // namespace

std::string HostAndPort::Authority() const {
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<HostAndPort> ParseHostAndPort(std::string_view text, std::uint16_t default_port) {
  HostAndPort address{.port = default_port};
  if (!TakeHost(text, address)) {
    return Error{Code::kInvalid, "", "the host is missing or malformed"};
  }
  if (!TakePort(text, address.port)) {
    return Error{Code::kInvalid, "", "the port must be 1 to 65535"};
  }
  return address;
}

std::string ServerAddress::Url() const {
  return (tls ? "https://" : "http://") + Authority() + base_path;
}

Result<ServerAddress> ParseServerUrl(const std::string& url) {
  constexpr std::string_view kHttps = "https://";
  constexpr std::string_view kHttp = "http://";
  std::string_view rest = url;
  const bool tls = rest.starts_with(kHttps);
  if (!tls && !rest.starts_with(kHttp)) return BadUrl(url, "it does not start with https://");
  rest.remove_prefix(tls ? kHttps.size() : kHttp.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view path = rest.substr(slash);
  rest = rest.substr(0, slash);
  if (rest.find('@') != std::string_view::npos) return BadUrl(url, "user names are not supported");
  Result<HostAndPort> host = ParseHostAndPort(rest, tls ? 443 : 80);
  if (!host.ok()) return BadUrl(url, host.error().detail);
  if (!std::ranges::all_of(path, IsPathCharacter)) {
    return BadUrl(url, "the path may hold no query and no fragment");
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  ServerAddress address;
  static_cast<HostAndPort&>(address) = std::move(host).value();
  address.tls = tls;
  address.base_path = path;
  return address;
}

}  // namespace jobrun
