#include "controller/kube/proxy_tunnel.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

namespace jobrun {
namespace {

// A refusal's page; nothing of it is shown.
constexpr std::size_t kPageBytesMax = std::size_t{64} * 1024;

// Numbers of RFC 1928 and 1929.
constexpr char kVersion = 5;
constexpr char kPasswordVersion = 1;
constexpr unsigned char kNoPassword = 0;
constexpr unsigned char kPassword = 2;
constexpr char kConnect = 1;
constexpr unsigned char kIpv4 = 1;
constexpr unsigned char kName = 3;
constexpr unsigned char kIpv6 = 4;
constexpr std::size_t kNameMax = 255;

unsigned char At(const std::string& bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

void AppendCounted(std::string& into, const std::string& text) {
  into += static_cast<char>(text.size());
  into += text;
}

// The address with its type, as a request holds it.
std::string SocksAddress(const ServerAddress& server) {
  std::array<char, 16> bytes{};
  std::string text;
  if (inet_pton(AF_INET, server.host.c_str(), bytes.data()) == 1) {
    return text.append(1, kIpv4).append(bytes.data(), 4);
  }
  if (inet_pton(AF_INET6, server.host.c_str(), bytes.data()) == 1) {
    return text.append(1, kIpv6).append(bytes.data(), 16);
  }
  text.append(1, kName);
  AppendCounted(text, server.host);
  return text;
}

// How long a reply to a request is: as its address's type says. 0: there is no such type.
std::size_t ReplyBytes(const std::string& reply) {
  constexpr std::size_t kAround = 6;  // four bytes before the address, the port behind it
  switch (At(reply, 3)) {
    case kIpv4:
      return kAround + 4;
    case kIpv6:
      return kAround + 16;
    case kName:
      return kAround + 1 + At(reply, 4);
    default:
      return 0;
  }
}

const char* SocksRefusal(unsigned char code) {
  switch (code) {
    case 2:
      return "its rules do not allow it";
    case 3:
      return "the network is unreachable";
    case 4:
      return "the host is unreachable, or its name unknown";
    case 5:
      return "the connection was refused";
    case 6:
      return "it took too long";
    default:
      return "it gives no reason";
  }
}

ProxyTunnel::Step Refused(std::string why) {
  return {ProxyTunnel::State::kRefused, std::move(why)};
}

ProxyTunnel::Step NotSocks() {
  return Refused("the proxy does not speak SOCKS5; is it an HTTP proxy, http://?");
}

std::string AskForUser(const ProxyAddress& proxy) {
  if (proxy.has_user) return "the proxy refuses the user and password in " + proxy.source;
  return "the proxy asks for a user and a password: put them into " + proxy.source +
         " before the host, as in //user:password@" + proxy.Authority();
}

std::string TunnelRefusal(int status, const ProxyAddress& proxy, const ServerAddress& server) {
  const std::string code = " (HTTP " + std::to_string(status) + ")";
  const std::string source = "; it is named by " + proxy.source;
  if (status == 407) return AskForUser(proxy) + code;
  if (status >= 500) {
    return "the proxy can't reach " + server.Authority() + code + source;
  }
  return "the proxy does not let us through to " + server.Authority() + code + source;
}

}  // namespace

std::string RefusalOfProxy(const Credentials& credentials) {
  if (!credentials.proxy || credentials.proxy->Tunnels(credentials.server)) return {};
  return credentials.Peer() + ": " + AskForUser(*credentials.proxy) + " (HTTP 407)";
}

ProxyTunnel::ProxyTunnel(const ProxyAddress& proxy, const ServerAddress& server)
    : proxy_(proxy), server_(server), reply_(kPageBytesMax) {}

std::string ProxyTunnel::Begin() {
  if (proxy_.kind == ProxyAddress::Kind::kSocks5) {
    if (proxy_.user.empty()) return {kVersion, 1, kNoPassword};
    return {kVersion, 2, kNoPassword, kPassword};
  }
  reply_.Reset(/*stop_at_head=*/true);
  const std::string authority = server_.Authority();
  const std::string proxy_authorization = proxy_.Authorization();
  return FormatRequest({.method = "CONNECT",
                        .target = authority,
                        .authority = authority,
                        .user_agent = "jobrun/" JOBRUN_VERSION,
                        .authorization = {},
                        .content_type = {},
                        .proxy_authorization = proxy_authorization},
                       "");
}

ProxyTunnel::Step ProxyTunnel::Take(std::string_view bytes) {
  if (proxy_.kind == ProxyAddress::Kind::kSocks5) return TakeSocks(bytes);
  std::memcpy(reply_.Prepare(bytes.size()), bytes.data(), bytes.size());
  return Answered(reply_.Commit(bytes.size()));
}

ProxyTunnel::Step ProxyTunnel::End() { return Refused("the proxy hung up without an answer"); }

ProxyTunnel::Step ProxyTunnel::Answered(HttpReply::State state) {
  if (state == HttpReply::State::kMore) return {};
  if (state == HttpReply::State::kBad) {
    return Refused("the proxy's answer to CONNECT can't be read: " + reply_.error());
  }
  // Whatever length a success claims: behind its head the tunnel begins.
  if (reply_.status() / 100 != 2) {
    return Refused(TunnelRefusal(reply_.status(), proxy_, server_));
  }
  if (!reply_.Rest().empty()) return Refused("the proxy sent something before it was asked");
  return {State::kOpen, {}};
}

ProxyTunnel::Step ProxyTunnel::TakeSocks(std::string_view bytes) {
  socks_ += bytes;
  // The first two bytes tell whether it is SOCKS5 at all; an HTTP proxy sends a page.
  if (socks_.size() < 2) return {};
  switch (stage_) {
    case Stage::kMethod:
      return MethodChosen();
    case Stage::kPassword:
      return PasswordJudged();
    case Stage::kAddress:
      return AddressReached();
  }
  return {};
}

ProxyTunnel::Step ProxyTunnel::MethodChosen() {
  if (socks_[0] != kVersion) return NotSocks();
  const unsigned char method = At(socks_, 1);
  if (method == kNoPassword) return AskForAddress();
  if (method != kPassword || proxy_.user.empty()) return Refused(AskForUser(proxy_));
  stage_ = Stage::kPassword;
  socks_.clear();
  std::string message(1, kPasswordVersion);
  AppendCounted(message, proxy_.user);
  AppendCounted(message, proxy_.password);
  return {State::kSend, std::move(message)};
}

ProxyTunnel::Step ProxyTunnel::PasswordJudged() {
  if (At(socks_, 1) != 0) return Refused(AskForUser(proxy_));
  return AskForAddress();
}

ProxyTunnel::Step ProxyTunnel::AskForAddress() {
  if (server_.host.size() > kNameMax) {
    return Refused("the server's name is longer than SOCKS5 has room for");
  }
  stage_ = Stage::kAddress;
  socks_.clear();
  std::string message{kVersion, kConnect, 0};
  message += SocksAddress(server_);
  message += static_cast<char>(server_.port >> 8U);
  message += static_cast<char>(server_.port & 0xffU);
  return {State::kSend, std::move(message)};
}

ProxyTunnel::Step ProxyTunnel::AddressReached() {
  if (socks_[0] != kVersion) return NotSocks();
  if (const unsigned char code = At(socks_, 1); code != 0) {
    return Refused("the proxy can't reach " + server_.Authority() + ": " + SocksRefusal(code) +
                   "; it is named by " + proxy_.source);
  }
  constexpr std::size_t kUpToLength = 5;
  if (socks_.size() < kUpToLength) return {};
  const std::size_t whole = ReplyBytes(socks_);
  if (whole == 0 || socks_.size() > whole) return NotSocks();
  return socks_.size() < whole ? Step{} : Step{State::kOpen, {}};
}

}  // namespace jobrun
