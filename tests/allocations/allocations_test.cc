// A heartbeat in steady state costs no allocation, on its whole way: socket, TLS, framing,
// decoding, engine, metrics, timers.
#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <memory>
#include <string>
#include <string_view>

#include "controller/app/driver.h"
#include "controller/base/random.h"
#include "controller/base/real_clock.h"
#include "controller/base/rfc3339.h"
#include "controller/engine/engine.h"
#include "controller/kube/make_transport.h"
#include "tests/allocations/counting_malloc.h"
#include "tests/bench/loadserver/run_text.h"
#include "tests/bench/micro/loaded_engine.h"
#include "tests/kube_io/tls_server.h"

namespace jobrun {
namespace {

using bench::RunFields;
using bench::RunText;
using testing::Allocations;
using testing::SeenRequest;
using testing::ServerConnection;
using testing::TestCa;
using testing::TlsAllocations;
using testing::TlsServer;

constexpr std::uint32_t kRuns = 2000;
constexpr std::uint64_t kFirstVersion = 1'000'000'000;
constexpr std::string_view kDate = "2026-11-22T01:02:03Z";
constexpr int kBatch = 10;    // heartbeats that come together
constexpr int kWarmUp = 500;  // batches until every buffer has its size
constexpr int kCounted = 1000;

// The watch rests as it does when it is busy, but not for long.
const TransportOptions kQuick{.watch_rest_min = std::chrono::microseconds(100),
                              .watch_rest_max = std::chrono::microseconds(200)};

// The server's end: a WatchList of all runs, and then a batch of heartbeats whenever it is told to.
class Beating {
 public:
  void operator()(TlsServer& server, ServerConnection& connection) {
    SeenRequest request;
    while (connection.ReadRequest(request)) {
      if (request.target.find("/jobruns?") != std::string::npos) return Watch(server, connection);
      connection.Answer(200, "{}");
    }
  }

 private:
  void Watch(TlsServer& server, ServerConnection& connection) {
    std::string bytes =
        "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 01:02:03 GMT\r\nTransfer-Encoding: "
        "chunked\r\n\r\n";
    for (std::uint32_t i = 0; i < kRuns; ++i) Append(RunText::Event::kAdded, i, bytes);
    bytes += bench::Chunk(
        R"({"type":"BOOKMARK","object":{"kind":"JobRun","metadata":{"resourceVersion":")" +
        std::to_string(version_) +
        R"(","annotations":{"k8s.io/initial-events-end":"true"}}}})"
        "\n");
    connection.Write(bytes);
    for (int batch = 1; batch <= kWarmUp + kCounted; ++batch) {
      server.Await(batch);
      bytes.clear();
      for (int i = 0; i < kBatch; ++i) {
        Append(RunText::Event::kModified, static_cast<std::uint32_t>(random_.Below(kRuns)), bytes);
      }
      connection.Write(bytes);
    }
    connection.AwaitEnd();
  }
  void Append(RunText::Event event, std::uint32_t run, std::string& out) {
    ++version_;
    const std::chrono::microseconds since(version_ - kFirstVersion);
    text_.AppendChunk(event, {.number = run, .version = version_, .heartbeat = kStart + since},
                      out);
  }

  static inline const ServerTime kStart = *ParseRfc3339(kDate);
  RunText text_{{.interval_seconds = 30, .timeout_seconds = 150}, kStart - std::chrono::minutes(1)};
  std::uint64_t version_{kFirstVersion};
  Random random_{1};
};

class QuietLog : public LogSink {
 public:
  void Write(const LogLine& line) override {
    if (line.level >= LogLevel::kWarn) ADD_FAILURE() << line.message;
  }
};

// The whole controller but for its command line and its own HTTP servers. Asks for the next batch
// when one has come, and stops when all have.
class Controller : public TransportSink {
 public:
  explicit Controller(TlsServer& server, const std::string& ca) : server_(server) {
    Credentials credentials;
    credentials.server = ParseServerUrl(server.Url()).value();
    credentials.ca.inline_pem = ca;
    credentials.token = "secret";
    transport_ = std::move(MakeTransport(loop_, std::move(credentials), kQuick, *this)).value();
  }
  void Run() {
    driver_.Start(*transport_);
    loop_.Run();
  }
  [[nodiscard]] std::uint64_t Counted() const { return last_ - first_; }
  [[nodiscard]] std::uint64_t CountedOfTls() const { return last_of_tls_ - first_of_tls_; }

  void OnResponse(Response response) override { driver_.OnResponse(std::move(response)); }
  void OnStreamOpened(const StreamOpened& opened) override { driver_.OnStreamOpened(opened); }
  void OnStreamEvents(const StreamEvents& events) override {
    driver_.OnStreamEvents(events);
    for (const Event& event : events.events) {
      if (event.type == EventType::kBookmark) server_.Release(++batch_);
      if (event.type == EventType::kModified && ++beats_ % kBatch == 0) Next();
    }
  }
  void OnStreamClosed(StreamClosed closed) override {
    ADD_FAILURE() << closed.detail;
    loop_.Stop();
  }

 private:
  void Next() {
    last_ = Allocations();
    last_of_tls_ = TlsAllocations();
    if (batch_ == kWarmUp) {
      first_ = last_;
      first_of_tls_ = last_of_tls_;
    }
    if (batch_ == kWarmUp + kCounted) return loop_.Stop();
    server_.Release(++batch_);
  }

  TlsServer& server_;
  EventLoop loop_;
  QuietLog log_;
  Engine engine_{{.process_id = "allocations"}, ReadClocks()};
  Metrics metrics_{{.version = "1", .api_host = "api:6443"}};
  Driver driver_{PartsOf(engine_, loop_), metrics_, log_};
  std::unique_ptr<Transport> transport_;
  int batch_{0};
  int beats_{0};
  std::uint64_t first_{0};
  std::uint64_t last_{0};
  std::uint64_t first_of_tls_{0};
  std::uint64_t last_of_tls_{0};
};

TEST(AllocationsTest, AreCounted) {
  const std::uint64_t before = Allocations();
  const auto made = std::make_unique<std::string>(100, 'a');
  EXPECT_EQ(Allocations() - before, 2U);
  const std::uint64_t before_tls = TlsAllocations();
  OPENSSL_free(OPENSSL_malloc(1));
  EXPECT_EQ(TlsAllocations() - before_tls, 1U);
}

TEST(AllocationsTest, AHeartbeatCostsNone) {
  const TestCa ca;
  TlsServer server({.identity = ca.Issue()},
                   [beating = std::make_shared<Beating>()](auto& self, auto& connection) {
                     (*beating)(self, connection);
                   });
  Controller controller(server, ca.pem());
  controller.Run();
  EXPECT_EQ(controller.Counted(), 0U) << "in " << kCounted * kBatch << " heartbeats";
  EXPECT_EQ(controller.CountedOfTls(), kCounted) << "a record is a batch";
}

// A run comes due for a look once a timeout; when it has beaten since, it is looked at again later.
TEST(AllocationsTest, ALookAtARunThatBeatsCostsNone) {
  constexpr int kRounds = 140;  // of 4 s: less than a watch lasts
  bench::LoadedEngine engine(kRuns);
  std::uint64_t counted = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (auto run = static_cast<std::uint32_t>(round % kBatch); run < kRuns; run += kBatch) {
      engine.Beat(run);
    }
    engine.Pass(std::chrono::seconds(4));
    const std::uint64_t before = Allocations();
    engine.Give(Woke{});
    if (round >= kRounds / 2) counted += Allocations() - before;
  }
  EXPECT_EQ(counted, 0U);
}

}  // namespace
}  // namespace jobrun
