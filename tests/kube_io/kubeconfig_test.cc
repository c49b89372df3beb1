#include "controller/kube/kubeconfig.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/kube_io/client.h"

namespace jobrun {
namespace {

using testing::TempDir;

constexpr char kWhole[] = R"(apiVersion: v1
kind: Config
clusters:
- name: prod
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority: pki/ca.crt
    tls-server-name: kubernetes
- name: local
  cluster: {server: "http://127.0.0.1:8080"}
users:
- name: admin
  user:
    client-certificate: pki/admin.crt
    client-key: /etc/admin.key
- name: robot
  user: {token: abc, tokenFile: robot.token}
contexts:
- name: first
  context: {cluster: prod, user: admin, namespace: jobs}
- name: second
  context: {cluster: prod, user: robot}
- name: plain
  context: {cluster: local, user: robot}
current-context: first
)";

Result<Credentials> Load(const TempDir& dir, const std::string& text,
                         const std::string& context = "") {
  return LoadKubeconfig({.files = {dir.Write("config", text)}, .context = context});
}

TEST(KubeconfigTest, ReadsTheCurrentContext) {
  const TempDir dir;
  const Credentials found = Load(dir, kWhole).value();
  EXPECT_EQ(found.origin, dir.path() + "/config, context first");
  EXPECT_EQ(found.server.Url(), "https://10.0.0.1:6443");
  EXPECT_EQ(found.ca.file, dir.path() + "/pki/ca.crt") << "relative to the kubeconfig";
  EXPECT_EQ(found.client_certificate.file, dir.path() + "/pki/admin.crt");
  EXPECT_EQ(found.client_key.file, "/etc/admin.key");
  EXPECT_EQ(found.tls_server_name, "kubernetes");
  EXPECT_EQ(found.name_space, "jobs");
  EXPECT_TRUE(found.token.empty());
  EXPECT_TRUE(found.warnings.empty());
}

TEST(KubeconfigTest, ReadsTheContextAskedFor) {
  const TempDir dir;
  const Credentials found = Load(dir, kWhole, "second").value();
  EXPECT_EQ(found.token, "abc");
  EXPECT_EQ(found.token_file, dir.path() + "/robot.token");
  EXPECT_FALSE(found.client_certificate.Given());
}

TEST(KubeconfigTest, SendsNothingSecretWithoutTls) {
  const TempDir dir;
  const Credentials found = Load(dir, kWhole, "plain").value();
  EXPECT_TRUE(found.token.empty());
  EXPECT_TRUE(found.token_file.empty());
  ASSERT_EQ(found.warnings.size(), 1U);
}

TEST(KubeconfigTest, DataWinsOverFilesAndIsDecoded) {
  const TempDir dir;
  const Credentials found = Load(dir, R"(
clusters:
- name: c
  cluster:
    server: https://a
    certificate-authority: ca.crt
    certificate-authority-data: |
      aGVsbG8s
      IHdvcmxkIQ==
contexts: [{name: x, context: {cluster: c}}]
current-context: x
)")
                                .value();
  EXPECT_EQ(found.ca.inline_pem, "hello, world!");
  EXPECT_TRUE(found.ca.file.empty());
}

TEST(KubeconfigTest, MergesAsKubectlDoes) {
  const TempDir dir;
  const std::string first = dir.Write("one/config", R"(
users: [{name: u, user: {tokenFile: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
)");
  const std::string second = dir.Write("two/config", R"(
clusters: [{name: c, cluster: {server: "https://two", certificate-authority: ca}}]
users: [{name: u, user: {token: lost}}]
contexts: [{name: x, context: {cluster: lost}}]
current-context: x
)");
  const Credentials found =
      LoadKubeconfig({.files = {dir.path() + "/none", first, second}}).value();
  EXPECT_EQ(found.server.host, "two");
  EXPECT_EQ(found.ca.file, dir.path() + "/two/ca");
  EXPECT_EQ(found.token_file, dir.path() + "/one/t");
  EXPECT_TRUE(found.token.empty());
}

TEST(KubeconfigTest, ReadsTheProxyOfTheCluster) {
  const TempDir dir;
  const Credentials found = Load(dir, R"(
clusters: [{name: c, cluster: {server: "https://a", proxy-url: "http://me:pw@proxy:3128"}}]
contexts: [{name: x, context: {cluster: c}}]
current-context: x
)")
                                .value();
  EXPECT_EQ(found.Peer(), "https://a:443 through the proxy http://proxy:3128");
  EXPECT_EQ(found.proxy->user, "me");
  EXPECT_EQ(found.proxy->source, "proxy-url of cluster \"c\"");
}

TEST(KubeconfigTest, HonoursSkippedVerificationWithAWarning) {
  const TempDir dir;
  const Credentials found = Load(dir, R"(
clusters: [{name: c, cluster: {server: "https://a", insecure-skip-tls-verify: true}}]
contexts: [{name: x, context: {cluster: c}}]
current-context: x
)")
                                .value();
  EXPECT_TRUE(found.insecure_skip_tls_verify);
  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_NE(found.warnings[0].find("cluster \"c\""), std::string::npos);
}

TEST(KubeconfigTest, OfSeveralDocumentsTheFirstCountsWithAWarning) {
  const TempDir dir;
  for (const char* second : {"current-context: second\n", "[", "}", "- a\n"}) {
    const Credentials found = Load(dir, std::string(kWhole) + "---\n" + second).value();
    EXPECT_EQ(found.origin, dir.path() + "/config, context first");
    ASSERT_EQ(found.warnings.size(), 1U) << second;
    EXPECT_EQ(found.warnings[0].substr(0, dir.path().size() + 18),
              dir.path() + "/config, line 26: ");
  }
}

TEST(KubeconfigTest, AnEmptyDocumentAtTheEndIsNoMatter) {
  const TempDir dir;
  for (const char* end : {"---\n", "...\n", "---\n# nothing\n---\n"}) {
    EXPECT_TRUE(Load(dir, kWhole + std::string(end)).value().warnings.empty()) << end;
  }
  EXPECT_TRUE(Load(dir, "---\n" + std::string(kWhole)).value().warnings.empty());
}

TEST(KubeconfigTest, WhatIsMissedMayBeInADocumentThatIsNotRead) {
  const TempDir dir;
  const Result<Credentials> found = Load(dir, "kind: Config\n---\n" + std::string(kWhole));
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().detail.find("no current-context is set"), std::string::npos);
  EXPECT_NE(found.error().detail.find(dir.path() + "/config, line 2: what begins here is not read"),
            std::string::npos);
}

// A kubeconfig of one context whose cluster and user are the texts given.
std::string With(const std::string& cluster, const std::string& user) {
  return "clusters:\n- name: c\n  cluster: " + cluster + "\nusers:\n- name: u\n  user: " + user +
         "\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\ncurrent-context: x\n";
}

struct BadCase {
  std::string text;
  const char* detail;
};

class BadKubeconfigTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadKubeconfigTest, IsOneLineThatSaysWhereAndWhat) {
  const TempDir dir;
  const Result<Credentials> found = Load(dir, GetParam().text);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().operation, "read the kubeconfig " + dir.path() + "/config");
  EXPECT_EQ(found.error().detail.substr(0, std::string(GetParam().detail).size()),
            GetParam().detail);
  EXPECT_EQ(found.error().detail.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadKubeconfigTest,
    ::testing::Values(
        BadCase{"clusters: [\n", "line 2, column 1: not YAML: "},
        BadCase{"- a\n", "line 1, column 1: expected a mapping with clusters, users and contexts"},
        BadCase{"", "no current-context is set; there are: none; choose with kubectl config "},
        BadCase{"current-context: x\n", "the context \"x\" is not there; there are: none"},
        BadCase{"clusters: 7\n", "line 1, column 11: clusters: expected a list"},
        BadCase{"clusters: [a]\n", "line 1, column 12: clusters: expected a mapping with a name"},
        BadCase{"clusters: [{cluster: {}}]\n", "line 1, column 12: clusters: an entry has no name"},
        BadCase{"users: [{name: a}, {name: a}]\n",
                "line 1, column 20: users: the name \"a\" is there twice"},
        BadCase{"clusters: [{name: a, cluster: b}]\n",
                "line 1, column 31: cluster \"a\": cluster: expected a mapping"},
        BadCase{"kind: a\nkind: b\n", "line 2, column 1: the key \"kind\" is there twice"},
        BadCase{"contexts: [{name: x, context: {cluster: no}}]\ncurrent-context: x\n",
                "line 1, column 31: context \"x\": refers to \"no\", which is not there; there "
                "are: none"},
        BadCase{With("{}", "{}"),
                "line 3, column 12: cluster \"c\": server: missing; expected a URL like"},
        BadCase{With("{server: nonsense}", "{}"),
                "line 3, column 21: cluster \"c\": server: read the server URL \"nonsense\": it "
                "does not start with https://; expected something like"},
        BadCase{With("{server: [a]}", "{}"),
                "line 3, column 21: cluster \"c\": server: expected a string"},
        BadCase{With("{server: a, server: b}", "{}"),
                "line 3, column 24: cluster \"c\": the key \"server\" is there twice"},
        BadCase{With("{server: https://a, certificate-authority-data: \"!!\"}", "{}"),
                "line 3, column 60: cluster \"c\": certificate-authority-data: expected base64"},
        BadCase{With("{server: https://a, insecure-skip-tls-verify: maybe}", "{}"),
                "line 3, column 58: cluster \"c\": insecure-skip-tls-verify: expected true or"},
        BadCase{With("{server: https://a, insecure-skip-tls-verify: true, "
                     "certificate-authority: b}",
                     "{}"),
                "line 3, column 12: cluster \"c\": insecure-skip-tls-verify and certificate-"
                "authority exclude each other"},
        BadCase{With("{server: https://a, proxy-url: \"https://me:secret@b\"}", "{}"),
                "line 3, column 43: cluster \"c\": read the proxy \"https://…@b\" of proxy-url of "
                "cluster \"c\": TLS to the proxy itself (https://) is not supported; expected"},
        BadCase{With("{server: https://a}", "{auth-provider: {name: gcp}}"),
                "line 6, column 25: user \"u\": auth-provider is not supported, as in current "
                "kubectl; give exec, token, tokenFile or client-certificate"},
        BadCase{With("{server: https://a}", "{username: a, password: b}"),
                "line 6, column 20: user \"u\": a user name and password are not supported"},
        BadCase{With("{server: https://a}", "{as: other}"),
                "line 6, column 14: user \"u\": impersonation (as) is not supported"},
        BadCase{With("{server: https://a}", "{client-certificate: b}"),
                "line 6, column 9: user \"u\": client-certificate and client-key go together"},
        BadCase{With("{server: https://a}", "{token: \"a\\r\\nX: y\"}"),
                "line 6, column 17: user \"u\": token: holds spaces or line ends"}));

}  // namespace
}  // namespace jobrun
