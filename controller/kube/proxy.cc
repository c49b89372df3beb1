#include "controller/kube/proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "controller/kube/base64.h"

namespace jobrun {
namespace {

// Longest of a user, a password and a host name that SOCKS5 has room for.
constexpr std::size_t kSocksTextMax = 255;

// IPv4 addresses in their IPv6 form, so that both are compared alike, as in Go.
using AddressBytes = std::array<unsigned char, 16>;
constexpr int kMappedBits = 96;

std::optional<AddressBytes> ParseAddress(const std::string& text) {
  AddressBytes bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes = {};
  bytes[10] = bytes[11] = 0xff;
  if (inet_pton(AF_INET, text.c_str(), bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

bool SameBits(const AddressBytes& a, const AddressBytes& b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> static_cast<unsigned>(8 - rest) == 0;
}

bool IsIpv4(const AddressBytes& address) {
  AddressBytes mapped{};
  mapped[10] = mapped[11] = 0xff;
  return SameBits(address, mapped, kMappedBits);
}

bool IsLoopback(const AddressBytes& address) {
  if (IsIpv4(address)) return address[12] == 127;
  AddressBytes one{};
  one[15] = 1;
  return address == one;
}

// Whether `entry` is a CIDR; in `holds` whether it holds `address`.
bool MatchCidr(const std::string& entry, const std::optional<AddressBytes>& address, bool& holds) {
  const std::size_t slash = entry.find('/');
  if (slash == std::string::npos) return false;
  const auto network = ParseAddress(entry.substr(0, slash));
  int bits = -1;
  const char* const end = entry.data() + entry.size();
  const auto [stop, bad] = std::from_chars(entry.data() + slash + 1, end, bits);
  if (!network || bad != std::errc{} || stop != end || bits < 0) return false;
  if (entry.find(':') > slash) bits += kMappedBits;
  if (bits > 128) return false;
  holds = address && IsIpv4(*address) == IsIpv4(*network) && SameBits(*address, *network, bits);
  return true;
}

// Takes ":port" off the end of `entry`, and the brackets of an address; empty: there is none.
std::string TakePort(std::string& entry) {
  const std::size_t colon = entry.rfind(':');
  std::string port;
  const bool alone = colon != std::string::npos && entry.find(':') == colon;
  if (alone || (entry.starts_with('[') && colon != std::string::npos && entry[colon - 1] == ']')) {
    port = entry.substr(colon + 1);
    entry.resize(colon);
  }
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  return port;
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// An entry of NO_PROXY in lower case.
bool Matches(std::string entry, const HostAndPort& server, const std::string& host) {
  const auto address = ParseAddress(host);
  bool holds = false;
  if (MatchCidr(entry, address, holds)) return holds;
  const std::string port = TakePort(entry);
  if (entry.empty() || (!port.empty() && port != std::to_string(server.port))) return false;
  if (const auto wanted = ParseAddress(entry)) return wanted == address;
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.starts_with('.')) return host.ends_with(entry);
  return host == entry || host.ends_with("." + entry);
}

std::string Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// The URL without what may be secret in it.
std::string Redacted(const std::string& url) {
  const std::size_t at = url.rfind('@');
  if (at == std::string::npos) return url;
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos || scheme > at ? 0 : scheme + 3;
  return url.substr(0, begin) + "…" + url.substr(at);
}

// Resolves %XX. Nothing for a broken one, and for what would break a header or a line.
std::optional<std::string> Unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const auto [end, bad] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
      if (bad != std::errc{} || end != text.data() + i + 3) return std::nullopt;
      i += 2;
    }
    if (byte < ' ' || byte == 0x7f) return std::nullopt;
    plain += static_cast<char>(byte);
  }
  return plain;
}

bool TakeUser(std::string_view& rest, ProxyAddress& proxy) {
  const std::size_t at = rest.rfind('@');
  if (at == std::string_view::npos) return true;
  const std::string_view info = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  const std::size_t colon = std::min(info.find(':'), info.size());
  const auto user = Unescaped(info.substr(0, colon));
  const auto password = Unescaped(colon < info.size() ? info.substr(colon + 1) : "");
  if (!user || !password) return false;
  proxy.has_user = true;
  proxy.user = *user;
  proxy.password = *password;
  return true;
}

// What is wrong with it; null: nothing.
const char* TakeScheme(std::string_view& rest, ProxyAddress& proxy) {
  const std::size_t end = rest.find("://");
  const std::string scheme = Lower(std::string(rest.substr(0, std::min(end, rest.size()))));
  if (end == std::string_view::npos) return "it does not start with http://";
  rest.remove_prefix(end + 3);
  if (scheme == "https") return "TLS to the proxy itself (https://) is not supported";
  proxy.kind = scheme == "http" ? ProxyAddress::Kind::kHttp : ProxyAddress::Kind::kSocks5;
  if (scheme == "http" || scheme == "socks5" || scheme == "socks5h") return nullptr;
  return "it starts with neither http:// nor socks5://";
}

}  // namespace

std::string ProxyAddress::Url() const {
  return (kind == Kind::kHttp ? "http://" : "socks5://") + Authority();
}

std::string ProxyAddress::Authorization() const {
  return has_user ? "Basic " + EncodeBase64(user + ":" + password) : std::string();
}

bool ProxyAddress::Tunnels(const ServerAddress& server) const {
  return server.tls || kind == Kind::kSocks5;
}

Result<ProxyAddress> ParseProxyUrl(const std::string& url, const std::string& source) {
  const auto bad = [&](const std::string& detail) {
    return Error{Code::kInvalid, "read the proxy \"" + Redacted(url) + "\" of " + source,
                 detail +
                     "; expected http://proxy:3128, http://user:password@proxy:3128 or "
                     "socks5://proxy:1080"};
  };
  ProxyAddress proxy;
  proxy.given_url = url;
  proxy.source = source;
  std::string_view rest = url;
  if (const char* const wrong = TakeScheme(rest, proxy)) return bad(wrong);
  const bool http = proxy.kind == ProxyAddress::Kind::kHttp;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (!TakeUser(rest, proxy)) return bad("a % in the user or the password must begin a %XX");
  Result<HostAndPort> host = ParseHostAndPort(rest, http ? 80 : 1080);
  if (!host.ok()) return bad(host.error().detail);
  static_cast<HostAndPort&>(proxy) = std::move(host).value();
  if (!http && std::max(proxy.user.size(), proxy.password.size()) > kSocksTextMax) {
    return bad("the user or the password is longer than SOCKS5 has room for");
  }
  return proxy;
}

Result<std::optional<ProxyAddress>> ProxyFromEnvironment(const Environment& environment,
                                                         const ServerAddress& server) {
  const auto either = [&](const char* upper, const char* lower) {
    std::string value = environment(upper).value_or("");
    const char* const name = value.empty() ? lower : upper;
    if (value.empty()) value = environment(lower).value_or("");
    return std::pair(Trimmed(value), "$" + std::string(name));
  };
  auto [url, source] =
      server.tls ? either("HTTPS_PROXY", "https_proxy") : either("HTTP_PROXY", "http_proxy");
  if (url.empty()) return std::optional<ProxyAddress>();
  if (GoesPastProxy(server, either("NO_PROXY", "no_proxy").first)) {
    return std::optional<ProxyAddress>();
  }
  if (url.find("://") == std::string::npos) url.insert(0, "http://");
  Result<ProxyAddress> proxy = ParseProxyUrl(url, source);
  if (!proxy.ok()) return proxy.error();
  return std::optional(std::move(proxy).value());
}

bool GoesPastProxy(const HostAndPort& server, const std::string& no_proxy) {
  const std::string host = Lower(server.host);
  const auto address = ParseAddress(host);
  if (host == "localhost" || (address && IsLoopback(*address))) return true;
  std::string_view rest = no_proxy;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string entry = Lower(Trimmed(rest.substr(0, comma)));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (entry == "*" || (!entry.empty() && Matches(entry, server, host))) return true;
  }
  return false;
}

}  // namespace jobrun
