#include "controller/kube/proxy.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace jobrun {
namespace {

TEST(ProxyUrlTest, IsTakenApart) {
  struct Case {
    const char* url;
    ProxyAddress::Kind kind;
    const char* shown;
    const char* user;
    const char* password;
  };
  constexpr auto kHttp = ProxyAddress::Kind::kHttp;
  constexpr auto kSocks5 = ProxyAddress::Kind::kSocks5;
  const Case cases[] = {
      {"http://proxy:3128", kHttp, "http://proxy:3128", "", ""},
      {"HTTP://proxy/", kHttp, "http://proxy:80", "", ""},
      {"http://[::1]:3128", kHttp, "http://[::1]:3128", "", ""},
      {"http://me:p%40ss%3aword@proxy:1", kHttp, "http://proxy:1", "me", "p@ss:word"},
      {"http://me:p@ss@proxy:1", kHttp, "http://proxy:1", "me", "p@ss"},
      {"http://me@proxy:1", kHttp, "http://proxy:1", "me", ""},
      {"socks5://proxy", kSocks5, "socks5://proxy:1080", "", ""},
      {"socks5h://me:pw@10.0.0.1:9", kSocks5, "socks5://10.0.0.1:9", "me", "pw"}};
  for (const Case& one : cases) {
    const Result<ProxyAddress> proxy = ParseProxyUrl(one.url, "the test");
    ASSERT_TRUE(proxy.ok()) << one.url;
    EXPECT_EQ(proxy->kind, one.kind);
    EXPECT_EQ(proxy->Url(), one.shown);
    EXPECT_EQ(proxy->user, one.user);
    EXPECT_EQ(proxy->password, one.password);
    EXPECT_EQ(proxy->has_user, *one.user != '\0');
  }
}

TEST(ProxyUrlTest, WhatCanNotBeUsedIsRefusedWithoutThePassword) {
  struct Case {
    const char* url;
    const char* detail;
  };
  const Case cases[] = {
      {"", "it does not start with http://"},
      {"me:secret@proxy:3128", "it does not start with http://"},
      {"https://me:secret@proxy", "TLS to the proxy itself (https://) is not supported"},
      {"ftp://proxy", "it starts with neither http:// nor socks5://"},
      {"http://", "the host is missing or malformed"},
      {"http://me:secret@", "the host is missing or malformed"},
      {"http://proxy:0", "the port must be 1 to 65535"},
      {"http://proxy:3128/path", "the port must be 1 to 65535"},
      {"http://me:secret%4@proxy", "a % in the user or the password must begin a %XX"},
      {"http://me:secret%0d%0aX@proxy", "a % in the user or the password must begin a %XX"}};
  for (const Case& one : cases) {
    const Result<ProxyAddress> proxy = ParseProxyUrl(one.url, "$HTTPS_PROXY");
    ASSERT_FALSE(proxy.ok()) << one.url;
    EXPECT_EQ(proxy.error().code, Code::kInvalid);
    EXPECT_EQ(proxy.error().detail.find(std::string(one.detail) + "; expected http://"), 0U)
        << proxy.error().detail;
    EXPECT_NE(proxy.error().operation.find("of $HTTPS_PROXY"), std::string::npos);
    EXPECT_EQ(proxy.error().ToString().find("secret"), std::string::npos);
  }
  const std::string longest(255, 'x');
  EXPECT_TRUE(ParseProxyUrl("socks5://a:" + longest + "@p", "").ok());
  EXPECT_FALSE(ParseProxyUrl("socks5://a:" + longest + "x@p", "").ok());
}

TEST(ProxyUrlTest, UserAndPasswordAreSentAsBasic) {
  EXPECT_EQ(ParseProxyUrl("http://Aladdin:open%20sesame@p", "")->Authorization(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(ParseProxyUrl("http://p", "")->Authorization(), "");
}

struct Passing {
  const char* no_proxy;
  const char* server;
  bool past;
};

class NoProxyTest : public ::testing::TestWithParam<Passing> {};

// The rules of golang.org/x/net/http/httpproxy, and its test's cases.
TEST_P(NoProxyTest, IsReadAsByGo) {
  const ServerAddress server = ParseServerUrl(GetParam().server).value();
  EXPECT_EQ(GoesPastProxy(server, GetParam().no_proxy), GetParam().past)
      << GetParam().server << " with " << GetParam().no_proxy;
}

INSTANTIATE_TEST_SUITE_P(Loopback, NoProxyTest,
                         ::testing::Values(Passing{"", "https://localhost:6443", true},
                                           Passing{"", "https://LocalHost", true},
                                           Passing{"", "https://127.0.0.1", true},
                                           Passing{"", "https://127.0.0.2", true},
                                           Passing{"", "https://[::1]", true},
                                           Passing{"", "https://[::ffff:127.0.0.1]", true},
                                           Passing{"", "https://128.0.0.1", false},
                                           Passing{"", "https://[::2]", false},
                                           Passing{"", "https://localhost.example", false}));

INSTANTIATE_TEST_SUITE_P(
    Names, NoProxyTest,
    ::testing::Values(Passing{"example.org", "https://example.org", true},
                      Passing{"example.org", "https://api.Example.ORG", true},
                      Passing{"example.org", "https://badexample.org", false},
                      Passing{"example.org", "https://example.org.evil", false},
                      Passing{".example.org", "https://example.org", false},
                      Passing{".example.org", "https://api.example.org", true},
                      Passing{"*.example.org", "https://example.org", false},
                      Passing{"*.example.org", "https://api.example.org", true},
                      Passing{"example.org:443", "https://example.org", true},
                      Passing{"example.org:6443", "https://example.org", false},
                      Passing{".example.org:6443", "https://api.example.org:6443", true},
                      Passing{" a.b ,\texample.org , ", "https://example.org", true},
                      Passing{"a.b,,c.d", "https://example.org", false},
                      Passing{",", "https://a", false}, Passing{"*", "https://example.org", true},
                      Passing{"a, *", "https://10.0.0.1", true},
                      Passing{":443", "https://example.org", false}));

INSTANTIATE_TEST_SUITE_P(Addresses, NoProxyTest,
                         ::testing::Values(Passing{"10.0.0.1", "https://10.0.0.1:6443", true},
                                           Passing{"10.0.0.1", "https://10.0.0.11", false},
                                           Passing{"10.0.0.1:443", "https://10.0.0.1", true},
                                           Passing{"10.0.0.1:444", "https://10.0.0.1", false},
                                           Passing{"10.0.0.0/8", "https://10.255.255.255", true},
                                           Passing{"10.0.0.0/8", "https://11.0.0.0", false},
                                           Passing{"10.0.0.0/31", "https://10.0.0.1", true},
                                           Passing{"10.0.0.0/31", "https://10.0.0.2", false},
                                           Passing{"10.0.0.0/32", "https://10.0.0.1", false},
                                           Passing{"0.0.0.0/0", "https://8.8.8.8", true},
                                           Passing{"0.0.0.0/0", "https://[fd00::1]", false},
                                           Passing{"10.0.0.0/33", "https://10.0.0.0", false},
                                           Passing{"10.0.0.0/8", "https://example.org", false},
                                           Passing{"fd00::/16", "https://[fd00:1::1]", true},
                                           Passing{"fd00::/16", "https://[fd01::1]", false},
                                           Passing{"::/0", "https://10.0.0.1", false},
                                           Passing{"FD00::1", "https://[fd00:0::1]", true},
                                           Passing{"[fd00::1]:443", "https://[fd00::1]", true},
                                           Passing{"[fd00::1]:444", "https://[fd00::1]", false},
                                           Passing{"[fd00::1]", "https://[fd00::1]", true},
                                           Passing{"10.0.0.1", "https://[::ffff:10.0.0.1]", true}));

class ProxyFromEnvironmentTest : public ::testing::Test {
 protected:
  std::string Url(const std::string& server) {
    const auto proxy = ProxyFromEnvironment(
        [this](const char* name) -> std::optional<std::string> {
          const auto found = environment_.find(name);
          if (found == environment_.end()) return std::nullopt;
          return found->second;
        },
        ParseServerUrl(server).value());
    if (!proxy.ok()) return proxy.error().ToString();
    return *proxy ? (*proxy)->Url() + " of " + (*proxy)->source : "directly";
  }
  std::map<std::string, std::string> environment_;
};

TEST_F(ProxyFromEnvironmentTest, DependsOnTheServersScheme) {
  EXPECT_EQ(Url("https://a"), "directly");
  environment_ = {{"HTTPS_PROXY", "http://s:1"}, {"HTTP_PROXY", "http://p:2"}};
  EXPECT_EQ(Url("https://a"), "http://s:1 of $HTTPS_PROXY");
  EXPECT_EQ(Url("http://a"), "http://p:2 of $HTTP_PROXY");
  environment_.erase("HTTPS_PROXY");
  EXPECT_EQ(Url("https://a"), "directly");
}

TEST_F(ProxyFromEnvironmentTest, UpperCaseComesFirst) {
  environment_ = {{"https_proxy", "http://lower:1"}};
  EXPECT_EQ(Url("https://a"), "http://lower:1 of $https_proxy");
  environment_["HTTPS_PROXY"] = "";
  EXPECT_EQ(Url("https://a"), "http://lower:1 of $https_proxy") << "empty is not set";
  environment_["HTTPS_PROXY"] = "http://upper:1";
  EXPECT_EQ(Url("https://a"), "http://upper:1 of $HTTPS_PROXY");
  environment_["no_proxy"] = "a";
  EXPECT_EQ(Url("https://a"), "directly");
  environment_["NO_PROXY"] = "b";
  EXPECT_EQ(Url("https://a"), "http://upper:1 of $HTTPS_PROXY");
}

TEST_F(ProxyFromEnvironmentTest, WithoutASchemeItIsHttp) {
  environment_ = {{"HTTPS_PROXY", "me:pw@proxy:3128"}};
  EXPECT_EQ(Url("https://a"), "http://proxy:3128 of $HTTPS_PROXY");
}

TEST_F(ProxyFromEnvironmentTest, OneThatCanNotBeUsedIsAnErrorWhereItIsMeant) {
  environment_ = {{"HTTPS_PROXY", "https://proxy"}};
  EXPECT_EQ(Url("https://a").find("read the proxy \"https://proxy\" of $HTTPS_PROXY: TLS to the"),
            0U);
  EXPECT_EQ(Url("http://a"), "directly");
  environment_["NO_PROXY"] = "a";
  EXPECT_EQ(Url("https://a"), "directly");
}

}  // namespace
}  // namespace jobrun
