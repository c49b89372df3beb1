#include "controller/app/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "controller/base/real_clock.h"
#include "tests/app/http_client.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

HttpRoutes HelloRoutes() {
  return {{"/hello", [](const HttpQuery& query, const ServerReplier& reply) {
             reply([query] { return ServerReply{.body = "hello " + query.query}; });
           }}};
}

std::unique_ptr<HttpServer> Serve(HttpRoutes routes, HttpLimits limits = {},
                                  BindAddress at = {"127.0.0.1", 0}) {
  auto server = HttpServer::Start(at, {.routes = std::move(routes), .limits = limits});
  EXPECT_TRUE(server) << server.error().ToString();
  return server ? std::move(server).value() : nullptr;
}

TEST(HttpServerTest, AnswersGet) {
  const auto server = Serve(HelloRoutes());
  const std::string answer = Get(server->Port(), "/hello?a=b");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 9\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nhello a=b"));
}

TEST(HttpServerTest, AnEmptyHostMeansBothFamilies) {
  const auto server = Serve(HelloRoutes(), {}, {"", 0});
  EXPECT_THAT(Get(server->Port(), "/hello"), HasSubstr("200 OK"));
  if (!KernelHasIpv6Loopback()) GTEST_SKIP() << "SKIPPED: the kernel has no ::1 here";
  EXPECT_THAT(server->Address(), StartsWith("[::]:"));
  EXPECT_THAT(Get(server->Port(), "/hello", "::1"), HasSubstr("200 OK"));
}

TEST(HttpServerTest, ListensOnALiteralOrAName) {
  EXPECT_THAT(Serve({})->Address(), StartsWith("127.0.0.1:"));
  const auto named = Serve(HelloRoutes(), {}, {"localhost", 0});
  EXPECT_NE(named->Port(), 0);
  if (!KernelHasIpv6Loopback()) GTEST_SKIP() << "SKIPPED: the kernel has no ::1 here";
  const auto v6 = Serve(HelloRoutes(), {}, {"::1", 0});
  EXPECT_THAT(v6->Address(), StartsWith("[::1]:"));
  EXPECT_THAT(Get(v6->Port(), "/hello", "::1"), HasSubstr("200 OK"));
}

TEST(HttpServerTest, SaysWhyItCantListen) {
  const auto first = Serve({});
  const auto second = HttpServer::Start({"127.0.0.1", first->Port()}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().ToString(),
            "listen on 127.0.0.1:" + std::to_string(first->Port()) + ": Address already in use");
  EXPECT_FALSE(HttpServer::Start({"no such host", 0}, {}));
}

TEST(HttpServerTest, HeadHasTheHeaderOfGetAndNoBody) {
  const auto server = Serve(HelloRoutes());
  HttpClient client(server->Port());
  client.Send("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 6\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST(HttpServerTest, KeepsAndPipelinesConnections) {
  const auto server = Serve(HelloRoutes());
  HttpClient client(server->Port());
  client.Send("GET /hello?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), EndsWith("hello 1"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("hello 2"));
  client.Send("HEAD /hello?3 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(true), HasSubstr("Connection: keep-alive"));
  client.Send("GET /hello?4 HTTP/1.0\r\n\r\n");
  const std::string last = client.ReadAll();
  EXPECT_THAT(last, StartsWith("HTTP/1.0 200 OK\r\n"));
  EXPECT_THAT(last, EndsWith("hello 4"));
}

TEST(HttpServerTest, TakesTheAbsoluteFormOfATarget) {
  const auto server = Serve(HelloRoutes());
  EXPECT_THAT(Get(server->Port(), "http://proxy.example/hello?x"), EndsWith("hello x"));
  EXPECT_THAT(Get(server->Port(), "http://proxy.example"), HasSubstr(" 404 "));
}

struct Odd {
  const char* why;
  std::string request;
  const char* status;
};

const std::string kTail = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
const Odd kOdds[] = {
    {"unknown path", "GET /nothing" + kTail + "\r\n", "404 Not Found"},
    {"a prefix is no route", "GET /hello/" + kTail + "\r\n", "404 Not Found"},
    {"POST", "POST /hello" + kTail + "Content-Length: 3\r\n\r\nabc", "405 Method Not Allowed"},
    {"DELETE", "DELETE /hello" + kTail + "\r\n", "405 Method Not Allowed"},
    {"a body", "GET /hello" + kTail + "Content-Length: 3\r\n\r\nabc", "413 Payload Too Large"},
    {"a chunked body",
     "GET /hello" + kTail + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
     "413 Payload Too Large"},
    {"no HTTP", "\x16\x03\x01\x02 hello hello\r\n\r\n", "400 Bad Request"},
    {"another version", "GET /hello HTTP/3.0\r\n\r\n", "400 Bad Request"},
    {"a long header", "GET /hello" + kTail + "X: " + std::string(9000, 'x') + "\r\n\r\n",
     "431 Request Header Fields Too Large"},
    {"a long target", "GET /" + std::string(9000, 'x') + kTail + "\r\n",
     "431 Request Header Fields Too Large"},
    {"a very long header", "GET /hello" + kTail + "X: " + std::string(200'000, 'x'),
     "431 Request Header Fields Too Large"},
};

TEST(OddRequestTest, IsAnsweredAndTheServerGoesOn) {
  for (const Odd& c : kOdds) {
    const auto server = Serve(HelloRoutes());
    HttpClient client(server->Port());
    client.Send(c.request);
    EXPECT_THAT(client.ReadAll(), StartsWith(std::string("HTTP/1.1 ") + c.status)) << c.why;
    EXPECT_THAT(Get(server->Port(), "/hello"), HasSubstr("200 OK"));
  }
}

TEST(HttpServerTest, A405SaysWhatIsAllowed) {
  const auto server = Serve(HelloRoutes());
  HttpClient client(server->Port());
  client.Send("PUT /hello" + kTail + "\r\n");
  EXPECT_THAT(client.ReadAll(), HasSubstr("\r\nAllow: GET, HEAD\r\n"));
}

TEST(HttpServerTest, AClientThatDribblesIsCutInTime) {
  const auto server = Serve(HelloRoutes(), {.request_deadline = 200ms});
  const Mono start = ReadClocks().mono;
  HttpClient client(server->Port());
  client.Send("GET /hello HTTP/1.1\r\n");
  // One more header line every 50 ms would go on for ever on an idle timeout.
  std::promise<void> cut;
  std::thread dribble([&] {
    const auto stopped = cut.get_future();
    while (stopped.wait_for(50ms) == std::future_status::timeout) client.Send("X: y\r\n");
  });
  EXPECT_THAT(client.ReadAll(), IsEmpty());
  cut.set_value();
  dribble.join();
  EXPECT_GE(ReadClocks().mono - start, 200ms);
  EXPECT_LT(ReadClocks().mono - start, 10s);
}

TEST(HttpServerTest, AClientThatSaysNothingIsCutInTime) {
  const auto server = Serve(HelloRoutes(), {.request_deadline = 100ms, .idle_deadline = 100ms});
  EXPECT_THAT(HttpClient(server->Port()).ReadAll(), IsEmpty());
  HttpClient idle(server->Port());
  idle.Send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(idle.ReadResponse(), EndsWith("hello "));
  EXPECT_THAT(idle.ReadAll(), IsEmpty());
}

TEST(HttpServerTest, AClientThatDoesNotReadIsCutInTime) {
  const HttpRoutes routes = {
      {"/big", [](const HttpQuery&, const ServerReplier& reply) {
         reply([] { return ServerReply{.body = std::string(64 << 20U, 'x')}; });
       }}};
  const auto server = Serve(routes, {.connections_max = 1, .write_deadline = 100ms});
  HttpClient deaf(server->Port());
  deaf.Send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_LT(deaf.ReadAll().size(), std::size_t{64} << 20U);
}

TEST(HttpServerTest, SlowClientsDontKeepOthersOut) {
  const auto server = Serve(HelloRoutes(), {.connections_max = 4});
  std::vector<std::unique_ptr<HttpClient>> slow;
  for (int i = 0; i < 12; ++i) {
    slow.push_back(std::make_unique<HttpClient>(server->Port()));
    slow.back()->Send("GET /hello HTTP/1.1\r\nX: ");
  }
  EXPECT_THAT(Get(server->Port(), "/hello"), HasSubstr("200 OK"));
  // The oldest gave way.
  EXPECT_THAT(slow.front()->ReadAll(), IsEmpty());
  slow.back()->Send("y\r\n\r\n");
  EXPECT_THAT(slow.back()->ReadResponse(), EndsWith("hello "));
}

TEST(HttpServerTest, ConnectionsBeyondTheLimitAreRefusedWhileAllAreBusy) {
  std::promise<ServerReplier> taken;
  const HttpRoutes routes = {{"/wait", [&taken](const HttpQuery&, ServerReplier reply) {
                                taken.set_value(std::move(reply));
                              }}};
  const auto server = Serve(routes, {.connections_max = 1, .reply_deadline = 15'000ms});
  HttpClient busy(server->Port());
  busy.Send("GET /wait" + kTail + "\r\n");
  const ServerReplier reply = taken.get_future().get();
  EXPECT_THAT(Get(server->Port(), "/wait"), IsEmpty());
  reply([] { return ServerReply{.body = "at last"}; });
  EXPECT_THAT(busy.ReadAll(), EndsWith("at last"));
}

TEST(HttpServerTest, AHandlerThatNeverAnswersIsA503) {
  std::vector<ServerReplier> late;
  const HttpRoutes routes = {{"/never", [&late](const HttpQuery&, ServerReplier reply) {
                                late.push_back(std::move(reply));
                              }}};
  auto server = Serve(routes, {.reply_deadline = 50ms});
  HttpClient client(server->Port());
  client.Send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  // What comes late is not taken for the answer to the next request.
  late.at(0)([] { return ServerReply{.body = "stale"}; });
  client.Send("GET /never HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), Not(HasSubstr("stale")));
  server.reset();
  late.at(0)([] { return ServerReply{.body = "far too late"}; });
}

TEST(HttpServerTest, OnlyTheFirstReplyCounts) {
  const HttpRoutes routes = {{"/twice", [](const HttpQuery&, const ServerReplier& reply) {
                                reply([] { return ServerReply{.body = "first"}; });
                                reply([] { return ServerReply{.body = "second"}; });
                              }}};
  const auto server = Serve(routes);
  EXPECT_THAT(Get(server->Port(), "/twice"), EndsWith("first"));
}

TEST(HttpServerTest, ServesManyAtOnce) {
  const auto server = Serve(HelloRoutes());
  std::atomic<int> good{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        if (Get(server->Port(), "/hello?n").ends_with("hello n")) ++good;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 200);
}

TEST(HttpServerTest, StopsWhileClientsHang) {
  auto server = Serve(HelloRoutes());
  HttpClient idle(server->Port());
  HttpClient half(server->Port());
  half.Send("GET /hel");
  EXPECT_THAT(Get(server->Port(), "/hello"), HasSubstr("200 OK"));
  server.reset();
  EXPECT_THAT(idle.ReadAll(), IsEmpty());
  EXPECT_THAT(half.ReadAll(), IsEmpty());
}

TEST(HttpQueryTest, FindsParameters) {
  const auto has = [](const char* query) { return HttpQuery{"/", query}.Has("verbose"); };
  EXPECT_TRUE(has("verbose"));
  EXPECT_TRUE(has("verbose=1"));
  EXPECT_TRUE(has("a=b&verbose"));
  EXPECT_FALSE(has(""));
  EXPECT_FALSE(has("verbosely"));
  EXPECT_FALSE(has("a=verbose&&"));
}

}  // namespace
}  // namespace jobrun
