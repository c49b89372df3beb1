#include "worker/session/cadence.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

Thresholds Says(std::optional<Seconds> interval, std::optional<Seconds> timeout) {
  return {.heartbeat_interval = interval, .heartbeat_timeout = timeout};
}

TEST(CadenceTest, IsTheBuiltInOneWhereNobodySaysAnything) {
  EXPECT_EQ(CadenceOf({}, {}), (Cadence{30s, 10s, 5s, 150s, 30s}));
}

TEST(CadenceTest, AThirdOfTheTimeoutWinsOverALongerInterval) {
  EXPECT_EQ(CadenceOf(Says(30s, 91s), {}).period, 30s);
  EXPECT_EQ(CadenceOf(Says(30s, 90s), {}).period, 30s);
  EXPECT_EQ(CadenceOf(Says(30s, 60s), {}).period, 20s);
}

TEST(CadenceTest, ATimeoutBelowTwoIntervalsIsRaisedAsTheControllerDoes) {
  EXPECT_EQ(CadenceOf(Says(30s, 60s), {}).timeout, 60s);
  EXPECT_EQ(CadenceOf(Says(100s, {}), {}).timeout, 200s);
}

TEST(CadenceTest, TheCommandLineWinsOverTheRun) {
  const Cadence cadence = CadenceOf(Says(30s, 150s), {.interval = 10s, .timeout = 60s});
  EXPECT_EQ(cadence.period, 10s);
  EXPECT_EQ(cadence.timeout, 60s);
}

TEST(CadenceTest, ALookTakesHalfTheGraceOfACancelledRunAtMost) {
  const auto look = [](Seconds grace, Seconds timeout) {
    return CadenceOf({.heartbeat_timeout = timeout, .cancel_grace = grace}, {.interval = 1s}).look;
  };
  EXPECT_EQ(look(60s, 150s), 30s);
  EXPECT_EQ(look(20s, 150s), 10s);
  EXPECT_EQ(look(600s, 150s), 150s) << "the timeout, where that is shorter";
  EXPECT_EQ(look(10s, 150s), 5s);
  EXPECT_EQ(look(0s, 150s), 5s) << "not without a pause";
  EXPECT_EQ(look(0s, 3s), 3s);
}

TEST(CadenceTest, TheShortestAndTheLongestStayWithinTheirBounds) {
  const Cadence shortest = CadenceOf(Says(1s, 2s), {});
  EXPECT_EQ(shortest.period, Nanos(2s) / 3);
  EXPECT_EQ(shortest.deadline, shortest.period / 2);
  const Cadence longest = CadenceOf(Says(Seconds(kSecondsMax), Seconds(kSecondsMax)), {});
  EXPECT_EQ(longest.deadline, 10s);
  EXPECT_EQ(longest.retry, 5s);
  EXPECT_GT(longest.period, 0s) << "does not overflow";
}

// One request lost without a word costs its deadline, the pause after it and the next answer's way.
TEST(CadenceTest, AfterALostRequestThereIsTimeForAnotherOneWellWithinTheTimeout) {
  for (const auto& [interval, timeout] :
       {std::pair{1s, 2s}, {1s, 150s}, {10s, 30s}, {30s, 60s}, {30s, 150s}, {3600s, 7200s}}) {
    const Cadence cadence = CadenceOf(Says(interval, timeout), {});
    EXPECT_LE(cadence.period + cadence.deadline + cadence.retry + cadence.deadline,
              cadence.timeout * 3 / 4)
        << interval.count();
  }
}

}  // namespace
}  // namespace jobrun
