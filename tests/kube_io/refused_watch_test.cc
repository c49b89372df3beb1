// Watches that the server does not grant.
#include <gtest/gtest.h>

#include <string>

#include "tests/kube_io/watching.h"

namespace jobrun {
namespace {

using testing::AfterRequest;
using testing::Chunk;
using testing::Client;
using testing::kHead;
using testing::ServerConnection;
using testing::ServerIdentity;
using testing::TempDir;
using testing::TlsServer;
using testing::Trusting;
using testing::WatchCa;
using testing::Watching;

struct Refusal {
  int status;
  const char* headers;
  const char* body;
  const char* detail;
  int retry_after;
};

class RefusedWatchTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusedWatchTest, ClosesWithTheServersWords) {
  const Refusal& refusal = GetParam();
  Watching watching([&](TlsServer&, ServerConnection& connection) {
    connection.Answer(refusal.status, refusal.body, refusal.headers);
  });
  const StreamClosed closed = watching.RunToEnd();
  EXPECT_EQ(closed.status, refusal.status);
  EXPECT_EQ(closed.retry_after.value_or(std::chrono::seconds(-1)).count(), refusal.retry_after);
  const std::string detail = closed.detail;
  EXPECT_NE(detail.find(refusal.detail), std::string::npos) << detail;
  EXPECT_EQ(watching.seen().opened, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedWatchTest,
    ::testing::Values(
        Refusal{410, "", R"x({"kind":"Status","message":"too old resource version: 1 (2)"})x",
                "too old resource version: 1 (2)", -1},
        Refusal{403, "", R"({"kind":"Status","message":"jobruns is forbidden: no permission"})",
                "jobruns is forbidden: no permission", -1},
        Refusal{429, "Retry-After: 5\r\n", R"({"kind":"Status","message":"slow down"})",
                "slow down", 5},
        Refusal{404, "", "404 page not found\n", " answered the watch with HTTP 404", -1},
        Refusal{503, "Retry-After: 1\r\n", "", " answered the watch with HTTP 503", 1},
        Refusal{401, "", R"({"kind":"Status","message":"Unauthorized"})",
                " refused the token (401); it comes from the test: is it expired", -1}));

TEST(RefusedOnceTest, ARefusalWithoutEndIsCutOff) {
  Watching watching([](TlsServer&, ServerConnection& connection) {
    connection.Write("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; ++i) connection.Write(Chunk(std::string(1000, 'x')));
    connection.AwaitEnd();
  });
  EXPECT_EQ(watching.RunToEnd().status, 500);
}

TEST(RefusedOnceTest, AsksAgainWithAFreshTokenOnce) {
  const TempDir dir;
  TlsServer server({.identity = ServerIdentity()},
                   AfterRequest([&](TlsServer& self, ServerConnection& connection) {
                     const bool good =
                         self.Requests().back().Header("Authorization") == "Bearer fresh";
                     dir.Write("token", "fresh");
                     if (!good) return connection.Answer(401, "{}");
                     connection.Write(kHead + std::string("0\r\n\r\n"));
                   }));
  Credentials credentials = Trusting(server.Url(), WatchCa().pem());
  credentials.token_file = dir.Write("token", "stale");
  Client client(credentials);
  client.transport().Open({.id = 1, .target = "/"});
  client.RunUntil([&] { return !client.streams[1].closed.empty(); });
  EXPECT_EQ(client.streams[1].opened, 1);
  EXPECT_EQ(server.Requests().size(), 2U);
}

}  // namespace
}  // namespace jobrun
