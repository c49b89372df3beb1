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
    auto servers = StartServers({{"metrics", metrics_address, MetricsRoutes(driver_, metrics_)},
                                 {"probes", probe_address, ProbeRoutes(driver_)}},
                                log_);
    ASSERT_TRUE(servers) << servers.error().ToString();
    servers_ = std::move(servers).value();
    driver_.Start(transport_);
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
  const auto servers = StartServers({{"metrics", "0", {}}, {"probes", "0", {}}}, log);
  ASSERT_TRUE(servers);
  EXPECT_TRUE(servers->empty());
}

}  // namespace
}  // namespace jobrun
