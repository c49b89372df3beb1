#include "controller/kube/proxy_tunnel.h"

#include <gtest/gtest.h>

#include <string>

namespace jobrun {
namespace {

using State = ProxyTunnel::State;
using namespace std::string_literals;

class ProxyTunnelTest : public ::testing::Test {
 protected:
  explicit ProxyTunnelTest(const std::string& proxy = "http://proxy:3128")
      : proxy_(ParseProxyUrl(proxy, "$HTTPS_PROXY").value()) {}

  // Feeds all of it, in pieces; what the last step said.
  static ProxyTunnel::Step Feed(ProxyTunnel& tunnel, const std::string& bytes,
                                std::size_t piece = 1 << 20) {
    ProxyTunnel::Step step;
    for (std::size_t at = 0; at < bytes.size() && step.state == State::kMore; at += piece) {
      step = tunnel.Take(std::string_view(bytes).substr(at, piece));
    }
    return step;
  }
  ProxyTunnel::Step Answer(const std::string& bytes) {
    ProxyTunnel tunnel(proxy_, server_);
    (void)tunnel.Begin();
    return Feed(tunnel, bytes);
  }

  ProxyAddress proxy_;
  ServerAddress server_ = ParseServerUrl("https://api.example.org:6443/base").value();
};

TEST_F(ProxyTunnelTest, ConnectNamesTheServerOnly) {
  ProxyTunnel tunnel(proxy_, server_);
  const std::string sent = tunnel.Begin();
  EXPECT_EQ(sent.find("CONNECT api.example.org:6443 HTTP/1.1\r\nHost: api.example.org:6443\r\n"),
            0U);
  EXPECT_EQ(sent.find("Authorization"), std::string::npos);
  EXPECT_TRUE(sent.ends_with("\r\n\r\n"));
  server_ = ParseServerUrl("https://[fd00::1]").value();
  EXPECT_EQ(ProxyTunnel(proxy_, server_).Begin().find("CONNECT [fd00::1]:443 HTTP/1.1\r\n"), 0U);
}

TEST_F(ProxyTunnelTest, OpensWhateverTheCutsAndWhateverLengthIsClaimed) {
  for (const char* answer :
       {"HTTP/1.1 200 Connection established\r\n\r\n", "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 OK\r\n\r\n"}) {
    const std::string text = answer;
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      ProxyTunnel tunnel(proxy_, server_);
      (void)tunnel.Begin();
      EXPECT_EQ(Feed(tunnel, text, piece).state, State::kOpen) << text << piece;
    }
  }
}

TEST_F(ProxyTunnelTest, RefusalsSayWhatToDo) {
  EXPECT_EQ(Answer("HTTP/1.1 407 Who are you\r\nContent-Length: 3\r\n\r\nabc").text,
            "the proxy asks for a user and a password: put them into $HTTPS_PROXY before the host, "
            "as in //user:password@proxy:3128 (HTTP 407)");
  EXPECT_EQ(Answer("HTTP/1.1 403 No\r\n\r\n").text,
            "the proxy does not let us through to api.example.org:6443 (HTTP 403); it is named by "
            "$HTTPS_PROXY");
  EXPECT_EQ(Answer("HTTP/1.1 503 No\r\n\r\n").text,
            "the proxy can't reach api.example.org:6443 (HTTP 503); it is named by $HTTPS_PROXY");
  proxy_ = ParseProxyUrl("http://me:pw@proxy", "$HTTPS_PROXY").value();
  EXPECT_EQ(Answer("HTTP/1.1 407 Who are you\r\n\r\n").text,
            "the proxy refuses the user and password in $HTTPS_PROXY (HTTP 407)");
}

TEST_F(ProxyTunnelTest, WhatIsNoProxyIsRefused) {
  EXPECT_EQ(Answer("SSH-2.0-x\r\n").state, State::kRefused);
  EXPECT_EQ(Answer("HTTP/1.1 200 OK\r\n\r\nhello").text,
            "the proxy sent something before it was asked");
  ProxyTunnel tunnel(proxy_, server_);
  (void)tunnel.Begin();
  EXPECT_EQ(tunnel.End().text, "the proxy hung up without an answer");
  EXPECT_EQ(Answer("HTTP/1.1 200 OK\r\nX: " + std::string(40000, 'x')).state, State::kRefused);
}

class SocksTest : public ProxyTunnelTest {
 protected:
  SocksTest() : ProxyTunnelTest("socks5://proxy") {}

  // Up to the reply to the request for the address; what was sent for it.
  std::string Ask(ProxyTunnel& tunnel) {
    EXPECT_EQ(tunnel.Begin(), "\5\1\0"s);
    const ProxyTunnel::Step step = Feed(tunnel, "\5\0"s, 1);
    EXPECT_EQ(step.state, State::kSend);
    return step.text;
  }
};

TEST_F(SocksTest, NamesAreLeftToTheProxy) {
  ProxyTunnel tunnel(proxy_, server_);
  EXPECT_EQ(Ask(tunnel), "\5\1\0\3\x0f"s + "api.example.org" + "\x19\x2b"s);
}

TEST_F(SocksTest, AddressesAreSentAsSuch) {
  server_ = ParseServerUrl("https://10.1.2.3:6443").value();
  ProxyTunnel four(proxy_, server_);
  EXPECT_EQ(Ask(four), "\5\1\0\1\x0a\1\2\3\x19\x2b"s);
  server_ = ParseServerUrl("https://[fd00::1]:6443").value();
  ProxyTunnel six(proxy_, server_);
  EXPECT_EQ(Ask(six), "\5\1\0\4\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x19\x2b"s);
}

TEST_F(SocksTest, OpensWhateverTheCuts) {
  for (const std::string& reply :
       {"\5\0\0\1\0\0\0\0\0\0"s, "\5\0\0\3\1x\0\0"s, "\5\0\0\4"s + std::string(18, '\0')}) {
    for (std::size_t piece = 1; piece <= reply.size(); ++piece) {
      ProxyTunnel tunnel(proxy_, server_);
      (void)Ask(tunnel);
      EXPECT_EQ(Feed(tunnel, reply, piece).state, State::kOpen);
    }
    ProxyTunnel tunnel(proxy_, server_);
    (void)Ask(tunnel);
    EXPECT_EQ(Feed(tunnel, reply + "x").state, State::kRefused) << "nothing may follow";
  }
}

TEST_F(SocksTest, AUserIsOffered) {
  proxy_ = ParseProxyUrl("socks5://me:secret@proxy", "$HTTPS_PROXY").value();
  ProxyTunnel tunnel(proxy_, server_);
  EXPECT_EQ(tunnel.Begin(), "\5\2\0\2"s);
  const ProxyTunnel::Step step = Feed(tunnel, "\5\2"s);
  EXPECT_EQ(step.text, "\1\2me\6secret"s);
  EXPECT_EQ(Feed(tunnel, "\1\0"s).state, State::kSend);
  ProxyTunnel refused(proxy_, server_);
  (void)refused.Begin();
  (void)Feed(refused, "\5\2"s);
  EXPECT_EQ(Feed(refused, "\1\1"s).text, "the proxy refuses the user and password in $HTTPS_PROXY");
}

TEST_F(SocksTest, RefusalsSayWhy) {
  EXPECT_EQ(Answer("\5\xff"s).text.find("the proxy asks for a user and a password: put them"), 0U);
  EXPECT_EQ(Answer("\5\2"s).text.find("the proxy asks for a user"), 0U) << "none was offered";
  EXPECT_EQ(Answer("HTTP/1.1 400 Bad Request\r\n").text,
            "the proxy does not speak SOCKS5; is it an HTTP proxy, http://?");
  ProxyTunnel tunnel(proxy_, server_);
  (void)Ask(tunnel);
  EXPECT_EQ(Feed(tunnel, "\5\2\0\1\0\0\0\0\0\0"s).text,
            "the proxy can't reach api.example.org:6443: its rules do not allow it; it is named by "
            "$HTTPS_PROXY");
  ProxyTunnel strange(proxy_, server_);
  (void)Ask(strange);
  EXPECT_EQ(Feed(strange, "\5\0\0\7\0\0\0\0\0\0"s).state, State::kRefused);
  server_.host = std::string(256, 'x');
  EXPECT_EQ(Answer("\5\0"s).text, "the server's name is longer than SOCKS5 has room for");
}

}  // namespace
}  // namespace jobrun
