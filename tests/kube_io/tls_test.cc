// Whom we trust, and what we say when we don't: on all three ways out.
#include "controller/kube/tls.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/kube_io/tls_server.h"
#include "tests/kube_io/ways.h"

namespace jobrun {
namespace {

using testing::AlwaysAnswer;
using testing::Came;
using testing::Client;
using testing::Identity;
using testing::SeenRequest;
using testing::ServerConnection;
using testing::TempDir;
using testing::TestCa;
using testing::TlsServer;
using testing::Trusting;
using testing::Way;

class TlsTest : public testing::EachWay {
 protected:
  TestCa ca_;
};

FOR_EACH_WAY(TlsTest);

TEST_P(TlsTest, TrustsTheGivenCaOnly) {
  TlsServer server({.identity = ca_.Issue()}, AlwaysAnswer());
  EXPECT_EQ(Ask(Trusting(server.Url(), ca_.pem())).status, 200);
  EXPECT_EQ(Ask(Trusting(server.Url(), TestCa("other CA").pem() + ca_.pem())).status, 200)
      << "any of a bundle";
  // One with the same name but another key, and one with another name.
  for (const char* name : {"test CA", "other CA"}) {
    const Came came = Ask(Trusting(server.Url(), TestCa(name).pem()));
    EXPECT_EQ(came.status, 0);
    EXPECT_EQ(came.detail, server.Url() +
                               ": the server's certificate is not signed by the CA we were given; "
                               "is certificate-authority the one of this cluster?");
  }
  EXPECT_EQ(Ask(Trusting(server.Url(), "")).status, 0) << "the system's roots";
  EXPECT_TRUE(server.Requests().size() == 2);
}

TEST_P(TlsTest, ChecksTheName) {
  TlsServer server({.identity = ca_.Issue({.names = {"example.org", "10.1.2.3"}})}, AlwaysAnswer());
  const Came came = Ask(Trusting(server.Url(), ca_.pem()));
  EXPECT_EQ(came.status, 0);
  EXPECT_EQ(came.detail,
            server.Url() +
                ": the server's certificate is for example.org, 10.1.2.3, not for the host asked "
                "for; use one of those names, or tls-server-name");
  Credentials named = Trusting(server.Url(), ca_.pem());
  named.tls_server_name = "example.org";
  EXPECT_EQ(Ask(named).status, 200);
  named.tls_server_name = "10.1.2.3";
  EXPECT_EQ(Ask(named).status, 200);
  named.tls_server_name = "example.com";
  EXPECT_EQ(Ask(named).status, 0);
}

TEST_P(TlsTest, NeverChecksTheSubject) {
  TlsServer server({.identity = ca_.Issue({.names = {}})}, AlwaysAnswer());
  Credentials credentials = Trusting(server.Url(), ca_.pem());
  credentials.tls_server_name = "leaf";  // what the subject says
  EXPECT_EQ(Ask(credentials).status, 0);
}

TEST_P(TlsTest, ChecksTheDates) {
  TlsServer expired({.identity = ca_.Issue({.not_after_seconds = -60})}, AlwaysAnswer());
  const Came late = Ask(Trusting(expired.Url(), ca_.pem()));
  EXPECT_EQ(late.status, 0);
  EXPECT_NE(
      late.detail.find(expired.Url() + ": the server's certificate, or one above it, expired on "),
      std::string::npos);
  TlsServer future({.identity = ca_.Issue({.not_before_seconds = 60})}, AlwaysAnswer());
  const Came early = Ask(Trusting(future.Url(), ca_.pem()));
  EXPECT_NE(early.detail.find("; is this machine's clock right?"), std::string::npos);
}

TEST_P(TlsTest, SkipsAllChecksWhenTheKubeconfigSaysSo) {
  TlsServer server({.identity = ca_.Issue({.names = {"else"}, .not_after_seconds = -60})},
                   AlwaysAnswer());
  Credentials credentials = Trusting(server.Url(), "");
  credentials.insecure_skip_tls_verify = true;
  EXPECT_EQ(Ask(credentials).status, 200);
}

TEST_P(TlsTest, SendsTheNameAsSniButNoAddress) {
  std::string name = "unset";
  TlsServer server({.identity = ca_.Issue()}, [&](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    name = connection.ServerName();
    connection.Answer(200, "{}");
  });
  EXPECT_EQ(Ask(Trusting(server.Url(), ca_.pem())).status, 200);
  EXPECT_EQ(name, "");
  const std::string by_name = "https://localhost:" + std::to_string(server.port());
  EXPECT_EQ(Ask(Trusting(by_name, ca_.pem())).status, 200);
  EXPECT_EQ(name, "localhost");
}

TEST_P(TlsTest, ShowsTheClientCertificateAsItIsNow) {
  std::string serial;
  TlsServer server({.identity = ca_.Issue(), .client_ca = ca_.pem()},
                   [&](TlsServer&, ServerConnection& connection) {
                     SeenRequest request;
                     if (!connection.ReadRequest(request)) return;
                     serial = connection.ClientCertificate();
                     connection.Answer(200, "{}", "Connection: close\r\n");
                   });
  const TempDir dir;
  const Identity first = ca_.Issue();
  Credentials credentials = Trusting(server.Url(), ca_.pem(), "");
  credentials.client_certificate.file = dir.Write("tls.crt", first.certificate_pem);
  credentials.client_key.file = dir.Write("tls.key", first.key_pem);
  Client client(credentials);
  EXPECT_EQ(Ask(client).status, 200);
  const std::string before = serial;
  const Identity second = ca_.Issue();
  dir.Write("tls.crt", second.certificate_pem);
  dir.Write("tls.key", second.key_pem);
  EXPECT_EQ(Ask(client).status, 200);
  EXPECT_FALSE(before.empty());
  EXPECT_NE(serial, before);
}

TEST_P(TlsTest, SaysSoWhenTheServerRefusesOurCertificate) {
  TlsServer server({.identity = ca_.Issue(), .client_ca = ca_.pem()}, AlwaysAnswer());
  const Came came = Ask(Trusting(server.Url(), ca_.pem()));
  EXPECT_EQ(came.status, 0);
  EXPECT_NE(came.detail.find(server.Url()), std::string::npos) << came.detail;
  if (GetParam() != Way::kControl) {  // cpprestsdk keeps the alert to itself
    EXPECT_NE(came.detail.find("the server refused our client certificate"), std::string::npos)
        << came.detail;
  }
}

TEST_P(TlsTest, ARotatedCaHoldsForNewConnections) {
  const TestCa fresh("fresh CA");
  const TempDir dir;
  TlsServer server({.identity = ca_.Issue()}, [](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    if (connection.ReadRequest(request)) connection.Answer(200, "{}", "Connection: close\r\n");
  });
  Credentials credentials = Trusting(server.Url(), "");
  credentials.ca.file = dir.Write("ca.crt", ca_.pem());
  Client client(credentials);
  EXPECT_EQ(Ask(client).status, 200);
  server.Present(fresh.Issue());
  EXPECT_EQ(Ask(client).status, 0);
  dir.Write("ca.crt", fresh.pem());
  EXPECT_EQ(Ask(client).status, 200);
}

TEST_P(TlsTest, SaysSoWhenThereIsNoTlsOrNobody) {
  TlsServer plain({}, [](TlsServer&, ServerConnection& connection) {
    connection.Write("HTTP/1.1 400 Bad Request\r\n\r\n");
    connection.AwaitEnd();
  });
  const std::string url = "https://127.0.0.1:" + std::to_string(plain.port());
  const Came came = Ask(Trusting(url, ca_.pem()));
  EXPECT_EQ(came.status, 0);
  EXPECT_EQ(came.detail.substr(0, url.size() + 2), url + ": ");
  if (GetParam() != Way::kControl) {
    EXPECT_EQ(came.detail, url +
                               ": the server does not speak TLS here; is the port right, or is it "
                               "http://?");
  }
}

TEST_P(TlsTest, SaysSoWhenNobodyListens) {
  std::string url;
  {
    TlsServer gone({}, AlwaysAnswer());
    url = "https://127.0.0.1:" + std::to_string(gone.port());
  }
  const Came came = Ask(Trusting(url, ca_.pem()));
  EXPECT_EQ(came.status, 0);
  EXPECT_EQ(came.detail.substr(0, url.size() + 15), url + ": can't connect");
  EXPECT_NE(came.detail.find("; is the API server running, and reachable from here?"),
            std::string::npos)
      << came.detail;
}

}  // namespace
}  // namespace jobrun
