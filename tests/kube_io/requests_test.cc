// What both clients must do alike, and what only the data path promises.
#include <gtest/gtest.h>

#include <string>

#include "controller/base/real_clock.h"
#include "controller/base/rfc3339.h"
#include "tests/kube_io/client.h"
#include "tests/kube_io/tls_server.h"

namespace jobrun {
namespace {

using std::chrono::milliseconds;
using testing::AlwaysAnswer;
using testing::Client;
using testing::Identity;
using testing::SeenRequest;
using testing::ServerConnection;
using testing::TempDir;
using testing::TestCa;
using testing::TlsServer;
using testing::Trusting;

const TestCa& Ca() {
  static const TestCa ca;
  return ca;
}

TlsServer::Options Secure(const std::string& address = "127.0.0.1") {
  static const Identity identity = Ca().Issue();
  return {.address = address, .identity = identity};
}

Credentials To(const TlsServer& server) { return Trusting(server.Url(), Ca().pem()); }

class RequestsTest : public ::testing::TestWithParam<RequestClass> {
 protected:
  static Request Get(const std::string& target = "/version") {
    return {.klass = GetParam(), .method = Method::kGet, .target = target};
  }
  static Request Patch() {
    return {.klass = GetParam(),
            .method = Method::kPatch,
            .target = "/apis/jobrun.dev/v1/namespaces/a/jobruns/b/status?fieldManager=x",
            .content_type = "application/merge-patch+json",
            .body = R"({"status":{"phase":"Stuck"}})"};
  }
};

INSTANTIATE_TEST_SUITE_P(Classes, RequestsTest,
                         ::testing::Values(RequestClass::kData, RequestClass::kControl,
                                           RequestClass::kEvent),
                         [](const auto& tested) {
                           if (tested.param == RequestClass::kEvent) return "Event";
                           return tested.param == RequestClass::kData ? "Data" : "Control";
                         });

TEST_P(RequestsTest, CarryEverythingThereAndBack) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    self.Note(request);
    connection.Answer(409, R"({"kind":"Status"})",
                      "Date: Sun, 22 Nov 2026 01:02:03 GMT\r\nRetry-After: 3\r\n");
  });
  Client client(To(server), {.user_agent = "jobrun-test/1"});
  const Mono before = ReadClocks().mono;
  const Response response = client.Call(Patch());
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.body, R"({"kind":"Status"})");
  EXPECT_EQ(response.date, ParseRfc3339("2026-11-22T01:02:03Z"));
  EXPECT_EQ(response.retry_after, std::chrono::seconds(3));
  EXPECT_LE(before, response.sent_at);
  EXPECT_LT(response.sent_at, response.received_at);

  const SeenRequest seen = server.Requests().at(0);
  EXPECT_EQ(seen.method, "PATCH");
  EXPECT_EQ(seen.target, Patch().target);
  EXPECT_EQ(seen.body, Patch().body);
  EXPECT_EQ(seen.Header("Authorization"), "Bearer secret");
  EXPECT_EQ(seen.Header("Content-Type"), "application/merge-patch+json");
  EXPECT_EQ(seen.Header("Accept"), "application/json");
  EXPECT_EQ(seen.Header("User-Agent"), "jobrun-test/1");
  EXPECT_EQ(seen.Header("Host"), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(seen.Header("Accept-Encoding"), "") << "gzip costs more than it saves";
}

TEST_P(RequestsTest, KeepOneConnectionForManyRequests) {
  TlsServer server(Secure(), AlwaysAnswer());
  Client client(To(server));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.Call(Get()).status, 200);
  // cpprestsdk answers before it puts the connection back, so that it may open a second one.
  EXPECT_LE(server.connections(), GetParam() == RequestClass::kData ? 1 : 3);
  EXPECT_EQ(server.Requests().size(), 20U);
}

TEST_P(RequestsTest, GoBehindTheServersBasePath) {
  TlsServer server(Secure(), AlwaysAnswer());
  Credentials credentials = To(server);
  credentials.server.base_path = "/k8s/clusters/c-1";
  Client client(credentials);
  EXPECT_EQ(client.Call(Get("/api?a=%2Fb%20c&limit=5")).status, 200);
  EXPECT_EQ(server.Requests().at(0).target, "/k8s/clusters/c-1/api?a=%2Fb%20c&limit=5");
}

TEST_P(RequestsTest, ReachIpv6Literals) {
  TlsServer server(Secure("::1"), AlwaysAnswer());
  Client client(To(server));
  EXPECT_EQ(client.Call(Get()).status, 200);
  EXPECT_EQ(server.Requests().at(0).Header("Host"), "[::1]:" + std::to_string(server.port()));
}

TEST_P(RequestsTest, ReachServersWithoutTls) {
  TlsServer server({}, AlwaysAnswer());
  Client client(Trusting(server.Url(), "", ""));
  EXPECT_EQ(client.Call(Patch()).status, 200);
  EXPECT_EQ(server.Requests().at(0).Header("Authorization"), "");
}

TEST_P(RequestsTest, EndAtTheirDeadline) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    while (connection.ReadRequest(request)) self.Note(request);  // and never answers
  });
  Client client(To(server));
  Request request = Get();
  request.deadline = milliseconds(150);
  const Mono before = ReadClocks().mono;
  const Response response = client.Call(request);
  EXPECT_GE(ReadClocks().mono - before, request.deadline);
  EXPECT_EQ(response.status, 0);
  EXPECT_EQ(response.detail, server.Url() +
                                 ": no whole answer within 150 ms; is it overloaded, or is "
                                 "something on the way?");
}

// A server that dribbles never falls silent for long.
TEST_P(RequestsTest, EndAtTheirDeadlineInTheMiddleOfABody) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf a body");
    self.Await(1);
  });
  Client client(To(server));
  Request request = Get();
  request.deadline = milliseconds(150);
  EXPECT_EQ(client.Call(request).status, 0);
}

TEST_P(RequestsTest, ThatLostTheirAnswerAreUnknown) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    self.Note(request);
    if (connection.number() == 2) connection.Reset();
  });
  Client client(To(server));
  for (int i = 1; i <= 2; ++i) {
    const Response response = client.Call(Patch());
    EXPECT_EQ(response.status, 0);
    EXPECT_NE(response.detail.find(server.Url()), std::string::npos) << response.detail;
    EXPECT_EQ(server.Requests().size(), static_cast<std::size_t>(i)) << "sent once each";
  }
}

TEST_P(RequestsTest, FollowNoRedirectAndTakeTheTokenNowhere) {
  TlsServer other(Secure(), AlwaysAnswer());
  TlsServer server(Secure(), [&](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    connection.Answer(307, "", "Location: " + other.Url() + "/version\r\n");
  });
  Client client(To(server));
  EXPECT_EQ(client.Call(Get()).status, 307);
  EXPECT_EQ(other.connections(), 0);
}

TEST_P(RequestsTest, AreSentAgainWithAFreshTokenOnce) {
  const TempDir dir;
  TlsServer server(Secure(), [&](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    while (connection.ReadRequest(request)) {
      self.Note(request);
      const bool good = request.Header("Authorization") == "Bearer fresh";
      if (self.Requests().size() == 1) dir.Write("token", "fresh");
      connection.Answer(good ? 200 : 401, request.body);
    }
  });
  Credentials credentials = To(server);
  credentials.token_file = dir.Write("token", "stale");
  Client client(credentials);
  const Response response = client.Call(Patch());
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, Patch().body) << "the body went along";
  EXPECT_EQ(server.Requests().size(), 2U);
}

TEST_P(RequestsTest, RefusedForTheirTokenSayWhoseItIs) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    while (connection.ReadRequest(request)) {
      self.Note(request);
      connection.Answer(401, "{}");
    }
  });
  Client client(To(server));
  const Response response = client.Call(Get());
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.detail, server.Url() +
                                 " refused the token (401); it comes from the test: is "
                                 "it expired, or of another cluster?");
  EXPECT_EQ(server.Requests().size(), 1U);
}

TEST_P(RequestsTest, WithABodyThatIsTooLargeAreCutOff) {
  TlsServer server(Secure(), [](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    if (request.target == "/length") return connection.Answer(200, std::string(1001, 'x'));
    connection.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; ++i) connection.Write("64\r\n" + std::string(100, 'x') + "\r\n");
    connection.Write("0\r\n\r\n");
  });
  Client client(To(server), {.body_bytes_max = 1000});
  for (const char* target : {"/length", "/chunked"}) {
    const Response response = client.Call(Get(target));
    EXPECT_EQ(response.status, 0) << target;
    EXPECT_TRUE(response.too_large) << target;
    EXPECT_EQ(response.detail, server.Url() + ": the answer is larger than 1000 bytes");
  }
}

TEST_P(RequestsTest, OfAThousandAreEachAnsweredOnce) {
  TlsServer server(Secure(), AlwaysAnswer());
  Client client(To(server), {.data_connections = 4, .control_calls = 4});
  constexpr std::size_t kMany = 1000;
  for (RequestId id = 1; id <= kMany; ++id) {
    Request request = Get("/" + std::to_string(id));
    request.id = id;
    request.deadline = std::chrono::minutes(2);  // most of them wait for their turn
    client.Send(std::move(request));
  }
  client.RunUntil([&] { return client.responses.size() == kMany; });
  std::vector<bool> answered(kMany + 1);
  for (const Response& response : client.responses) {
    EXPECT_EQ(response.status, 200);
    EXPECT_FALSE(answered[response.id]);
    answered[response.id] = true;
  }
  // See above for cpprestsdk.
  EXPECT_LE(server.connections(), GetParam() == RequestClass::kData ? 4 : 12);
}

TEST_P(RequestsTest, WaitForATurnNoLongerThanTheirDeadline) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (connection.ReadRequest(request)) self.Await(1);
  });
  Client client(To(server), {.data_connections = 1, .control_calls = 1});
  for (RequestId id = 1; id <= 3; ++id) {
    Request request = Get();
    request.id = id;
    request.deadline = milliseconds(150);
    client.Send(std::move(request));
  }
  client.RunUntil([&] { return client.responses.size() == 3; });
  for (const Response& response : client.responses) EXPECT_EQ(response.status, 0);
}

TEST_P(RequestsTest, BeyondWhatMayWaitAreRefused) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (connection.ReadRequest(request)) self.Await(1);
  });
  Client client(To(server), {.data_connections = 1, .control_calls = 1});
  for (RequestId id = 1; id <= 4098; ++id) client.Send(Get());
  client.RunUntil([&] { return client.responses.size() == 1; });
  EXPECT_EQ(client.responses[0].status, 0);
}

TEST_P(RequestsTest, WithoutAUsableTargetAreAnsweredLocally) {
  TlsServer server(Secure(), AlwaysAnswer());
  Client client(To(server));
  for (const char* target : {"", "version", "/a b", "/a\r\nX: y"}) {
    EXPECT_EQ(client.Call(Get(target)).detail, "the request has no usable target");
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST_P(RequestsTest, UnderWayAtTheEndAreDropped) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    self.Note(request);
    connection.AwaitEnd();
  });
  {
    Client client(To(server));
    client.Send(Get());
    client.RunFor(milliseconds(50));
  }
  EXPECT_LE(server.Requests().size(), 1U);
}

TEST_P(RequestsTest, SurviveAServerThatClosesAfterEachAnswer) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    self.Note(request);
    connection.Answer(200, "{}", "Connection: close\r\n");
  });
  Client client(To(server));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.Call(Patch()).status, 200);
  EXPECT_EQ(server.connections(), 5);
}

// ---- the data path's own promises ----

class DataPathTest : public RequestsTest {};
INSTANTIATE_TEST_SUITE_P(Classes, DataPathTest, ::testing::Values(RequestClass::kData));

// The first request of a connection is answered; the second is read, then the connection breaks.
TlsServer::Script BreaksOnReuse() {
  return [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    self.Note(request);
    connection.Answer(200, "{}");
    if (!connection.ReadRequest(request)) return;
    self.Note(request);
  };
}

TEST_P(DataPathTest, APatchIsNeverReplayed) {
  TlsServer server(Secure(), BreaksOnReuse());
  Client client(To(server));
  EXPECT_EQ(client.Call(Patch()).status, 200);
  EXPECT_EQ(client.Call(Patch()).status, 0);
  EXPECT_EQ(server.Requests().size(), 2U);
  EXPECT_EQ(client.Call(Patch()).status, 200);
}

TEST_P(DataPathTest, AGetIsReplayedOnce) {
  TlsServer server(Secure(), BreaksOnReuse());
  Client client(To(server));
  EXPECT_EQ(client.Call(Get()).status, 200);
  EXPECT_EQ(client.Call(Get()).status, 200);
  EXPECT_EQ(server.Requests().size(), 3U);
}

TEST_P(DataPathTest, ConnectionsThatEndWhileIdleAreNotReused) {
  TlsServer server(Secure(), [](TlsServer& self, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    self.Note(request);
    connection.Answer(200, "{}");  // keep-alive, but then it goes
    self.Await(connection.number());
  });
  Client client(To(server));
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(client.Call(Patch()).status, 200) << i;
    server.Release(i);
    client.RunFor(milliseconds(50));  // long enough to hear of the end
  }
  EXPECT_EQ(server.Requests().size(), 5U);
}

// A connection made with files that have changed since is not used again.
TEST_P(DataPathTest, OldCertificatesLeaveWithTheirConnections) {
  const TempDir dir;
  TlsServer server(Secure(), AlwaysAnswer());
  Credentials credentials = To(server);
  credentials.ca.inline_pem.clear();
  credentials.ca.file = dir.Write("ca.crt", Ca().pem());
  Client client(credentials);
  EXPECT_EQ(client.Call(Get()).status, 200);
  dir.Write("ca.crt", TestCa("next").pem() + Ca().pem());
  client.Send(Get());
  client.Send(Get());  // opens a connection, which notices
  client.RunUntil([&] { return client.responses.size() == 2; });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.Call(Get()).status, 200);
    EXPECT_EQ(server.Requests().back().connection, 2);
  }
}

}  // namespace
}  // namespace jobrun
