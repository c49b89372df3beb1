// Through a proxy, on all three ways out.
#include <gtest/gtest.h>

#include <string>

#include "tests/kube_io/tls_server.h"
#include "tests/kube_io/watching.h"
#include "tests/kube_io/ways.h"

namespace jobrun {
namespace {

using namespace std::string_literals;
using std::chrono::milliseconds;
using testing::AlwaysAnswer;
using testing::Came;
using testing::Chunk;
using testing::Client;
using testing::kHead;
using testing::SeenRequest;
using testing::ServerConnection;
using testing::ServerIdentity;
using testing::TlsServer;
using testing::Trusting;
using testing::WatchCa;
using testing::Way;

class ProxiedTest : public testing::EachWay {
 protected:
  ProxiedTest()
      : server_({.identity = WatchCa().Issue({.names = {"api.invalid"}})}, AlwaysAnswer()) {}

  // A proxy that reads a request and goes on with `script`.
  static TlsServer::Options Plain() { return {}; }
  TlsServer::Script Connects() {
    return [this](TlsServer& proxy, ServerConnection& connection) {
      SeenRequest request;
      if (!connection.ReadRequest(request)) return;
      proxy.Note(request);
      connection.Write("HTTP/1.1 200 Connection established\r\n\r\n");
      connection.TunnelTo(server_.port());
    };
  }
  static TlsServer::Script Refuses(int status, const std::string& headers = "") {
    return [=](TlsServer& proxy, ServerConnection& connection) {
      SeenRequest request;
      if (!connection.ReadRequest(request)) return;
      proxy.Note(request);
      connection.Answer(status, "no", headers);
    };
  }
  // A name that only the proxy knows: it is never looked up here.
  [[nodiscard]] Credentials Through(const TlsServer& proxy, const std::string& user = "") const {
    Credentials credentials =
        Trusting("https://api.invalid:" + std::to_string(server_.port()), WatchCa().pem());
    credentials.proxy =
        ParseProxyUrl("http://" + user + "127.0.0.1:" + std::to_string(proxy.port()), "the test")
            .value();
    return credentials;
  }

  TlsServer server_;
};

FOR_EACH_WAY(ProxiedTest);

TEST_P(ProxiedTest, AskTheProxyForATunnelAndShowItNothingElse) {
  TlsServer proxy(Plain(), Connects());
  EXPECT_EQ(Ask(Through(proxy)).status, 200);
  const SeenRequest seen = proxy.Requests().at(0);
  EXPECT_EQ(seen.method, "CONNECT");
  EXPECT_EQ(seen.target, "api.invalid:" + std::to_string(server_.port()));
  EXPECT_EQ(seen.Header("Host"), seen.target);
  EXPECT_EQ(seen.Header("Authorization"), "");
  EXPECT_EQ(seen.Header("Proxy-Authorization"), "");
  EXPECT_EQ(server_.Requests().at(0).Header("Authorization"), "Bearer secret");
  EXPECT_EQ(server_.Requests().at(0).Header("Host"), seen.target);
}

TEST_P(ProxiedTest, TheProxysUserGoesToTheProxyOnly) {
  TlsServer proxy(Plain(), Connects());
  EXPECT_EQ(Ask(Through(proxy, "me:p%40ss@")).status, 200);
  EXPECT_EQ(proxy.Requests().at(0).Header("Proxy-Authorization"), "Basic bWU6cEBzcw==");
  EXPECT_EQ(server_.Requests().at(0).Header("Proxy-Authorization"), "");
}

TEST_P(ProxiedTest, ARefusalNamesTheProxyAndWhatToDo) {
  const std::string server = "https://api.invalid:" + std::to_string(server_.port());
  const auto way = [&](const TlsServer& proxy) {
    return server + " through the proxy http://127.0.0.1:" + std::to_string(proxy.port()) + ": ";
  };
  TlsServer asks(Plain(), Refuses(407, "Proxy-Authenticate: Basic\r\n"));
  const Came unknown = Ask(Through(asks));
  EXPECT_EQ(unknown.status, 0);
  EXPECT_EQ(unknown.detail.find(way(asks) + "the proxy asks for a user and a password: put them"),
            0U)
      << unknown.detail;
  const Came wrong = Ask(Through(asks, "me:secret@"));
  EXPECT_EQ(wrong.detail,
            way(asks) + "the proxy refuses the user and password in the test (HTTP 407)");
  TlsServer forbids(Plain(), Refuses(403));
  EXPECT_EQ(Ask(Through(forbids)).detail, way(forbids) + "the proxy does not let us through to " +
                                              server.substr(8) +
                                              " (HTTP 403); it is named by the test");
  EXPECT_EQ(server_.connections(), 0);
}

TEST_P(ProxiedTest, AProxyThatIsNotThereIsNamed) {
  Credentials credentials;
  {
    TlsServer gone(Plain(), Connects());
    credentials = Through(gone);
  }
  const Came came = Ask(credentials);
  EXPECT_EQ(came.status, 0);
  EXPECT_EQ(came.detail, credentials.Peer() +
                             ": can't connect to the proxy: Connection refused; is the proxy "
                             "running, and reachable from here?");
}

TEST_P(ProxiedTest, AProxyThatHangsUpIsNamed) {
  TlsServer proxy(Plain(), [](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    (void)connection.ReadRequest(request);
  });
  const Credentials credentials = Through(proxy);
  EXPECT_EQ(Ask(credentials).detail, credentials.Peer() + ": the proxy hung up without an answer");
}

TEST_P(ProxiedTest, TheServersCertificateIsCheckedThroughTheTunnel) {
  TlsServer proxy(Plain(), Connects());
  Credentials credentials = Through(proxy);
  credentials.ca.inline_pem = testing::TestCa("other").pem();
  const Came came = Ask(credentials);
  EXPECT_EQ(came.status, 0);
  EXPECT_NE(came.detail.find("is not signed by the CA we were given"), std::string::npos)
      << came.detail;
}

TEST_P(ProxiedTest, SocksProxiesTunnelToo) {
  TlsServer proxy(Plain(), [this](TlsServer& self, ServerConnection& connection) {
    if (connection.ReadBytes(3) != "\5\1\0"s) return;
    connection.Write("\5\0"s);
    const std::string asked = connection.ReadBytes(7 + 11);
    SeenRequest seen;
    seen.target = asked.substr(5, 11);
    self.Note(seen);
    connection.Write("\5\0\0\1\0\0\0\0\0\0"s);
    connection.TunnelTo(server_.port());
  });
  Credentials credentials = Through(proxy);
  credentials.proxy->kind = ProxyAddress::Kind::kSocks5;
  EXPECT_EQ(Ask(credentials).status, 200);
  EXPECT_EQ(proxy.Requests().at(0).target, "api.invalid");
}

// Without TLS there is no tunnel: most proxies grant one to port 443 only.
TEST_P(ProxiedTest, WithPlainHttpTheProxyCarriesTheRequest) {
  TlsServer proxy(Plain(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    while (connection.ReadRequest(request)) {
      self.Note(request);
      connection.Answer(request.Header("Proxy-Authorization").empty() ? 407 : 200, "{}");
    }
  });
  Credentials credentials = Through(proxy, "me:pw@");
  credentials.server = ParseServerUrl("http://api.invalid:8080/base").value();
  EXPECT_EQ(Ask(credentials).status, 200);
  const std::string path = GetParam() == Way::kWatch ? "/watch" : "/";
  EXPECT_EQ(proxy.Requests().at(0).target, "http://api.invalid:8080/base" + path);
  EXPECT_EQ(proxy.Requests().at(0).Header("Host"), "api.invalid:8080");
  credentials.proxy->has_user = false;
  const Came came = Ask(credentials);
  EXPECT_EQ(came.status, 407);
  EXPECT_EQ(came.detail.find(credentials.Peer() + ": the proxy asks for a user"), 0U)
      << came.detail;
}

TEST(ProxiedRequestTest, ATunnelThatHangsEndsAtTheRequestsDeadline) {
  TlsServer proxy({}, [](TlsServer&, ServerConnection& connection) { connection.AwaitEnd(); });
  Credentials credentials = Trusting("https://api.invalid", WatchCa().pem());
  credentials.proxy =
      ParseProxyUrl("http://127.0.0.1:" + std::to_string(proxy.port()), "the test").value();
  Client client(credentials);
  for (const RequestClass klass : {RequestClass::kData, RequestClass::kControl}) {
    const Response response =
        client.Call({.klass = klass, .target = "/", .deadline = milliseconds(150)});
    EXPECT_EQ(response.status, 0);
    EXPECT_EQ(response.detail.find(credentials.Peer() + ": no whole answer within 150 ms"), 0U)
        << response.detail;
  }
}

TEST(ProxiedRequestTest, OneTunnelCarriesManyRequests) {
  TlsServer server({.identity = ServerIdentity()}, AlwaysAnswer());
  TlsServer proxy({}, [&](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    connection.Write("HTTP/1.1 200 OK\r\n\r\n");
    connection.TunnelTo(server.port());
  });
  Credentials credentials = Trusting(server.Url(), WatchCa().pem());
  credentials.proxy =
      ParseProxyUrl("http://127.0.0.1:" + std::to_string(proxy.port()), "the test").value();
  Client client(credentials);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client.Call({.klass = RequestClass::kData, .target = "/"}).status, 200);
  }
  EXPECT_EQ(proxy.connections(), 1);
}

TEST(ProxiedWatchTest, EventsComeThroughTheTunnelAsTheyAreSent) {
  TlsServer server({.identity = ServerIdentity()}, [](TlsServer& self, ServerConnection& watch) {
    SeenRequest request;
    if (!watch.ReadRequest(request)) return;
    watch.Write(kHead);
    for (int turn = 1; turn <= 3; ++turn) {
      watch.Write(Chunk(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":")" +
                        std::to_string(turn) + "\"}}}\n"));
      self.Await(turn);
    }
  });
  TlsServer proxy({}, [&](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    connection.Write("HTTP/1.1 200 OK\r\n\r\n");
    connection.TunnelTo(server.port());
  });
  Credentials credentials = Trusting(server.Url(), WatchCa().pem());
  credentials.proxy =
      ParseProxyUrl("http://127.0.0.1:" + std::to_string(proxy.port()), "the test").value();
  Client client(credentials);
  client.transport().Open({.id = 1, .target = "/watch"});
  for (int turn = 1; turn <= 3; ++turn) {
    client.RunUntil([&] { return client.streams[1].events.size() == static_cast<unsigned>(turn); });
    server.Release(turn);
  }
}

}  // namespace
}  // namespace jobrun
