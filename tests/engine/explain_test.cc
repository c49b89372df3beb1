#include "controller/engine/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/canary_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::HasSubstr;

class ExplainTest : public CanaryFixture {
 protected:
  ExplainTest() {
    BeginToSee();
    engine_.Pass(2s);
    BeatIsSeen();
    engine_.Sync({});
    Pass(60s);
    engine_.Watch(RunText("a")
                      .Spec(R"("deadlineSeconds":36000,)"
                            R"("heartbeat":{"intervalSeconds":5,"timeoutSeconds":20})")
                      .Claimed()
                      .Beat(1)
                      .Version(10),
                  "ADDED");
    for (const Request& visit : Others()) engine_.AnswerTo(visit.id, 422);
  }

  [[nodiscard]] Explanation Explained(const std::string& name = "a") {
    const auto explanation = engine_.Explain("ns", name);
    EXPECT_TRUE(explanation);
    return explanation.value_or(Explanation{});
  }
  static const ExplainedRule& Rule(const Explanation& explanation, std::string_view name) {
    for (const ExplainedRule& rule : explanation.rules) {
      if (rule.rule == name) return rule;
    }
    ADD_FAILURE() << "no rule " << name;
    static const ExplainedRule kNone{};
    return kNone;
  }
};

TEST_F(ExplainTest, OfARunThatIsNotKnownNothingIsSaid) {
  EXPECT_FALSE(engine_.Explain("ns", "b"));
  EXPECT_FALSE(engine_.Explain("other", "a"));
}

TEST_F(ExplainTest, EveryRowSaysWhenItIsDue) {
  Pass(5s);
  const Explanation explained = Explained();
  EXPECT_EQ(explained.run, "ns/a");
  EXPECT_EQ(explained.phase, "Running");
  EXPECT_EQ(Rule(explained, "HeartbeatLost").due_in, 15s);
  EXPECT_EQ(Rule(explained, "HeartbeatLost").row, "6");
  EXPECT_GT(Rule(explained, "Deadline").due_in, 35000s);
  EXPECT_FALSE(Rule(explained, "Backstop").due_in);
  EXPECT_TRUE(explained.reason.empty());
  EXPECT_EQ(explained.silent_for, 5s);
  EXPECT_EQ(explained.words, "ns/a is Running: HeartbeatLost is due in 15 s");
}

TEST_F(ExplainTest, AVerdictUnderWayIsSaid) {
  Pass(21s);
  const Explanation explained = Explained();
  EXPECT_EQ(explained.reason, "HeartbeatTimeout");
  EXPECT_EQ(explained.overdue, 1s);
  EXPECT_EQ(Rule(explained, "HeartbeatLost").due_in, -1s);
  EXPECT_EQ(explained.writing, "under way");
  EXPECT_TRUE(explained.held_by.empty());
}

TEST_F(ExplainTest, WhatHoldsItIsSaidAndForHowLong) {
  Pass(15s);
  PassBlind(1h);
  BeatIsSeen();
  Pass(8s);
  const Explanation explained = Explained();
  EXPECT_EQ(explained.reason, "HeartbeatTimeout");
  EXPECT_EQ(explained.held_by, "grace");
  EXPECT_EQ(explained.looked_at_again_in, 2s);
  EXPECT_THAT(explained.words, HasSubstr("held (grace), looked at again in 2 s"));
}

TEST_F(ExplainTest, ThatNothingIsSeenIsSaid) {
  PassBlind(1h);
  const Explanation explained = Explained();
  EXPECT_TRUE(explained.silence_clock_stopped);
  EXPECT_GE(explained.silence_clock_behind, 1h);
  EXPECT_THAT(explained.words, HasSubstr("the silence clock stands still"));
}

TEST_F(ExplainTest, AWriteThatWasRefusedIsSaid) {
  Pass(20s);
  ASSERT_FALSE(Others().empty());
  engine_.AnswerTo(Others()[0].id, 403, R"({"kind":"Status","message":"no"})");
  EXPECT_EQ(Explained().held_by, "refused");
}

TEST_F(ExplainTest, WhatHasEndedIsSaid) {
  engine_.Watch(RunText("a").Claimed().Beat(1).Phase("Succeeded").Version(20));
  EXPECT_EQ(Explained().words, "ns/a is Succeeded: it has ended");
}

}  // namespace
}  // namespace jobrun
