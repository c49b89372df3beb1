// A worker that no heartbeat of gets through stops when its timeout is over, and not before.
#include <gtest/gtest.h>

#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

const RunServer::Object kTimeout40 = {
    {"heartbeat", {{"intervalSeconds", 10}, {"timeoutSeconds", 40}}}};

struct CutOff : SessionHarness {
  explicit CutOff(const SessionOptions& options = Options(),
                  const RunServer::Object& spec = kTimeout40)
      : SessionHarness(options) {
    Work(spec);
    Pass(2min);
    PassUntilSent(sent.size() + 1);
    last = sent.back().at;
    Pass(latency);
    EXPECT_EQ(sent.back().status, 200);
  }
  [[nodiscard]] Nanos SinceLast() const { return now.boot - last.boot; }

  Clocks last{};  // when the last heartbeat that got through was sent
};

TEST(CutOffTest, AnOutageShorterThanTheTimeoutAsksNobodyToStop) {
  for (const Fault& fault : {kLost, kServerError, kUnauthorized, kForbidden, kProxyNotFound}) {
    CutOff harness;
    harness.outage = fault;
    harness.Pass(40s - 1ms - harness.SinceLast());
    EXPECT_TRUE(harness.stops.empty()) << fault.status;
    EXPECT_TRUE(harness.session.Working());
  }
}

TEST(CutOffTest, ExactlyAtTheTimeoutTheWorkIsAskedToStop) {
  for (const Fault& fault : {kLost, kAnswerLost, kServerError, kUnauthorized, kProxyNotFound}) {
    CutOff harness;
    harness.outage = fault;
    harness.Pass(40s - harness.SinceLast());
    ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff}) << fault.status;
    EXPECT_EQ(harness.stops[0].at.boot - harness.last.boot, 40s);
    EXPECT_EQ(harness.stops[0].why, "ns/a: no heartbeat was accepted for 40 s, its whole timeout");
  }
}

TEST(CutOffTest, OneHeartbeatThatGetsThroughPutsItForward) {
  CutOff harness;
  harness.outage = kLost;
  harness.Pass(25s);
  harness.outage.reset();
  harness.Pass(10s);
  const Clocks accepted = harness.Beats().back().at;
  harness.outage = kLost;
  harness.Pass(1min);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  EXPECT_EQ(harness.stops[0].at.boot - accepted.boot, 40s);
}

// An answer that is late says when it was asked for, not when it was heard.
TEST(CutOffTest, CountsFromWhenTheHeartbeatWasSent) {
  CutOff harness;
  harness.latency = 4s;
  harness.PassUntilSent(harness.sent.size() + 1);
  const Clocks accepted = harness.sent.back().at;
  harness.outage = kLost;
  harness.Pass(1min);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  EXPECT_EQ(harness.stops[0].at.boot - accepted.boot, 40s);
}

TEST(CutOffTest, ItBeatsOnWhileTheWorkStopsAndThenHandsBack) {
  CutOff harness;
  harness.outage = kLost;
  harness.Pass(45s);
  harness.outage.reset();
  harness.Pass(10s);
  EXPECT_EQ(harness.Beats().back().status, 200);
  EXPECT_EQ(harness.stops.size(), 1U) << "not again";
  harness.EndWork(143, StopCause::kCutOff);
  harness.Pass(1s);
  EXPECT_EQ(harness.Over().end, SessionEnd::kReported);
  EXPECT_EQ(harness.server.Status("reason"), "HandedBack");
  EXPECT_EQ(harness.server.Status("exitCode"), "");
}

TEST(CutOffTest, AStoppedProcessIsAskedOnItsFirstWakeIfItWasForTheTimeout) {
  CutOff shorter;
  shorter.PassStopped(40s - 1ms - shorter.SinceLast());
  shorter.Pass(0s);
  EXPECT_TRUE(shorter.stops.empty());
  CutOff longer;
  longer.PassStopped(40s - longer.SinceLast());
  longer.Pass(0s);
  EXPECT_EQ(longer.Causes(), std::vector{StopCause::kCutOff});
}

TEST(CutOffTest, AStoppedProcessWhoseRunWasGivenUpLearnsOfTheFence) {
  CutOff harness;
  harness.PassStopped(10min);
  harness.server.Write({{"phase", "Stuck"}, {"reason", "HeartbeatTimeout"}});
  harness.Pass(1s);
  EXPECT_EQ(harness.Causes(), (std::vector{StopCause::kCutOff, StopCause::kFenced}));
}

// Stopped with a heartbeat under way whose answer lay waiting: it says nothing of the time since.
TEST(CutOffTest, AnAnswerFromBeforeAStopDoesNotPutItForward) {
  for (const bool wakes_first : {false, true}) {
    CutOff harness;
    harness.wakes_first = wakes_first;
    harness.PassUntilSent(harness.sent.size() + 1);
    harness.PassStopped(10min);
    harness.Pass(0s);
    EXPECT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  }
}

TEST(CutOffTest, ASuspendedMachineIsAskedOnItsFirstWakeThoughItsTimersStoodStill) {
  CutOff shorter;
  shorter.Suspend(25s);
  shorter.Pass(10s);
  EXPECT_TRUE(shorter.stops.empty());
  CutOff longer;
  longer.Suspend(40s);
  longer.session.OnWake(longer.now);
  EXPECT_EQ(longer.Causes(), std::vector{StopCause::kCutOff});
}

TEST(CutOffTest, WhatAMachineSleptThroughCountsOnceItHasWoken) {
  for (const auto slept : {13s, 28s}) {  // the latter ends while the first request is under way
    CutOff harness;
    harness.outage = kLost;
    harness.Suspend(slept);
    harness.Pass(1min);
    ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
    EXPECT_EQ(harness.stops[0].at.boot - harness.last.boot, 40s) << slept.count();
  }
}

TEST(CutOffTest, ASuspendedMachineIsAskedByTheFirstAnswer) {
  for (const std::optional<Fault>& outage : {std::optional<Fault>{}, std::optional(kServerError)}) {
    CutOff harness;
    harness.outage = outage;
    harness.PassUntilSent(harness.sent.size() + 1);
    harness.Suspend(40s);
    harness.Pass(harness.latency);
    EXPECT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  }
}

TEST(CutOffTest, WhoeverSaysSoWorksOnUntilTheServerSaysTheRunIsLost) {
  SessionOptions options = SessionHarness::Options();
  options.stop_when_cut_off = false;
  CutOff harness(options);
  harness.outage = kLost;
  harness.Pass(10h);
  EXPECT_TRUE(harness.stops.empty());
  EXPECT_TRUE(harness.session.Working());
  harness.server.Write({{"phase", "Stuck"}});
  harness.outage.reset();
  harness.Pass(10s);
  EXPECT_EQ(harness.Causes(), std::vector{StopCause::kFenced});
}

TEST(CutOffTest, ARunThatIsNotJudgedByHeartbeatsWorksOn) {
  RunServer::Object spec = kTimeout40;
  spec["heartbeat"]["mode"] = "Ignored";
  CutOff harness(SessionHarness::Options(), spec);
  harness.outage = kLost;
  harness.Pass(10h);
  EXPECT_TRUE(harness.stops.empty());
  spec["heartbeat"]["mode"] = "Required";
  CutOff required(SessionHarness::Options(), spec);
  required.outage = kLost;
  required.Pass(1min);
  EXPECT_EQ(required.Causes(), std::vector{StopCause::kCutOff});
}

TEST(CutOffTest, ItsTimeIsTheRunsAsLastSeen) {
  CutOff harness;
  harness.server.Edit({{"heartbeat", {{"timeoutSeconds", 100}}}});
  harness.Pass(10s);
  const Clocks accepted = harness.Beats().back().at;
  harness.outage = kLost;
  harness.Pass(2min);
  ASSERT_EQ(harness.Causes(), std::vector{StopCause::kCutOff});
  EXPECT_EQ(harness.stops[0].at.boot - accepted.boot, 100s);
}

}  // namespace
}  // namespace jobrun
