// What stands on the run once the work has ended.
#include <gtest/gtest.h>

#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

const RunServer::Object kGated = {{"completionGates", {{{"conditionType", "Uploaded"}}}}};
const RunServer::Object kUploaded = {{"conditions", {{{"type", "Uploaded"}, {"status", "True"}}}}};

struct Ended : SessionHarness {
  explicit Ended(const RunServer::Object& spec = RunServer::Object::object()) {
    Work(spec);
    Pass(1min);
    before = sent.size();
  }
  [[nodiscard]] std::vector<Sent> Since() const {
    return {sent.begin() + static_cast<std::ptrdiff_t>(before), sent.end()};
  }
  [[nodiscard]] SessionEnd End() const { return Over().end; }
  std::size_t before{0};
};

TEST(EndTest, IsOneWriteWithExitCodePhaseAndTimes) {
  Ended harness;
  harness.EndWork(0);
  harness.Pass(1s);
  EXPECT_EQ(harness.End(), SessionEnd::kReported);
  EXPECT_EQ(harness.Over().text, "");
  EXPECT_EQ(harness.Since().size(), 1U);
  EXPECT_EQ(harness.server.Phase(), "Succeeded");
  EXPECT_EQ(harness.server.Status("exitCode"), "0");
  EXPECT_EQ(harness.server.Status("exitTime"), harness.server.Status("completionTime"));
  const auto told = *ParseRfc3339(harness.server.Status("exitTime"));
  EXPECT_LE(told, harness.ServerNow() - 1s);
  EXPECT_GE(told, harness.ServerNow() - 2100ms);
}

TEST(EndTest, OfAFailureSaysWhy) {
  Ended harness;
  harness.EndWork(3);
  harness.Pass(1s);
  EXPECT_EQ(harness.End(), SessionEnd::kReported);
  EXPECT_EQ(harness.server.Phase(), "Failed");
  EXPECT_EQ(harness.server.Status("exitCode"), "3");
  EXPECT_EQ(harness.server.Status("reason"), "ExitNonZero");
  EXPECT_EQ(harness.server.Status("message"), "exit code 3");
}

TEST(EndTest, OfADrainHandsBackWithoutAnExitCode) {
  Ended harness;
  harness.EndWork(143, StopCause::kDrained);
  harness.Pass(1s);
  EXPECT_EQ(harness.End(), SessionEnd::kReported);
  EXPECT_EQ(harness.server.Status("reason"), "HandedBack");
  EXPECT_EQ(harness.server.Status("exitCode"), "");
  EXPECT_EQ(harness.server.Status("exitTime"), "");
}

TEST(EndTest, ALostAnswerIsAnsweredByTheSameTextAgain) {
  for (const Fault& fault : {kAnswerLost, kLost, kServerError, kUnauthorized, kProxyNotFound}) {
    Ended harness;
    harness.faults = {fault, fault};
    harness.Progress("3/3");
    harness.EndWork(3);
    harness.Progress("late");
    harness.Pass(20s);
    EXPECT_EQ(harness.End(), SessionEnd::kReported) << fault.status;
    ASSERT_EQ(harness.Since().size(), 3U);
    EXPECT_EQ(harness.Since()[0].request.body, harness.Since()[1].request.body);
    EXPECT_EQ(harness.Since()[0].request.body, harness.Since()[2].request.body);
    EXPECT_EQ(harness.server.Status("progress"), "3/3");
    EXPECT_EQ(harness.Logged(LogLevel::kWarn), 1U);
  }
}

TEST(EndTest, ItsTroubleIsLoggedAlsoWhenTheLastHeartbeatHadFailed) {
  Ended harness;
  harness.outage = kServerError;
  harness.Pass(40s);
  harness.EndWork(0);
  harness.Pass(10s);
  EXPECT_EQ(harness.Logged(LogLevel::kWarn), 2U);
}

TEST(EndTest, ThatCantBeReportedIsGivenUpAfterItsTimeAndNotBefore) {
  for (const Fault& fault : {kLost, kServerError, kForbidden, kProxyNotFound, Throttled(4s)}) {
    Ended harness;
    harness.outage = fault;
    harness.EndWork(0);
    harness.Pass(53s);
    EXPECT_FALSE(harness.over) << fault.status;
    harness.Pass(8s);
    EXPECT_EQ(harness.End(), SessionEnd::kUnreported);
    EXPECT_LE(harness.Since().size(), 61U);
    EXPECT_TRUE(harness.Over().text.starts_with("ns/a: its end could not be reported: "));
    EXPECT_EQ(harness.session.NextWake(), std::nullopt);
  }
}

TEST(EndTest, RetryAfterIsHonoured) {
  Ended harness;
  harness.faults = {Throttled(7s)};
  harness.EndWork(0);
  harness.Pass(6900ms);
  EXPECT_EQ(harness.Since().size(), 1U);
  harness.Pass(200ms);
  EXPECT_EQ(harness.End(), SessionEnd::kReported);
}

TEST(EndTest, OfARunThatWasGivenUpMeanwhileIsTheFence) {
  Ended harness;
  harness.server.Write({{"phase", "Stuck"}, {"reason", "HeartbeatTimeout"}});
  harness.EndWork(0);
  harness.Pass(1s);
  EXPECT_EQ(harness.End(), SessionEnd::kFenced);
  EXPECT_EQ(harness.Over().text, "ns/a is Stuck (HeartbeatTimeout)");
  EXPECT_EQ(harness.server.Phase(), "Stuck");
}

TEST(EndTest, OfARunThatIsGoneIsTheFence) {
  Ended harness;
  harness.server.Delete();
  harness.EndWork(0);
  harness.Pass(1s);
  EXPECT_EQ(harness.End(), SessionEnd::kFenced);
  EXPECT_EQ(harness.Over().text, "ns/a is gone");
}

TEST(EndTest, OfARunThatIsGoneByTheLookIsTheFence) {
  Ended harness;
  harness.server.Write({{"phase", "Stuck"}});
  harness.EndWork(0);
  harness.PassUntilSent(harness.before + 2);
  harness.server.Delete();
  harness.Pass(1s);
  EXPECT_EQ(harness.End(), SessionEnd::kFenced);
}

TEST(EndTest, NeverHitsANewRunOfTheSameName) {
  for (const char* worker : {"", "w1"}) {
    Ended harness;
    harness.server.Delete();
    harness.server.Create();
    if (*worker != '\0') {
      harness.server.Write(
          {{"phase", "Running"}, {"claimedBy", worker}, {"claimedAt", "2026-11-22T12:30:00Z"}});
    }
    const std::string phase = harness.server.Phase();
    harness.EndWork(0);
    harness.Pass(1s);
    EXPECT_EQ(harness.End(), SessionEnd::kFenced);
    EXPECT_EQ(harness.Over().text, "ns/a is another run by now");
    EXPECT_EQ(harness.server.Phase(), phase);
  }
}

TEST(EndTest, RefusedWhileTheRunIsOursIsTriedUntilItsTimeIsOver) {
  Ended harness;
  harness.outage_of_writes = Fault{.status = 422, .body = R"({"kind":"Status","message":"no"})"};
  harness.EndWork(0);
  harness.Pass(50s);
  EXPECT_FALSE(harness.over);
  harness.Pass(15s);
  EXPECT_EQ(harness.End(), SessionEnd::kUnreported);
  EXPECT_EQ(harness.Over().text, "ns/a: its end could not be reported: no");
}

TEST(EndTest, RefusedAndThenTakenIsReported) {
  Ended harness;
  harness.faults = {Fault{.status = 422}, kServerError};  // and the look after it
  harness.EndWork(0);
  harness.Pass(5s);
  EXPECT_EQ(harness.End(), SessionEnd::kReported);
  EXPECT_EQ(harness.server.Phase(), "Succeeded");
}

// ---- gates ----

TEST(EndTest, WithAGateUnmetOnlyTheExitIsRecorded) {
  Ended harness(kGated);
  harness.EndWork(0);
  harness.Pass(1min);
  EXPECT_EQ(harness.End(), SessionEnd::kReported);
  EXPECT_EQ(harness.Over().text, "ns/a: the controller completes it once its gates are met");
  EXPECT_EQ(harness.server.Phase(), "Running");
  EXPECT_EQ(harness.server.Status("exitCode"), "0");
  EXPECT_EQ(harness.server.Status("completionTime"), "");
  EXPECT_EQ(harness.Since().size(), 1U);
}

TEST(EndTest, WithItsGatesMetItCompletes) {
  Ended harness(kGated);
  harness.server.Write(kUploaded);
  harness.Pass(31s);
  harness.before = harness.sent.size();
  harness.EndWork(0);
  harness.Pass(1s);
  EXPECT_EQ(harness.End(), SessionEnd::kReported);
  EXPECT_EQ(harness.server.Phase(), "Succeeded");
  EXPECT_EQ(harness.Since().size(), 1U);
}

TEST(EndTest, WithItsGatesMetInTheAnswerItCompletesThen) {
  for (const bool lost : {false, true}) {
    Ended harness(kGated);
    harness.server.Write(kUploaded);  // not seen yet
    if (lost) harness.faults = {kAnswerLost};
    harness.EndWork(0);
    harness.Pass(10s);
    EXPECT_EQ(harness.End(), SessionEnd::kReported);
    EXPECT_EQ(harness.server.Phase(), "Succeeded");
    EXPECT_EQ(harness.server.Status("exitTime"), harness.server.Status("completionTime"));
    EXPECT_EQ(harness.Since().size(), lost ? 3U : 2U);
  }
}

}  // namespace
}  // namespace jobrun
