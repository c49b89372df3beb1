// The heartbeats of a session while all is well, and while some get lost.
#include <gtest/gtest.h>

#include <set>

#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

const RunServer::Object kTenSeconds = {
    {"heartbeat", {{"intervalSeconds", 10}, {"timeoutSeconds", 40}}}};

// The longest time between two heartbeats, the claim before the first one.
Nanos LongestGap(const SessionHarness& harness, Clocks since) {
  Nanos longest{0};
  Mono last = since.mono;
  for (const auto& beat : harness.Beats()) {
    longest = std::max<Nanos>(longest, beat.at.mono - last);
    last = beat.at.mono;
  }
  return longest;
}

TEST(BeatsTest, AtLeastTwoIn70SecondsAtAnIntervalOf30) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SessionHarness harness(SessionHarness::Options(), seed);
    harness.Work();
    harness.Pass(30s);  // the first one is there to be counted from
    const std::size_t before = harness.Beats().size();
    harness.Pass(70s);
    EXPECT_GE(harness.Beats().size() - before, 2U) << seed;
  }
}

TEST(BeatsTest, NeverMoreThanAPeriodApartOverAnHourAlsoWhenAnswersAreSlow) {
  for (const Nanos latency : {Nanos(10ms), Nanos(4s)}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      SessionHarness harness(SessionHarness::Options(), seed);
      harness.Work({{"heartbeat", {{"intervalSeconds", 30}, {"timeoutSeconds", 150}}}});
      harness.latency = latency;
      const Clocks claimed = harness.now;
      harness.Pass(1h);
      EXPECT_LE(LongestGap(harness, claimed), 30s) << seed;
      EXPECT_LE(harness.Beats().size(), 152U) << "and not much closer than that";
    }
  }
}

TEST(BeatsTest, AThirdOfTheTimeoutWinsOverTheInterval) {
  SessionHarness harness;
  harness.Work({{"heartbeat", {{"intervalSeconds", 30}, {"timeoutSeconds", 60}}}});
  const Clocks claimed = harness.now;
  harness.Pass(10min);
  EXPECT_LE(LongestGap(harness, claimed), 20s);
  EXPECT_GT(LongestGap(harness, claimed), 15s);
}

TEST(BeatsTest, TheJitterKeepsWorkersApart) {
  std::set<Nanos> seconds;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SessionHarness harness(SessionHarness::Options(), seed);
    harness.Work();
    harness.PassUntilSent(4);
    seconds.insert(harness.sent[3].at.mono - harness.sent[2].at.mono);
  }
  EXPECT_GE(seconds.size(), 45U);
  EXPECT_GE(*seconds.begin(), 24s);
  EXPECT_LT(*seconds.begin(), 26s);
  EXPECT_GT(*seconds.rbegin(), 28s);
}

// The controller takes no time for a heartbeat that is within a second of claimedAt.
TEST(BeatsTest, TheFirstOneCounts) {
  for (const auto wall_lie : {0s, 1s, 2s, 3s, 300s, -300s}) {
    SessionHarness harness;
    harness.wall_lie = wall_lie;
    harness.server.Create();
    const Clocks start = harness.now;  // from a watch, so that no answer has told the time
    harness.session.Start(*ParseUid(harness.server.UidText()), harness.server.Version(), start);
    harness.Pass(7s);
    const auto claimed = *ParseRfc3339(harness.server.Status("claimedAt"));
    const auto beat = *ParseRfc3339(harness.server.Status("lastHeartbeatAt"));
    EXPECT_GE(std::chrono::abs(beat - claimed), 1s) << wall_lie.count();
    const std::size_t count = harness.Beats().size();
    harness.Pass(20s);
    EXPECT_EQ(harness.Beats().size(), count) << "then it is regular";
  }
}

TEST(BeatsTest, TheFirstOneComesSoonAlsoWhenTheIntervalIsLong) {
  SessionHarness harness;
  harness.Work({{"heartbeat", {{"intervalSeconds", 3600}}}});
  harness.Pass(2s);
  EXPECT_EQ(harness.Beats().size(), 1U);
}

TEST(BeatsTest, TimesAlwaysChangeAndFollowTheServerHoweverTheWallClockLies) {
  for (const auto wall_lie : {0h, 1000h, -1000h}) {
    SessionHarness harness;
    harness.wall_lie = wall_lie;
    harness.Work(kTenSeconds);
    ServerTime last{};
    for (int minute = 0; minute < 60; ++minute) {
      if (minute == 20) harness.server_step = 1h;
      if (minute == 40) harness.server_step = -1h;
      harness.Pass(1min);
      const auto beat = harness.Beats().back();
      const ServerTime told = *ParseRfc3339(beat.Value("lastHeartbeatAt"));
      EXPECT_NE(told, last);
      last = told;
      const auto at =
          kServerStart + harness.server_step +
          std::chrono::duration_cast<std::chrono::microseconds>(beat.at.boot.time_since_epoch());
      EXPECT_LE(told, at) << minute;
      EXPECT_GE(told, at - 1100ms) << minute;
    }
  }
}

TEST(BeatsTest, AConnectionThatWentDeadIsReplacedWellWithinTheTimeout) {
  for (const int interval : {1, 10, 30, 100}) {
    SessionHarness harness;
    harness.Work(
        {{"heartbeat", {{"intervalSeconds", interval}, {"timeoutSeconds", 3 * interval}}}});
    harness.Pass(std::chrono::seconds(10 * interval));
    const auto last = harness.Beats().back();
    ASSERT_EQ(last.status, 200);
    harness.faults = {kLost};
    const std::size_t sent = harness.sent.size();
    harness.PassUntilSent(sent + 2);
    harness.Pass(20ms);
    EXPECT_EQ(harness.sent[sent].status, 0);
    EXPECT_EQ(harness.sent[sent + 1].status, 200);
    EXPECT_LT(harness.sent[sent + 1].at.mono - last.at.mono, 3s * interval * 2 / 3) << interval;
    EXPECT_TRUE(harness.stops.empty());
  }
}

TEST(BeatsTest, WorkGoesOnWhenTheyFailAndEachTroubleIsLoggedOnce) {
  for (const Fault& fault : {kLost, kAnswerLost, kServerError, kUnauthorized, kForbidden,
                             kProxyNotFound, Throttled(1s)}) {
    SessionHarness harness;
    harness.Work(kTenSeconds);
    harness.Pass(3s);
    harness.faults = {fault, fault};
    harness.Pass(35s);
    EXPECT_TRUE(harness.stops.empty()) << fault.status;
    EXPECT_TRUE(harness.session.Working());
    EXPECT_EQ(harness.Logged(LogLevel::kWarn), 1U) << fault.status;
    EXPECT_EQ(harness.Logged(LogLevel::kInfo), 1U) << "and its end";
    harness.Pass(1h);
    EXPECT_EQ(harness.logs.size(), 2U);
    EXPECT_EQ(harness.Beats().back().status, 200);
  }
}

TEST(BeatsTest, RetryAfterIsHonouredUpToAPeriod) {
  for (const auto& [asked, least, most] : {std::tuple{0s, 2s, 3s}, {5s, 5s, 5s}, {60s, 10s, 10s}}) {
    SessionHarness harness;
    harness.Work(kTenSeconds);
    harness.Pass(3s);
    harness.faults = {Throttled(asked)};
    harness.PassUntilSent(harness.sent.size() + 2);
    const Nanos wait = harness.sent.back().at.mono - (harness.sent.rbegin() + 1)->at.mono;
    EXPECT_GE(wait, least) << asked.count();
    EXPECT_LE(wait, most + 10ms) << asked.count();
  }
}

TEST(BeatsTest, NewThresholdsHoldFromTheNextAnswerOn) {
  SessionHarness harness;
  harness.Work(kTenSeconds);
  harness.Pass(1min);
  harness.server.Edit({{"heartbeat", {{"intervalSeconds", 100}, {"timeoutSeconds", 400}}}});
  harness.Pass(10s);  // an answer tells
  EXPECT_EQ(harness.session.TheCadence().timeout, 400s);
  std::size_t before = harness.Beats().size();
  harness.Pass(300s);
  EXPECT_LE(harness.Beats().size() - before, 4U);
  harness.server.Edit({{"heartbeat", {{"intervalSeconds", 10}, {"timeoutSeconds", 40}}}});
  harness.Pass(100s);
  before = harness.Beats().size();
  harness.Pass(100s);
  EXPECT_GE(harness.Beats().size() - before, 10U);
}

TEST(BeatsTest, TheTimerStopsOnSuccessAndOnFailure) {
  for (const int status : {0, 3}) {
    SessionHarness harness;
    harness.Work(kTenSeconds);
    harness.Pass(1min);
    harness.EndWork(status);
    harness.Pass(1s);
    EXPECT_EQ(harness.Over().end, SessionEnd::kReported);
    EXPECT_EQ(harness.session.NextWake(), std::nullopt);
    const std::size_t sent = harness.sent.size();
    harness.Progress("late");
    harness.session.BeatNow(harness.now);
    harness.session.OnWake(harness.now);
    harness.Pass(1h);
    EXPECT_EQ(harness.sent.size(), sent);
  }
}

TEST(BeatsTest, TheAnswerToOneThatWasUnderWayAtTheEndChangesNothing) {
  SessionHarness harness;
  harness.Work(kTenSeconds);
  harness.latency = 2s;
  harness.PassUntilSent(3);
  ASSERT_EQ(harness.sent.back().status, -1);
  harness.EndWork(0);
  harness.Pass(1min);
  EXPECT_EQ(harness.Over().end, SessionEnd::kReported);
  EXPECT_EQ(harness.server.Phase(), "Succeeded");
  EXPECT_EQ(harness.sent.size(), 4U);
}

}  // namespace
}  // namespace jobrun
