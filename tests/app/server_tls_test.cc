#include "controller/app/server_tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "controller/app/http_server.h"
#include "tests/app/fake_parts.h"
#include "tests/app/http_client.h"
#include "tests/app/https_client.h"

namespace jobrun {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ServerTlsTest : public ::testing::Test {
 protected:
  ServerTlsTest() {
    std::string name = std::filesystem::temp_directory_path() / "server-tls-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~ServerTlsTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] CertificateFiles Files() const {
    return {folder_ / "tls.crt", folder_ / "tls.key"};
  }
  // A certificate for `name` and its key; with the `openssl` program, which the server has no part
  // in.
  void Issue(const std::string& name) const {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        "-nodes -days 2 -subj /CN=" +
        name + " -keyout " + Files().key + " -out " + Files().certificate + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  static void Put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  [[nodiscard]] std::unique_ptr<HttpServer> Serve(CertificateFiles files) {
    auto tls = ServerTls::Load(std::move(files), log_);
    EXPECT_TRUE(tls) << tls.error().ToString();
    HttpService service{.tls = std::move(*tls)};
    service.routes["/hello"] = [](const HttpQuery& query, const ServerReplier& reply) {
      reply([query] { return ServerReply{.body = "hello " + query.bearer}; });
    };
    return HttpServer::Start({"127.0.0.1", 0}, std::move(service)).value();
  }
  [[nodiscard]] std::string Complaint() {
    const auto tls = ServerTls::Load(Files(), log_);
    return tls ? "" : tls.error().ToString();
  }

  std::filesystem::path folder_{};
  FakeLog log_{};
};

TEST_F(ServerTlsTest, ShowsTheCertificateOfTheFiles) {
  Issue("first");
  const auto server = Serve(Files());
  const HttpsAnswer answer = GetSecurely(server->Port(), "/hello");
  EXPECT_EQ(answer.subject, "/CN=first");
  EXPECT_EQ(answer.protocol, "TLSv1.3");
  EXPECT_THAT(answer.text, HasSubstr("200 OK"));
}

TEST_F(ServerTlsTest, WithoutFilesItMakesOne) {
  const auto server = Serve({});
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=jobrun-controller");
}

TEST_F(ServerTlsTest, ANewCertificateIsShownAtOnce) {
  Issue("first");
  const auto server = Serve(Files());
  Issue("second");
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=second");
  EXPECT_THAT(log_.lines, IsEmpty());
}

TEST_F(ServerTlsTest, AMistakeLeavesTheOneBeforeInUseAndIsToldOnce) {
  Issue("first");
  const auto server = Serve(Files());
  Put(Files().certificate, "no certificate");
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=first");
  std::filesystem::remove(Files().key);
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=first");
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=first");
  EXPECT_THAT(log_.lines, SizeIs(2));
  Issue("second");
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=second");
}

TEST_F(ServerTlsTest, AKeyOfAnotherKindLeavesTheOneBeforeInUse) {
  Issue("first");
  const auto server = Serve(Files());
  ASSERT_EQ(std::system(("openssl genrsa -out " + Files().key + " 2048 2>/dev/null").c_str()), 0);
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=first");
  EXPECT_THAT(log_.lines, SizeIs(1));
  EXPECT_THAT(Complaint(), HasSubstr("the key does not belong to the certificate"));
}

TEST_F(ServerTlsTest, AHandshakeThatDoesNotComeIsCut) {
  auto tls = ServerTls::Load({}, log_);
  const auto server =
      HttpServer::Start(
          {"127.0.0.1", 0},
          {.limits = {.request_deadline = std::chrono::milliseconds(50)}, .tls = std::move(*tls)})
          .value();
  HttpClient silent(server->Port());
  EXPECT_EQ(silent.ReadAll(), "");
  HttpClient half(server->Port());
  half.Send("\x16\x03\x01\x02");
  EXPECT_EQ(half.ReadAll(), "");
}

TEST_F(ServerTlsTest, AServerThatEndsWaitsForNoHandshake) {
  auto server = Serve({});
  HttpClient half(server->Port());
  half.Send("\x16\x03\x01\x02");
  EXPECT_EQ(GetSecurely(server->Port(), "/hello").subject, "/CN=jobrun-controller");
  server.reset();
  EXPECT_EQ(half.ReadAll(), "");
}

TEST_F(ServerTlsTest, LargeRepliesAndRefusalsArriveWhole) {
  auto tls = ServerTls::Load({}, log_);
  HttpService service{.tls = std::move(*tls)};
  service.routes["/large"] = [](const HttpQuery&, const ServerReplier& reply) {
    reply([] { return ServerReply{.body = std::string(1'000'000, 'x')}; });
  };
  const auto server = HttpServer::Start({"127.0.0.1", 0}, std::move(service)).value();
  EXPECT_THAT(GetSecurely(server->Port(), "/large").text, EndsWith(std::string(1'000'000, 'x')));
  const std::string header = "X: " + std::string(50'000, 'x') + "\r\n";
  EXPECT_THAT(GetSecurely(server->Port(), "/large", header).text, HasSubstr(" 431 "));
}

TEST_F(ServerTlsTest, OldProtocolsAreRefused) {
  const auto server = Serve({});
  EXPECT_EQ(GetSecurely(server->Port(), "/hello", "", TLS1_2_VERSION).protocol, "TLSv1.2");
  EXPECT_EQ(GetSecurely(server->Port(), "/hello", "", TLS1_1_VERSION).protocol, "");
}

TEST_F(ServerTlsTest, AClientWithoutTlsIsTold) {
  const auto server = Serve({});
  EXPECT_THAT(Get(server->Port(), "/hello"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Get(server->Port(), "/hello"),
              EndsWith("this is an HTTPS server, and the client speaks something else\n"));
}

TEST_F(ServerTlsTest, ATokenIsPassedOn) {
  const auto server = Serve({});
  const auto bearer = [&server](const std::string& header) {
    const std::string text = GetSecurely(server->Port(), "/hello", header).text;
    return text.substr(text.find("hello ") + 6);
  };
  EXPECT_EQ(bearer("Authorization: Bearer abc.def\r\n"), "abc.def");
  EXPECT_EQ(bearer("authorization: bearer  abc\r\n"), "abc");
  EXPECT_EQ(bearer("Authorization: Basic abc\r\n"), "");
  EXPECT_EQ(bearer("Authorization: Bearer\r\n"), "");
  EXPECT_EQ(bearer("Authorization: Bearerabc\r\n"), "");
  EXPECT_EQ(bearer(""), "");
}

TEST_F(ServerTlsTest, MistakesAtTheStartAreNamed) {
  EXPECT_THAT(Complaint(), HasSubstr(Files().certificate + ": can't be read: No such file"));
  Issue("first");
  const auto key = folder_ / "other.key";
  std::filesystem::copy(Files().key, key);
  Issue("second");
  std::filesystem::remove(Files().key);
  EXPECT_THAT(Complaint(), HasSubstr(Files().key + ": can't be read"));
  std::filesystem::copy(key, Files().key);
  EXPECT_THAT(Complaint(), HasSubstr(Files().key + ": the key does not belong to the certificate"));
  Put(Files().key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  EXPECT_THAT(Complaint(), HasSubstr(Files().key + ": expected a private key in PEM"));
  Put(Files().certificate, "");
  EXPECT_THAT(Complaint(), HasSubstr(Files().certificate + ": expected a certificate in PEM"));
  Put(Files().certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(Complaint(), HasSubstr(Files().certificate + ": a broken certificate: "));
}

}  // namespace
}  // namespace jobrun
