#include "controller/wire/exec_credential.h"

#include <gtest/gtest.h>

#include <string>

#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

constexpr char kVersion[] = "client.authentication.k8s.io/v1";

std::string Answer(const std::string& status, const std::string& version = kVersion) {
  return R"({"apiVersion":")" + version + R"(","kind":"ExecCredential","status":)" + status + "}";
}

TEST(ReadExecCredentialTest, TakesWhatPluginsPrint) {
  const ExecCredential token =
      ReadExecCredential(
          Answer(R"({"token":"abc","expirationTimestamp":"2026-11-22T01:02:03Z"})") + "\n",
          kVersion)
          .value();
  EXPECT_EQ(token.token, "abc");
  EXPECT_EQ(token.expires, ParseRfc3339("2026-11-22T01:02:03Z"));
  EXPECT_TRUE(token.key_pem.empty());

  const ExecCredential pair =
      ReadExecCredential(
          " " + Answer(R"({"clientCertificateData":"C\nC","clientKeyData":"K","more":[1]})"),
          kVersion)
          .value();
  EXPECT_EQ(pair.certificate_pem, "C\nC");
  EXPECT_EQ(pair.key_pem, "K");
  EXPECT_FALSE(pair.expires);

  const std::string beta = "client.authentication.k8s.io/v1beta1";
  EXPECT_TRUE(
      ReadExecCredential(Answer(R"({"token":"a","expirationTimestamp":null})", beta), beta).ok());
}

struct BadAnswer {
  std::string text;
  const char* detail;
};

class BadAnswerTest : public ::testing::TestWithParam<BadAnswer> {};

TEST_P(BadAnswerTest, IsToldWithoutRepeatingSecrets) {
  const Result<ExecCredential> read = ReadExecCredential(GetParam().text, kVersion);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::kInvalid);
  EXPECT_EQ(read.error().detail, GetParam().detail);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadAnswerTest,
    ::testing::Values(
        BadAnswer{"", "expected one JSON object"}, BadAnswer{"secret", "expected one JSON object"},
        BadAnswer{"[]", "expected one JSON object"}, BadAnswer{"{", "expected one JSON object"},
        BadAnswer{Answer(R"({"token":"a"})") + "{}", "expected one JSON object"},
        BadAnswer{R"({"token":"a"})", "expected an object of kind ExecCredential"},
        BadAnswer{R"({"kind":"Secret","apiVersion":"v1","status":{"token":"a"}})",
                  "expected an object of kind ExecCredential"},
        BadAnswer{Answer(R"({"token":"a"})", "client.authentication.k8s.io/v1beta1"),
                  "it answers in version client.authentication.k8s.io/v1beta1, the kubeconfig asks "
                  "for client.authentication.k8s.io/v1"},
        BadAnswer{R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"})",
                  "it holds no status"},
        BadAnswer{Answer("null"), "it holds no status"},
        BadAnswer{Answer("{}"), "status holds neither a token nor a certificate with its key"},
        BadAnswer{Answer(R"({"token":""})"),
                  "status holds neither a token nor a certificate with its key"},
        BadAnswer{Answer(R"({"token":7})"), "status.token: expected a string"},
        BadAnswer{Answer(R"({"token":"a b"})"),
                  "status.token holds spaces, line ends or bytes that are not ASCII"},
        BadAnswer{Answer(R"({"token":"a\r\nX: y"})"),
                  "status.token holds spaces, line ends or bytes that are not ASCII"},
        BadAnswer{Answer(R"({"token":"a","clientKeyData":"K"})"),
                  "status.clientCertificateData and status.clientKeyData go together"},
        BadAnswer{Answer(R"({"clientCertificateData":"C"})"),
                  "status.clientCertificateData and status.clientKeyData go together"},
        BadAnswer{Answer(R"({"token":"a","expirationTimestamp":"tomorrow"})"),
                  "status.expirationTimestamp: expected a time like 2026-11-22T01:02:03Z"},
        BadAnswer{Answer(R"({"token":"a","expirationTimestamp":7})"),
                  "status.expirationTimestamp: expected a string"}));

TEST(WriteExecInfoTest, HoldsTheClusterOnlyWhenItIsAskedFor) {
  EXPECT_EQ(WriteExecInfo({.api_version = kVersion, .interactive = true}),
            R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
            R"("spec":{"interactive":true}})");
  ExecCluster cluster{.server = "https://a:1",
                      .tls_server_name = "n",
                      .insecure_skip_tls_verify = true,
                      .ca_base64 = "QQ==",
                      .proxy_url = "http://p",
                      .config_json = R"({"a":[1]})"};
  EXPECT_EQ(WriteExecInfo({.api_version = kVersion, .cluster = cluster}),
            R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":)"
            R"({"cluster":{"server":"https://a:1","tls-server-name":"n",)"
            R"("insecure-skip-tls-verify":true,"certificate-authority-data":"QQ==",)"
            R"("proxy-url":"http://p","config":{"a":[1]}},"interactive":false}})");
  EXPECT_EQ(WriteExecInfo({.api_version = "v", .cluster = ExecCluster{.server = "s"}}),
            R"({"apiVersion":"v","kind":"ExecCredential","spec":{"cluster":{"server":"s"},)"
            R"("interactive":false}})");
}

}  // namespace
}  // namespace jobrun
