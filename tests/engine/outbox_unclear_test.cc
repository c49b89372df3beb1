// Successors of which it is not known whether they are there, or are about to be.
#include <gtest/gtest.h>

#include "controller/engine/outbox.h"
#include "tests/engine/outbox_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// A quota that is full because of it refuses it for ever.
TEST_F(OutboxTest, AfterAFailureASuccessorThatIsThereIsRecorded) {
  for (const int failure : {403, 503, 0}) {
    RunText run = Parent();
    EngineHarness engine;
    engine.Sync({run});
    engine.Pass(2s);
    engine.Answer(200, run.Json());
    engine.Answer(failure, R"({"kind":"Status","message":"exceeded quota: runs"})");
    if (failure == 403) engine.Answer(200, run.Version(60).Json());
    engine.Pass(5s);
    engine.Answer(200, run.Json());
    EXPECT_EQ(engine.Answer(200, Successor().Json()).method, Method::kGet);
    ASSERT_EQ(engine.Requests().size(), 1U);
    EXPECT_NE(engine.Requests()[0].body.find(R"("state":"Created")"), std::string::npos);
  }
}

TEST_F(OutboxTest, ARetryIsNotSkippedWhileItsOwnCreationMayBeUnderWay) {
  RunText run = Parent(R"("retry":{"maxAttempts":3},"concurrencyKey":"k")");
  RunText other = RunText("other").Claimed();
  Sync(run);
  engine_.Answer(200, run.Json());
  engine_.Answer(404);
  engine_.Answer(200, List({}));
  EXPECT_EQ(engine_.Answer(0).method, Method::kPost);
  const Mono until = engine_.Time() + Outbox::kCreationMax;
  while (!Skips()) {
    ASSERT_LT(engine_.Time(), until + 2min);
    if (engine_.Requests().empty()) {
      engine_.Pass(1s);
      continue;
    }
    engine_.Answer(200, run.Json());
    engine_.Answer(404);
    engine_.Answer(200, List({other}));
  }
  EXPECT_GE(engine_.Time(), until);
}

}  // namespace
}  // namespace jobrun
