#include "worker/session/work_end.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

ClaimedRun Gated(std::string conditions) {
  ClaimedRun run;
  run.thresholds.completion_gates = {"Uploaded", "Checked"};
  run.conditions_json = std::move(conditions);
  return run;
}

EndReport Failed(std::optional<int> exit_code, std::string reason, std::string message) {
  return {exit_code, Phase::kFailed, std::move(reason), std::move(message)};
}

TEST(WorkEndTest, ExitCodeZeroIsSuccessAlsoOfWorkThatWasAskedToStop) {
  for (const StopCause cause : {StopCause::kNone, StopCause::kDrained, StopCause::kCancelled}) {
    EXPECT_EQ(ReportOf({.status = 0, .cause = cause}, {}), (EndReport{0, Phase::kSucceeded}));
  }
}

TEST(WorkEndTest, AnotherExitCodeIsAFailureThatSaysWhich) {
  EXPECT_EQ(ReportOf({.status = 3}, {}), Failed(3, "ExitNonZero", "exit code 3"));
}

TEST(WorkEndTest, ASignalIsToldByItsNumber) {
  EXPECT_EQ(ReportOf({.status = 128}, {}).message, "exit code 128");
  EXPECT_EQ(ReportOf({.status = 129}, {}).message, "ended by signal 1");
  EXPECT_EQ(ReportOf({.status = 192}, {}).message, "ended by signal 64");
  EXPECT_EQ(ReportOf({.status = 193}, {}).message, "exit code 193");
}

TEST(WorkEndTest, WhatIsHandedBackHasNoExitCode) {
  for (const StopCause cause : {StopCause::kDrained, StopCause::kCutOff}) {
    EXPECT_EQ(ReportOf({.status = 143, .cause = cause}, {}),
              Failed({}, "HandedBack", "ended by signal 15"));
  }
}

TEST(WorkEndTest, CancelledWorkSaysSo) {
  EXPECT_EQ(ReportOf({.status = 143, .cause = StopCause::kCancelled, .message = "as asked"}, {}),
            Failed(143, "Cancelled", "as asked"));
}

TEST(WorkEndTest, ExitCodeZeroWaitsForAllGates) {
  const std::string uploaded = R"({"type":"Uploaded","status":"True"})";
  for (const std::string& conditions :
       {std::string(), "[" + uploaded + "]",
        "[" + uploaded + R"(,{"type":"Checked","status":"False"}])"}) {
    EXPECT_EQ(ReportOf({.status = 0}, Gated(conditions)), (EndReport{.exit_code = 0}))
        << conditions;
  }
  EXPECT_EQ(
      ReportOf({.status = 0}, Gated("[" + uploaded + R"(,{"type":"Checked","status":"True"}])")),
      (EndReport{0, Phase::kSucceeded}));
}

TEST(WorkEndTest, AFailureWaitsForNoGate) {
  EXPECT_EQ(ReportOf({.status = 3}, Gated("")).phase, Phase::kFailed);
}

}  // namespace
}  // namespace jobrun
