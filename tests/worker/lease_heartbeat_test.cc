#include "worker/session/lease_heartbeat.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace jobrun {
namespace {

using namespace std::chrono_literals;

const Cadence kCadence{.period = 10s, .deadline = 5s, .retry = 2s, .timeout = 30s};

class LeaseHeartbeatTest : public testing::Test, public LeaseHeartbeatHost {
 protected:
  RequestId Send(Request request) override {
    EXPECT_FALSE(asked) << "asks twice at the same time";
    request.id = ++last_id;
    asked = std::move(request);
    return last_id;
  }
  void BeatAll() override {
    ++beaten;
    have_beaten = false;
  }
  bool AllHaveBeaten() const override { return have_beaten; }
  void OnRenewed(Clocks sent) override { renewed.push_back(sent.mono); }
  void Log(LogLine line) override { log.push_back(line.message); }

  void Pass(Nanos time) {
    const Mono until = now.mono + time;
    while (const auto next = heartbeat.NextWake()) {
      if (*next > until) break;
      now = {*next, Boot(next->time_since_epoch())};
      heartbeat.OnWake(now);
    }
    now = {until, Boot(until.time_since_epoch())};
  }
  // The API server's answer to what was asked.
  void Answer(int status) {
    ASSERT_TRUE(asked);
    const RequestId id = std::exchange(asked, std::nullopt)->id;
    heartbeat.OnResponse({.id = id, .status = status}, now);
  }
  // Up to the Lease's being there.
  void Make() {
    heartbeat.Beat(kCadence, now);
    have_beaten = true;
    Pass(1s);
    ASSERT_TRUE(asked && asked->method == Method::kPost);
    Answer(201);
  }

  ServerStamp stamp{[] { return ServerTime(1000s); }};
  LeaseHeartbeat heartbeat{*this, stamp, "ns", "w1", 1};
  Clocks now{Mono(100s), Boot(100s)};
  std::optional<Request> asked{};
  RequestId last_id{0};
  int beaten{0};
  bool have_beaten{false};
  std::vector<Mono> renewed{};
  std::vector<std::string> log{};
};

TEST_F(LeaseHeartbeatTest, BeatsInTheStatusBeforeItMakesTheLease) {
  heartbeat.Beat(kCadence, now);
  EXPECT_EQ(beaten, 1);
  Pass(5s);
  EXPECT_FALSE(asked) << "not all have beaten";
  have_beaten = true;
  Pass(1s);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->method, Method::kPost);
  EXPECT_NE(asked->body.find(R"("leaseDurationSeconds":30)"), std::string::npos);
  EXPECT_FALSE(heartbeat.Made());
  Answer(201);
  EXPECT_TRUE(heartbeat.Made());
}

TEST_F(LeaseHeartbeatTest, BeatsAgainWhenTheCreationTookLongerThanAPeriod) {
  heartbeat.Beat(kCadence, now);
  Pass(9900ms);
  EXPECT_EQ(beaten, 1);
  Pass(200ms);
  EXPECT_EQ(beaten, 2) << "the first heartbeats may have been judged by now";
  have_beaten = true;
  Pass(1s);
  Answer(500);
  Pass(kCadence.retry);
  EXPECT_EQ(beaten, 2) << "they are young enough for another try";
  Answer(500);
  Pass(kCadence.period);
  while (asked) {
    Answer(500);
    Pass(kCadence.retry);
  }
  EXPECT_EQ(beaten, 3) << "and now they are not";
}

TEST_F(LeaseHeartbeatTest, RenewsWithinEachPeriod) {
  Make();
  for (int turn = 0; turn < 20; ++turn) {
    while (!asked) Pass(10ms);
    EXPECT_EQ(asked->method, Method::kPatch);
    Answer(200);
  }
  ASSERT_EQ(renewed.size(), 21U);
  for (std::size_t i = 1; i < renewed.size(); ++i) {
    EXPECT_LE(renewed[i] - renewed[i - 1], kCadence.period);
  }
  EXPECT_EQ(beaten, 1) << "only before it was made";
}

TEST_F(LeaseHeartbeatTest, ARenewalIsCountedFromWhenItWasSent) {
  Make();
  Pass(kCadence.period);
  ASSERT_TRUE(asked);
  const Mono sent_no_later_than = now.mono;
  now = {now.mono + 3s, now.boot + 3s};
  Answer(200);
  EXPECT_LE(renewed.back(), sent_no_later_than);
}

TEST_F(LeaseHeartbeatTest, ALeaseThatIsGoneIsNotMadeBeforeTheRunsHaveBeaten) {
  Make();
  Pass(kCadence.period);
  Answer(404);
  EXPECT_EQ(beaten, 2);
  EXPECT_FALSE(heartbeat.Made());
  Pass(5s);
  EXPECT_FALSE(asked) << "somebody has given up one of the runs";
  have_beaten = true;
  Pass(1s);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->method, Method::kPost);
}

TEST_F(LeaseHeartbeatTest, ALeaseThatIsThereAlreadyIsRenewed) {
  heartbeat.Beat(kCadence, now);
  have_beaten = true;
  Pass(1s);
  Answer(409);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->method, Method::kPatch);
}

TEST_F(LeaseHeartbeatTest, AFailureIsToldOnceAndTriedAgainSoon) {
  Make();
  Pass(kCadence.period);
  Answer(0);
  Pass(kCadence.retry);
  Answer(500);
  Pass(kCadence.retry);
  ASSERT_TRUE(asked);
  EXPECT_EQ(log.size(), 1U);
  Answer(200);
  EXPECT_EQ(log.size(), 2U) << "and that it works again";
  EXPECT_EQ(beaten, 1);
}

TEST_F(LeaseHeartbeatTest, WhereLeasesAreForbiddenTheRunsBeatInTheirStatus) {
  Make();
  Pass(kCadence.period);
  for (int turn = 0; turn < 3; ++turn) {
    Answer(403);
    Pass(kCadence.period);
  }
  EXPECT_EQ(beaten, 4);
}

TEST_F(LeaseHeartbeatTest, WithoutRunsItRests) {
  Make();
  heartbeat.Pause();
  Pass(1h);
  EXPECT_FALSE(asked);
  EXPECT_FALSE(heartbeat.NextWake());
  heartbeat.Beat(kCadence, now);
  ASSERT_TRUE(asked) << "the Lease may still be there";
  EXPECT_EQ(asked->method, Method::kPatch);
}

}  // namespace
}  // namespace jobrun
