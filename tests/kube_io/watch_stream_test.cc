#include "controller/kube/watch_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "controller/base/real_clock.h"
#include "tests/kube_io/watching.h"

namespace jobrun {
namespace {

using std::chrono::milliseconds;
using testing::AfterRequest;
using testing::Chunk;
using testing::Client;
using testing::kHead;
using testing::SeenRequest;
using testing::ServerConnection;
using testing::ServerIdentity;
using testing::TlsServer;
using testing::Trusting;
using testing::WatchCa;
using testing::Watching;

std::string Line(const char* type, const std::string& name, int version) {
  return std::string(R"({"type":")") + type +
         R"(","object":{"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":")" + name +
         R"(","namespace":"ns","uid":"0b0f1d6e-3c54-4a57-9d0e-1d2f3a4b5c6d","resourceVersion":")" +
         std::to_string(version) +
         R"(","generation":1,"creationTimestamp":"2026-11-22T01:02:03Z"},"spec":{"lane":"etl"},)" +
         R"("status":{"phase":"Running","claimedAt":"2026-11-22T01:02:03Z",)" +
         R"("lastHeartbeatAt":"2026-11-22T01:02:04.00000)" + std::to_string(version % 10) +
         "Z\"}}}\n";
}

std::string ErrorLine() {
  return R"({"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old",)"
         R"("reason":"Expired","code":410}})"
         "\n";
}

// What a watch of these lines must tell.
std::vector<std::string> Expected(const std::vector<std::string>& lines) {
  std::vector<std::string> events;
  LineSplitter splitter;
  EventDecoder decoder;
  for (const std::string& line : lines) {
    std::copy(line.begin(), line.end(), splitter.Prepare(line.size()));
    splitter.Commit(line.size());
    std::string_view text;
    if (splitter.Next(text) == LineSplitter::Found::kLine) {
      events.push_back(testing::Describe(decoder.DecodeLine(text)));
    }
  }
  return events;
}

const std::vector<std::string>& Recorded() {
  static const std::vector<std::string> lines = {Line("ADDED", "one", 1),
                                                 Line("MODIFIED", "two", 2), "nonsense\n",
                                                 Line("DELETED", "\\u00fcnf", 5), ErrorLine()};
  return lines;
}

// The recorded lines as chunks: one each, but the second in three, and the last two in one.
std::string RecordedBody() {
  const auto& lines = Recorded();
  return Chunk(lines[0]) + Chunk(lines[1].substr(0, 7)) + Chunk(lines[1].substr(7, 100)) +
         Chunk(lines[1].substr(107)) + Chunk(lines[2]) + Chunk(lines[3] + lines[4]);
}

TEST(WatchStreamTest, TellsEventsAndTheOrderlyEnd) {
  Watching watching([](TlsServer&, ServerConnection& connection) {
    connection.Write(kHead + RecordedBody() + "0\r\n\r\n");
  });
  const StreamClosed closed = watching.RunToEnd();
  EXPECT_EQ(closed.status, 200);
  EXPECT_EQ(watching.seen().opened, 1);
  EXPECT_EQ(watching.seen().events, Expected(Recorded()));
  const SeenRequest request = watching.server.Requests().at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, watching.open.target);
  EXPECT_EQ(request.Header("Authorization"), "Bearer secret");
  EXPECT_EQ(request.Header("Accept"), "application/json");
}

// The bytes in two TLS records, cut at every place: the same events.
TEST(WatchStreamTest, AnyCutGivesTheSameEvents) {
  const std::string bytes = kHead + RecordedBody() + "0\r\n\r\n";
  TlsServer server({.identity = ServerIdentity()},
                   AfterRequest([&](TlsServer& self, ServerConnection& connection) {
                     const std::size_t cut = std::stoul(self.Requests().back().target.substr(1));
                     connection.Write(bytes.substr(0, cut));
                     connection.Write(bytes.substr(cut));
                   }));
  Client client(Trusting(server.Url(), WatchCa().pem()));
  const std::vector<std::string> expected = Expected(Recorded());
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    client.transport().Open({.id = cut, .target = "/" + std::to_string(cut)});
    client.RunUntil([&] { return !client.streams[cut].closed.empty(); });
    ASSERT_EQ(client.streams[cut].events, expected) << cut;
    ASSERT_EQ(client.streams[cut].closed[0].status, 200) << cut;
    client.streams.erase(cut);
  }
}

TEST(WatchStreamTest, EveryByteOnItsOwnGivesTheSameEvents) {
  Watching watching([](TlsServer&, ServerConnection& connection) {
    for (const char byte : kHead + RecordedBody() + "0\r\n\r\n") connection.Write({byte});
  });
  EXPECT_EQ(watching.RunToEnd().status, 200);
  EXPECT_EQ(watching.seen().events, Expected(Recorded()));
}

TEST(WatchStreamTest, ReadsBodiesThatAreNotChunked) {
  std::string body;
  for (const std::string& line : Recorded()) body += line;
  for (const std::string& header :
       {std::string(), "Content-Length: " + std::to_string(body.size()) + "\r\n"}) {
    Watching watching([&](TlsServer&, ServerConnection& connection) {
      connection.Write("HTTP/1.1 200 OK\r\n" + header + "\r\n" + body);
    });
    EXPECT_EQ(watching.RunToEnd().status, 200) << header;
    EXPECT_EQ(watching.seen().events, Expected(Recorded()));
  }
}

TEST(WatchStreamTest, AnEndInTheMiddleIsNoOrderlyEnd) {
  const std::string line = Line("ADDED", "one", 1);
  for (const bool reset : {false, true}) {
    Watching watching([&](TlsServer& server, ServerConnection& connection) {
      connection.Write(kHead + Chunk(line) + Chunk(line.substr(0, 50)));
      server.Await(1);
      if (reset) connection.Reset();
    });
    watching.Open();
    watching.client.RunUntil([&] { return watching.seen().events.size() == 1; });
    watching.server.Release(1);
    watching.client.RunUntil([&] { return !watching.seen().closed.empty(); });
    EXPECT_EQ(watching.seen().closed[0].status, 0);
    EXPECT_EQ(watching.seen().closed[0].detail.substr(0, watching.server.Url().size()),
              watching.server.Url());
    EXPECT_EQ(watching.seen().events, Expected({line})) << "no half line";
  }
}

TEST(WatchStreamTest, BrokenFramingEndsIt) {
  Watching watching([](TlsServer& server, ServerConnection& connection) {
    connection.Write(kHead + Chunk(Line("ADDED", "one", 1)) + "what is this\r\n");
    server.Await(1);
  });
  const StreamClosed closed = watching.RunToEnd();
  EXPECT_EQ(closed.status, 0);
  EXPECT_EQ(watching.seen().events.size(), 1U);
}

TEST(WatchStreamTest, AHalfOpenStreamEndsAtItsIdleDeadline) {
  Watching watching([](TlsServer& server, ServerConnection& connection) {
    connection.Write(kHead + Chunk(Line("ADDED", "one", 1)));
    server.Await(1);  // and nothing, not even an end
  });
  watching.open.idle_deadline = milliseconds(100);
  const Mono before = ReadClocks().mono;
  const StreamClosed closed = watching.RunToEnd();
  EXPECT_EQ(closed.status, 0);
  EXPECT_EQ(
      closed.detail,
      watching.server.Url() + ": the watch has been silent for too long, not even a bookmark came");
  EXPECT_GE(ReadClocks().mono - before, milliseconds(100));
}

TEST(WatchStreamTest, BytesPutTheIdleDeadlineOff) {
  TransportOptions options;
  Watching watching([](TlsServer& server, ServerConnection& connection) {
    connection.Write(kHead);
    for (int turn = 1; turn <= 6; ++turn) {
      server.Await(turn);
      connection.Write(Chunk(Line("ADDED", "one", turn)));
    }
    connection.Write("0\r\n\r\n");
  });
  watching.open.idle_deadline = milliseconds(400);
  watching.Open();
  for (int turn = 1; turn <= 6; ++turn) {
    watching.client.RunFor(milliseconds(100));  // 600 ms in all
    watching.server.Release(turn);
  }
  watching.client.RunUntil([&] { return !watching.seen().closed.empty(); });
  EXPECT_EQ(watching.seen().closed[0].status, 200);
  EXPECT_EQ(watching.seen().events.size(), 6U);
}

TEST(WatchStreamTest, ASilentServerEndsAtTheOpenDeadline) {
  Watching watching([](TlsServer& server, ServerConnection& connection) {
    connection.Write("HTTP/1.1 200 O");
    server.Await(1);
  });
  watching.open.open_deadline = milliseconds(100);
  const StreamClosed closed = watching.RunToEnd();
  EXPECT_EQ(closed.status, 0);
  EXPECT_NE(closed.detail.find("no whole answer within 100 ms"), std::string::npos);
  EXPECT_EQ(watching.seen().opened, 0);
}

TEST(WatchStreamTest, ALivelyStreamEndsAtItsTotalDeadline) {
  Watching watching([](TlsServer& server, ServerConnection& connection) {
    connection.Write(kHead);
    server.Await(1);
  });
  watching.open.total_deadline = milliseconds(100);
  EXPECT_NE(watching.RunToEnd().detail.find("has lasted as long as it may"), std::string::npos);
}

TEST(WatchStreamTest, AfterCloseNothingMoreComes) {
  Watching watching([](TlsServer& server, ServerConnection& connection) {
    connection.Write(kHead + Chunk(Line("ADDED", "one", 1)) + Chunk(Line("ADDED", "two", 2)));
    server.Await(1);
    connection.Write(Chunk(Line("ADDED", "three", 3)) + "0\r\n\r\n");
  });
  watching.Open();
  watching.client.RunUntil([&] { return !watching.seen().events.empty(); });
  watching.client.transport().Close({.id = 1});
  const std::size_t before = watching.seen().events.size();
  watching.server.Release(1);
  watching.client.RunFor(milliseconds(50));
  EXPECT_EQ(watching.seen().events.size(), before);
  EXPECT_TRUE(watching.seen().closed.empty());
}

TEST(WatchStreamTest, MayBeClosedFromWithinItsOwnEvents) {
  Watching watching([](TlsServer& server, ServerConnection& connection) {
    connection.Write(kHead);
    for (int i = 0; i < 200; ++i) connection.Write(Chunk(Line("ADDED", "one", i)));
    connection.Write("0\r\n\r\n");
    server.Await(1);
  });
  watching.client.on_events = [&](const StreamEvents& events) {
    watching.client.transport().Close({.id = events.id});
  };
  watching.Open();
  watching.client.RunUntil([&] { return watching.seen().batches > 0; });
  watching.client.RunFor(milliseconds(20));
  EXPECT_EQ(watching.seen().batches, 1);
  EXPECT_TRUE(watching.seen().closed.empty());
}

TEST(WatchStreamTest, MayBeClosedBeforeItOpens) {
  Watching watching([](TlsServer& server, ServerConnection&) { server.Await(1); });
  watching.Open();
  watching.client.transport().Close({.id = 1});
  watching.client.RunFor(milliseconds(20));
  EXPECT_EQ(watching.seen().opened, 0);
  EXPECT_TRUE(watching.seen().closed.empty());
}

TEST(WatchStreamTest, ALineThatIsTooLongIsReportedAndPassedOver) {
  Watching watching([](TlsServer&, ServerConnection& connection) {
    connection.Write(kHead + Chunk(Line("ADDED", "one", 1)));
    const std::string part = Chunk(std::string(std::size_t{1} << 20U, 'x'));
    for (int i = 0; i < 5; ++i) connection.Write(part);
    connection.Write(Chunk("\n" + Line("ADDED", "two", 2)) + "0\r\n\r\n");
  });
  EXPECT_EQ(watching.RunToEnd().status, 200);
  const auto& events = watching.seen().events;
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].substr(0, 7), "INVALID");
  EXPECT_EQ(events[2], Expected({Line("ADDED", "two", 2)})[0]);
}

// A long first list as a watch: everything comes, in order, and other work of the loop is not shut
// out.
TEST(WatchStreamTest, AFloodComesWholeAndLetsOthersIn) {
  constexpr int kLines = 20000;
  Watching watching([](TlsServer&, ServerConnection& connection) {
    std::string bytes = kHead;
    for (int i = 0; i < kLines; ++i) bytes += Chunk(Line("ADDED", "one", i));
    connection.Write(bytes + "0\r\n\r\n");
  });
  bool others = false;
  watching.client.on_events = [&](const StreamEvents&) {
    if (watching.seen().batches == 1) watching.client.loop().Post([&] { others = true; });
    if (watching.seen().batches == 100) {
      EXPECT_TRUE(others);
    }
  };
  EXPECT_EQ(watching.RunToEnd().status, 200);
  ASSERT_EQ(watching.seen().events.size(), static_cast<std::size_t>(kLines));
  for (int i = 0; i < kLines; ++i) {
    ASSERT_NE(
        watching.seen().events[static_cast<std::size_t>(i)].find("rv=" + std::to_string(i) + " "),
        std::string::npos);
  }
}

// Events that follow each other closely come together; one after a silence comes at once.
TEST(WatchStreamTest, ABusyStreamGathersItsEvents) {
  constexpr int kLines = 300;
  Watching watching(
      [](TlsServer&, ServerConnection& connection) {
        connection.Write(kHead);
        for (int i = 0; i < kLines; ++i) connection.Write(Chunk(Line("ADDED", "one", i)));
        connection.Write("0\r\n\r\n");
      },
      {.watch_rest_min = milliseconds(50), .watch_rest_max = milliseconds(50)});
  EXPECT_EQ(watching.RunToEnd().status, 200);
  EXPECT_EQ(watching.seen().events.size(), static_cast<std::size_t>(kLines));
  EXPECT_LT(watching.seen().batches, 40);
}

}  // namespace
}  // namespace jobrun
