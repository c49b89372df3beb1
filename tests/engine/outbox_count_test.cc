// What became of a retry is counted by the controller that recorded it, whoever else is at work.
#include <gtest/gtest.h>

#include "tests/engine/outbox_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr const char* kCreated = R"("state":"Created","successorName":"a-b")";

class OutboxCountTest : public OutboxTest {
 protected:
  // The successor is there and its record on the way to the API server.
  RunText Recording() {
    RunText run = Parent();
    Sync(run);
    engine_.Answer(200, run.Json());
    engine_.Answer(201, Successor().Json());
    EXPECT_TRUE(Writes(R"("state":"Created")"));
    return run.Retry(kCreated).Version(80);
  }
};

TEST_F(OutboxCountTest, IsCountedOnceWhetherTheAnswerOrTheWatchComesFirst) {
  for (const bool watch_first : {true, false}) {
    SCOPED_TRACE(watch_first);
    engine_.Restart(EngineHarness::OptionsWith({}));
    const double before = Retries(RetryResult::kCreated);
    const RunText recorded = Recording();
    if (watch_first) engine_.Watch(recorded);
    engine_.Answer(200, recorded.Json());
    if (!watch_first) engine_.Watch(recorded);
    EXPECT_EQ(Retries(RetryResult::kCreated) - before, 1);
    ExpectNothingLeft();
  }
}

TEST_F(OutboxCountTest, OfAnotherControllerIsNotCountedThoughOursSaysTheSame) {
  for (const bool watch_first : {true, false}) {
    SCOPED_TRACE(watch_first);
    engine_.Restart(EngineHarness::OptionsWith({}));
    const RunText recorded = Recording();
    if (watch_first) engine_.Watch(recorded);
    engine_.Answer(409);
    if (!engine_.Requests().empty()) engine_.Answer(200, recorded.Json());
    EXPECT_EQ(Retries(RetryResult::kCreated), 0);
    ExpectNothingLeft();
  }
}

TEST_F(OutboxCountTest, WhoseAnswerWasLostIsCountedWhenItIsSeen) {
  for (const bool watch_first : {true, false}) {
    SCOPED_TRACE(watch_first);
    engine_.Restart(EngineHarness::OptionsWith({}));
    const double before = Retries(RetryResult::kCreated);
    const RunText recorded = Recording();
    if (watch_first) engine_.Watch(recorded);
    engine_.Answer(0);
    engine_.Pass(2s);
    if (!engine_.Requests().empty()) engine_.Answer(200, recorded.Json());
    EXPECT_EQ(Retries(RetryResult::kCreated) - before, 1);
    ExpectNothingLeft();
  }
}

TEST_F(OutboxCountTest, ThatWasLostOnTheWayIsNotCountedWhenAnotherRecordsIt) {
  const RunText recorded = Recording();
  engine_.Answer(0);
  engine_.Pass(2s);
  engine_.Answer(200, Parent().Json());  // It has not arrived.
  engine_.Watch(recorded);
  while (!engine_.Requests().empty()) engine_.Answer(409);
  EXPECT_EQ(Retries(RetryResult::kCreated), 0);
}

}  // namespace
}  // namespace jobrun
