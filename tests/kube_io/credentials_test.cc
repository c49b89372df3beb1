#include "controller/kube/credentials.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "tests/kube_io/client.h"

namespace jobrun {
namespace {

using testing::TempDir;

TEST(ServerUrlTest, TakesApartWhatKubeconfigsHold) {
  struct Case {
    const char* url;
    const char* host;
    int port;
    const char* back;
  };
  const Case cases[] = {{"https://10.0.0.1:6443", "10.0.0.1", 6443, "https://10.0.0.1:6443"},
                        {"https://kubernetes.default.svc", "kubernetes.default.svc", 443,
                         "https://kubernetes.default.svc:443"},
                        {"https://example.org/", "example.org", 443, "https://example.org:443"},
                        {"https://example.org:8443/k8s/clusters/c-1/", "example.org", 8443,
                         "https://example.org:8443/k8s/clusters/c-1"},
                        {"https://[::1]:6443", "::1", 6443, "https://[::1]:6443"},
                        {"https://[fd00::1]", "fd00::1", 443, "https://[fd00::1]:443"},
                        {"http://127.0.0.1:8080", "127.0.0.1", 8080, "http://127.0.0.1:8080"},
                        {"http://localhost", "localhost", 80, "http://localhost:80"}};
  for (const Case& one : cases) {
    const Result<ServerAddress> address = ParseServerUrl(one.url);
    ASSERT_TRUE(address.ok()) << one.url;
    EXPECT_EQ(address->host, one.host);
    EXPECT_EQ(address->port, one.port);
    EXPECT_EQ(address->Url(), one.back);
  }
}

TEST(ServerUrlTest, RefusesTheRestInOneLine) {
  for (const char* url :
       {"", "10.0.0.1:6443", "ftp://x", "https://", "https://:6443", "https://a:0",
        "https://a:65536", "https://a:b", "https://a:6443x", "https://user@a", "https://a/?b",
        "https://a/#b", "https://[::1", "https://[]:1", "https://[abc]", "https://a b",
        "https://a/x y", "https://a\r\nX: y"}) {
    const Result<ServerAddress> address = ParseServerUrl(url);
    ASSERT_FALSE(address.ok()) << url;
    EXPECT_EQ(address.error().code, Code::kInvalid);
    EXPECT_NE(address.error().detail.find("expected something like https://10.0.0.1:6443"),
              std::string::npos);
  }
}

std::string Kubeconfig(const std::string& server) {
  return "clusters: [{name: c, cluster: {server: \"" + server +
         "\"}}]\ncontexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n";
}

// All four places filled; each test takes some away.
class FindCredentialsTest : public ::testing::Test {
 protected:
  FindCredentialsTest() {
    dir_.Write("sa/token", "pod-token\n");
    dir_.Write("sa/ca.crt", "CA");
    dir_.Write("sa/namespace", "jobs\n");
    environment_["KUBECONFIG"] = dir_.Write("env.yaml", Kubeconfig("https://env"));
    environment_["KUBERNETES_SERVICE_HOST"] = "10.9.8.7";
    environment_["KUBERNETES_SERVICE_PORT"] = "443";
    environment_["HOME"] = dir_.path();
    dir_.Write(".kube/config", Kubeconfig("https://home"));
  }

  Result<Credentials> Find(const std::string& flag = "") {
    return FindCredentials({.kubeconfig = flag,
                            .insecure_skip_tls_verify = insecure_,
                            .environment = [this](const char* name) -> std::optional<std::string> {
                              const auto found = environment_.find(name);
                              if (found == environment_.end()) return std::nullopt;
                              return found->second;
                            },
                            .service_account_dir = dir_.path() + "/sa"});
  }
  std::string Host(const std::string& flag = "") {
    const Result<Credentials> found = Find(flag);
    return found.ok() ? found->server.host : found.error().ToString();
  }

  TempDir dir_;
  std::map<std::string, std::string> environment_;
  bool insecure_{false};
};

TEST_F(FindCredentialsTest, LooksInTheContractsOrder) {
  EXPECT_EQ(Host(dir_.Write("flag.yaml", Kubeconfig("https://flag"))), "flag");
  EXPECT_EQ(Host(), "env");
  environment_["KUBECONFIG"] = "";
  EXPECT_EQ(Host(), "10.9.8.7");
  environment_.erase("KUBERNETES_SERVICE_PORT");
  EXPECT_EQ(Host(), "home");
  environment_.erase("HOME");
  EXPECT_EQ(Find().error().code, Code::kNotFound);
}

TEST_F(FindCredentialsTest, ReadsTheServiceAccount) {
  environment_.erase("KUBECONFIG");
  const Credentials found = Find().value();
  EXPECT_EQ(found.token, "pod-token");
  EXPECT_EQ(found.token_file, dir_.path() + "/sa/token");
  EXPECT_EQ(found.ca.file, dir_.path() + "/sa/ca.crt");
  EXPECT_EQ(found.name_space, "jobs");
  EXPECT_EQ(found.server.Url(), "https://10.9.8.7:443");
}

TEST_F(FindCredentialsTest, TheEnvironmentNamesAProxyWhereTheKubeconfigDoesNot) {
  environment_["HTTPS_PROXY"] = "http://proxy:3128";
  EXPECT_EQ(Find().value().Peer(), "https://env:443 through the proxy http://proxy:3128");
  environment_["NO_PROXY"] = "env,10.0.0.0/8";
  EXPECT_EQ(Find().value().Peer(), "https://env:443");
  const std::string own = dir_.Write(
      "own.yaml",
      "clusters: [{name: c, cluster: {server: \"https://env\", proxy-url: \"http://own:1\"}}]\n"
      "contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n");
  EXPECT_EQ(Find(own).value().Peer(), "https://env:443 through the proxy http://own:1")
      << "whatever NO_PROXY says, as with kubectl";
  environment_.erase("KUBECONFIG");
  EXPECT_FALSE(Find().value().proxy) << "the service account's server is in 10.0.0.0/8";
  environment_.erase("NO_PROXY");
  EXPECT_TRUE(Find().value().proxy);
  environment_["HTTPS_PROXY"] = "ftp://proxy";
  EXPECT_EQ(Find().error().operation, "read the proxy \"ftp://proxy\" of $HTTPS_PROXY");
}

TEST_F(FindCredentialsTest, VerificationIsSkippedOnlyWhenAskedForAndWithAWarning) {
  environment_.erase("KUBECONFIG");
  EXPECT_FALSE(Find().value().insecure_skip_tls_verify);
  insecure_ = true;
  const Credentials found = Find().value();
  EXPECT_TRUE(found.insecure_skip_tls_verify);
  EXPECT_FALSE(found.ca.Given()) << "the CA would not be looked at";
  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_EQ(found.warnings[0].find("the certificate of https://10.9.8.7:443 is not verified"), 0U);
  const Credentials plain = Find(dir_.Write("plain", Kubeconfig("http://plain"))).value();
  EXPECT_TRUE(plain.warnings.empty()) << "there is nothing to verify";
}

TEST_F(FindCredentialsTest, ServiceAccountOnIpv6) {
  environment_.erase("KUBECONFIG");
  environment_["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  EXPECT_EQ(Find().value().server.Url(), "https://[fd00::1]:443");
}

TEST_F(FindCredentialsTest, WhatIsThereButBrokenIsAnErrorNotPassedOver) {
  EXPECT_EQ(Find("/nowhere/config").error().ToString(),
            "read the kubeconfig /nowhere/config: no such file; look at --kubeconfig and "
            "$KUBECONFIG");
  environment_["KUBECONFIG"] = "/nowhere/a:/nowhere/b";
  EXPECT_EQ(Find().error().operation, "read the kubeconfig /nowhere/a, /nowhere/b");
  environment_.erase("KUBECONFIG");

  std::remove((dir_.path() + "/sa/namespace").c_str());
  EXPECT_TRUE(Find().ok()) << "the namespace is no must";
  dir_.Write("sa/token", "\n");
  EXPECT_EQ(Find().error().detail, dir_.path() + "/sa/token is empty");
  std::remove((dir_.path() + "/sa/token").c_str());
  EXPECT_EQ(Find().error().ToString(),
            "use the service account of this pod: read " + dir_.path() +
                "/sa/token: No such file or directory; is automountServiceAccountToken off? Else "
                "give --kubeconfig");
  dir_.Write("sa/token", "x");
  std::remove((dir_.path() + "/sa/ca.crt").c_str());
  EXPECT_NE(Find().error().detail.find("can't be verified without it"), std::string::npos);
  environment_["KUBERNETES_SERVICE_PORT"] = "tcp://10.0.0.1:443";
  EXPECT_NE(Find().error().detail.find("look at KUBERNETES_SERVICE_HOST"), std::string::npos);
}

TEST(CredentialFileTest, IsBounded) {
  TempDir dir;
  const std::string fits(kCredentialFileBytesMax, 'x');
  EXPECT_EQ(ReadCredentialFile(dir.Write("a", fits)).value(), fits);
  EXPECT_EQ(ReadCredentialFile(dir.Write("a", fits + "x")).error().detail, "larger than 1 MiB");
  EXPECT_EQ(ReadCredentialFile(dir.path()).error().detail, "it is a directory");
  EXPECT_EQ(ReadCredentialFile(dir.path() + "/b").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace jobrun
