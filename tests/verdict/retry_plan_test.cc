#include "controller/verdict/retry_plan.h"

#include <gtest/gtest.h>

#include "controller/model/reason.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using State = RetryState;

const RetryPolicy kThree{.max_attempts = 3, .backoff = 10s, .max_backoff = 100s};

EndedRun Ended(std::string_view reason, std::uint32_t attempt = 1,
               std::optional<std::int32_t> exit_code = {}) {
  return {.reason = reason, .attempt = attempt, .exit_code = exit_code};
}
State PlanOf(const RetryPolicy& policy, const EndedRun& run) {
  return PlanRetry(policy, run, 0).state;
}

TEST(RetryPlanTest, NothingIsRetriedUnlessItIsAskedFor) {
  EXPECT_EQ(PlanOf({}, Ended("ExitNonZero")), State::kNotDue);
  EXPECT_EQ(PlanOf({.max_attempts = 1}, Ended("HeartbeatTimeout")), State::kNotDue);
}

TEST(RetryPlanTest, TheTableSaysWhichVerdictsAreRetried) {
  for (const ReasonInfo& reason : kReasons) {
    if (reason.phase == Phase::kSucceeded) continue;
    EXPECT_EQ(PlanOf(kThree, Ended(reason.name)),
              reason.retryable ? State::kPending : State::kNotDue)
        << reason.name;
  }
  EXPECT_EQ(PlanOf(kThree, Ended("Cancelled")), State::kNotDue);
  EXPECT_EQ(PlanOf(kThree, Ended("DeadlineExceeded")), State::kNotDue);
}

TEST(RetryPlanTest, WhatAWorkerReportsIsRetried) {
  for (const char* reason : {"Reported", "OutOfDisk", ""}) {
    EXPECT_EQ(PlanOf(kThree, Ended(reason)), State::kPending) << reason;
  }
}

TEST(RetryPlanTest, AListOfReasonsDecidesInstead) {
  RetryPolicy policy = kThree;
  policy.on = std::vector<std::string>{"DeadlineExceeded", "OutOfDisk"};
  EXPECT_EQ(PlanOf(policy, Ended("DeadlineExceeded")), State::kPending);
  EXPECT_EQ(PlanOf(policy, Ended("OutOfDisk")), State::kPending);
  EXPECT_EQ(PlanOf(policy, Ended("HeartbeatTimeout")), State::kNotDue);
  policy.on->clear();
  EXPECT_EQ(PlanOf(policy, Ended("HeartbeatTimeout")), State::kNotDue);
}

TEST(RetryPlanTest, AttemptsAreExhaustedAtTheLast) {
  EXPECT_EQ(PlanOf(kThree, Ended("ExitNonZero", 2)), State::kPending);
  EXPECT_EQ(PlanOf(kThree, Ended("ExitNonZero", 3)), State::kExhausted);
  EXPECT_EQ(PlanOf(kThree, Ended("ExitNonZero", 4)), State::kExhausted);
}

TEST(RetryPlanTest, ExitCodesNarrowTheRetries) {
  RetryPolicy policy = kThree;
  policy.exit_codes_in = std::vector<std::int32_t>{1, 2};
  EXPECT_EQ(PlanOf(policy, Ended("ExitNonZero", 1, 2)), State::kPending);
  EXPECT_EQ(PlanOf(policy, Ended("ExitNonZero", 1, 3)), State::kNotDue);
  policy.exit_codes_not_in = {2};
  EXPECT_EQ(PlanOf(policy, Ended("ExitNonZero", 1, 1)), State::kPending);
  EXPECT_EQ(PlanOf(policy, Ended("ExitNonZero", 1, 2)), State::kNotDue);
  // They say nothing of runs that ended without one, or with 0.
  EXPECT_EQ(PlanOf(policy, Ended("HeartbeatTimeout")), State::kPending);
  EXPECT_EQ(PlanOf(policy, Ended("CompletionGateUnmet", 1, 0)), State::kPending);
}

TEST(RetryPlanTest, WhatWasHandedBackCostsNoAttempt) {
  EXPECT_EQ(NextAttempt(Ended("ExitNonZero", 2)), 3U);
  EXPECT_EQ(NextAttempt(Ended("HandedBack", 2)), 2U);
  EXPECT_EQ(PlanOf(kThree, Ended("HandedBack", 3)), State::kPending);
  EXPECT_EQ(PlanOf({}, Ended("HandedBack")), State::kPending);
  RetryPolicy picky = kThree;
  picky.on = std::vector<std::string>{"ExitNonZero"};
  EXPECT_EQ(PlanOf(picky, Ended("HandedBack")), State::kNotDue);
}

TEST(RetryPlanTest, TheWaitDoublesUpToItsLongest) {
  const RetryPolicy policy{.max_attempts = 100, .backoff = 10s, .max_backoff = 110s};
  const auto wait = [&](std::uint32_t attempt, double unit) {
    return PlanRetry(policy, Ended("ExitNonZero", attempt), unit).wait;
  };
  EXPECT_EQ(wait(1, 0), 10s);
  EXPECT_EQ(wait(2, 0), 20s);
  EXPECT_EQ(wait(4, 0), 80s);
  EXPECT_NEAR(std::chrono::duration<double>(wait(5, 0)).count(), 100, 1e-6);
  EXPECT_NEAR(std::chrono::duration<double>(wait(99, 0)).count(), 100, 1e-6);
  EXPECT_NEAR(std::chrono::duration<double>(wait(1, 0.5)).count(), 10.5, 1e-6);
  EXPECT_LE(wait(99, 0.999999), 110s);
  const RetryPolicy huge{.max_attempts = 100, .backoff = 2147483647s, .max_backoff = 2147483647s};
  EXPECT_LE(PlanRetry(huge, Ended("ExitNonZero", 90), 0.99).wait, 2147483647s);
  EXPECT_GT(PlanRetry(huge, Ended("ExitNonZero", 90), 0.99).wait, 1900000000s);
}

const Uid kUid = *ParseUid("6d1f2e3c-0000-4000-8000-00aabbccddee");

TEST(SuccessorNameTest, IsDerivedFromNameAndUid) {
  EXPECT_EQ(SuccessorName("nightly", kUid), "nightly-aabbccddee");
  EXPECT_EQ(SuccessorName("a.b-c", kUid), "a.b-c-aabbccddee");
}

TEST(SuccessorNameTest, DoesNotGrowAlongAChain) {
  EXPECT_EQ(SuccessorName("nightly-0123456789", kUid), "nightly-aabbccddee");
  EXPECT_EQ(SuccessorName("nightly-012345678g", kUid), "nightly-012345678g-aabbccddee");
  EXPECT_EQ(SuccessorName("0123456789", kUid), "0123456789-aabbccddee");
}

TEST(SuccessorNameTest, FitsIntoALabelAndIsADnsName) {
  const std::string longest(253, 'a');
  EXPECT_EQ(SuccessorName(longest, kUid).size(), 63U);
  EXPECT_EQ(SuccessorName(std::string(51, 'a') + ".b", kUid), std::string(51, 'a') + "-aabbccddee");
}

}  // namespace
}  // namespace jobrun
