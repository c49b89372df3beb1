#include "controller/app/endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/app/fake_parts.h"
#include "tests/app/http_client.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(LivenessTest, IsAboutTheLoopOnly) {
  EXPECT_EQ(LivenessReply(30s, false).status, 200);
  EXPECT_EQ(LivenessReply(30s, false).body, "ok\n");
  EXPECT_EQ(LivenessReply(30s + 1ns, false).status, 503);
  EXPECT_EQ(LivenessReply(31s, false).body, "loop: no turn for 31 s\n");
  EXPECT_EQ(LivenessReply(2s, true).body, "[+]loop ok (last turn 2 s ago)\npassed\n");
  EXPECT_EQ(LivenessReply(31s, true).body, "[-]loop failed: no turn for 31 s\nfailed\n");
}

TEST(ReadinessTest, NeedsASyncAndNoProblem) {
  EXPECT_EQ(ReadinessReply({.synced = true}, false).status, 200);
  EXPECT_EQ(ReadinessReply({.synced = true}, false).body, "ok\n");
  EXPECT_EQ(ReadinessReply({}, false).status, 503);
  EXPECT_EQ(ReadinessReply({}, false).body, "sync: no complete list of runs seen yet\n");
  EXPECT_EQ(ReadinessReply({.synced = true, .problem = "403 for jobruns"}, false).body,
            "api-server: 403 for jobruns\n");
  EXPECT_EQ(ReadinessReply({.synced = true, .stopping = true}, false).body, "running: stopping\n");
}

TEST(ReadinessTest, HeldLanesAreToldButDontCount) {
  const ServerReply reply = ReadinessReply({.synced = true, .held_lanes = "a,b"}, true);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            "[+]running ok\n[+]api-server ok\n[+]sync ok\n[+]configuration ok (held lanes: "
            "a,b)\npassed\n");
}

// Not copyable, so no list in braces.
std::vector<Listener> ListOf(Listener first,
                             Listener second = {.address = std::string(kNoServer)}) {
  std::vector<Listener> listeners;
  listeners.push_back(std::move(first));
  listeners.push_back(std::move(second));
  return listeners;
}

// A driver whose loop runs on a thread of its own, behind real sockets.
class EndpointsTest : public ::testing::Test {
 protected:
  EndpointsTest() {
    parts_.engine = [](const Input& input, Effects& out) {
      if (const auto* asked = std::get_if<ScrapeAsked>(&input))
        out.push_back(Answer{asked->id, {}});
    };
    parts_.health.synced = true;
  }

  void Start(const char* metrics_address, const char* probe_address) {
    auto servers =
        StartServers(ListOf({"metrics", metrics_address, MetricsRoutes(driver_, metrics_)},
                            {"probes", probe_address, ProbeRoutes(driver_)}),
                     log_);
    ASSERT_TRUE(servers) << servers.error().ToString();
    servers_ = std::move(servers).value();
    driver_.Start(transport_);
  }
  // Metrics for holders of tokens only; `api` answers the reviews.
  void StartReviewed(std::function<Response(const Request&)> api) {
    auto servers = StartServers(
        ListOf({"metrics", "127.0.0.1:0", MetricsRoutes(driver_, metrics_, Readers::kReviewed)}),
        log_);
    ASSERT_TRUE(servers) << servers.error().ToString();
    servers_ = std::move(servers).value();
    driver_.Start(transport_);
    transport_.on_send = [this, api = std::move(api)](const Request& request) {
      Response response = api(request);
      response.id = request.id;
      driver_.OnResponse(std::move(response));
    };
    RunLoop();
  }
  [[nodiscard]] std::string Asked(const std::string& target, const std::string& token) const {
    HttpClient client(servers_.at(0)->Port());
    client.Send("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
                (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") + "\r\n");
    return client.ReadAll();
  }
  // Knows the token "good"; its holder may get /metrics and the run ns/a.
  static Response LikeAnApiServer(const Request& request) {
    const auto has = [&request](const char* text) {
      return request.body.find(text) != std::string::npos;
    };
    if (request.target.ends_with("/tokenreviews")) {
      return {.status = 201,
              .body = has(R"("token":"good")")
                          ? R"({"status":{"authenticated":true,"user":{"username":"prom"}}})"
                          : R"({"status":{}})"};
    }
    EXPECT_TRUE(request.target.ends_with("/subjectaccessreviews"));
    const bool allowed =
        has(R"("path":"/metrics","verb":"get")") || has(R"("namespace":"ns","name":"a")");
    return {.status = 201,
            .body = allowed ? R"({"status":{"allowed":true}})" : R"({"status":{"allowed":false}})"};
  }
  void RunLoop() {
    loop_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        if (parts_.RunPosted() == 0) std::this_thread::yield();
      }
    });
  }

  FakeParts parts_{};
  FakeLog log_{};
  FakeTransport transport_{};
  Metrics metrics_{{"1", "api:6443"}};
  Driver driver_{parts_.Parts(), metrics_, log_};
  std::vector<std::unique_ptr<HttpServer>> servers_{};
  std::jthread loop_{};
};

TEST_F(EndpointsTest, MetricsAreServedInPrometheusFormat) {
  Start("127.0.0.1:0", "127.0.0.1:0");
  RunLoop();
  const std::string answer = Get(servers_.at(0)->Port(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("\njobrun_build_info{version=\"1\"} 1\n"));
  EXPECT_THAT(answer, HasSubstr("\nprocess_open_fds "));
  EXPECT_THAT(Get(servers_.at(0)->Port(), "/livez"), HasSubstr(" 404 "));
}

TEST_F(EndpointsTest, ARunIsExplained) {
  parts_.engine = [](const Input& input, Effects& effects) {
    const auto* asked = std::get_if<ExplainAsked>(&input);
    if (asked == nullptr) return;
    Answer answer{.id = asked->id};
    if (asked->name == "a") {
      answer.explanation = Explanation{.run = asked->name_space + "/a", .words = "it is well"};
    }
    effects.emplace_back(answer);
  };
  Start("127.0.0.1:0", "0");
  RunLoop();
  const std::uint16_t port = servers_.at(0)->Port();
  const std::string answer = Get(port, "/debug/explain?run=ns%2Fa");
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(answer, HasSubstr(R"("run":"ns/a")"));
  EXPECT_THAT(answer, HasSubstr(R"("summary":"it is well")"));
  EXPECT_THAT(Get(port, "/debug/explain?run=ns/b"), HasSubstr(" 404 "));
  for (const char* target : {"/debug/explain", "/debug/explain?run=a", "/debug/explain?run=%2"}) {
    EXPECT_THAT(Get(port, target), HasSubstr(" 400 "));
  }
}

TEST_F(EndpointsTest, ProbesAreServed) {
  Start("0", "127.0.0.1:0");
  RunLoop();
  ASSERT_EQ(servers_.size(), 1U);
  const std::uint16_t port = servers_[0]->Port();
  EXPECT_THAT(Get(port, "/healthz"), EndsWith("\r\n\r\nok\n"));
  EXPECT_THAT(Get(port, "/livez?verbose"), HasSubstr("[+]loop ok"));
  EXPECT_THAT(Get(port, "/readyz"), EndsWith("\r\n\r\nok\n"));
  EXPECT_THAT(Get(port, "/readyz?verbose=1"), HasSubstr("[+]sync ok"));
}

TEST_F(EndpointsTest, AStuckLoopAnswersNeitherScrapesNorReadiness) {
  Start("0", "127.0.0.1:0");
  const std::uint16_t port = servers_.at(0)->Port();
  EXPECT_THAT(Get(port, "/livez"), HasSubstr("200 OK"));
  parts_.Advance(31s);
  EXPECT_THAT(Get(port, "/livez"), HasSubstr("503 Service Unavailable"));
  EXPECT_THAT(Get(port, "/readyz"), HasSubstr("503 Service Unavailable"));
}

TEST_F(EndpointsTest, OneAddressServesEverything) {
  const std::uint16_t port = HttpServer::Start({"127.0.0.1", 0}, {}).value()->Port();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  Start(address.c_str(), address.c_str());
  RunLoop();
  ASSERT_EQ(servers_.size(), 1U);
  EXPECT_THAT(Get(port, "/metrics"), HasSubstr("200 OK"));
  EXPECT_THAT(Get(port, "/livez"), HasSubstr("200 OK"));
  EXPECT_THAT(log_.lines, testing::ElementsAre("serving metrics and probes"));
}

TEST_F(EndpointsTest, ManyScrapesAtOnceAreAllAnswered) {
  Start("127.0.0.1:0", "0");
  RunLoop();
  std::atomic<int> good{0};
  std::vector<std::jthread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        if (Get(servers_[0]->Port(), "/metrics").find("jobrun_build_info") != std::string::npos)
          ++good;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(good, 40);
}

TEST(StartServersTest, NoAddressNoServer) {
  FakeLog log;
  const auto servers = StartServers(ListOf({"metrics", "0", {}}, {"probes", "0", {}}), log);
  ASSERT_TRUE(servers);
  EXPECT_TRUE(servers->empty());
}

TEST_F(EndpointsTest, ReviewedMetricsNeedAToken) {
  StartReviewed(LikeAnApiServer);
  EXPECT_THAT(Asked("/metrics", "good"), HasSubstr("\njobrun_build_info{version=\"1\"} 1\n"));
  EXPECT_THAT(Asked("/metrics", ""), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Asked("/metrics", "bad"), StartsWith("HTTP/1.1 401 "));
}

TEST_F(EndpointsTest, ReviewedExplanationsNeedTheRightToGetTheRun) {
  parts_.engine = [](const Input& input, Effects& effects) {
    const auto* asked = std::get_if<ExplainAsked>(&input);
    if (asked == nullptr) return;
    effects.push_back(Answer{.id = asked->id, .explanation = Explanation{.run = "ns/a"}});
  };
  StartReviewed(LikeAnApiServer);
  EXPECT_THAT(Asked("/debug/explain?run=ns/a", "good"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Asked("/debug/explain?run=ns/b", "good"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Asked("/debug/explain?run=ns/a", ""), StartsWith("HTTP/1.1 401 "))
      << "also for clients of this machine";
  EXPECT_THAT(Asked("/debug/explain?run=ns", "good"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Asked("/debug/explain?run=n%0As/a", "good"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(EndpointsTest, WithoutTheApiServerReviewedMetricsAreUnavailable) {
  StartReviewed([](const Request&) { return Response{.status = 0, .detail = "refused"}; });
  EXPECT_THAT(Asked("/metrics", "good"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(EndpointsTest, SecureMetricsShareNoAddress) {
  const auto servers = StartServers(ListOf({.what = "metrics",
                                            .address = "127.0.0.1:8080",
                                            .tls = ServerTls::Load({}, log_).value()},
                                           {.what = "probes", .address = "127.0.0.1:8080"}),
                                    log_);
  ASSERT_FALSE(servers);
  EXPECT_THAT(servers.error().ToString(), HasSubstr("an address of their own"));
}

}  // namespace
}  // namespace jobrun
