// A worker that beats faster than the controller can write must not put off what heartbeats do not
// excuse.
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/engine_harness.h"
#include "tests/engine/verdict_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class StarvedTest : public testing::Test {
 protected:
  // Answers every write with a conflict, every read with a run that has beaten since, until a JSON
  // patch is asked for or so many writes were made.
  void BeatAgainstIt(RunText run, int writes_max) {
    for (int writes = 0; writes < writes_max;) {
      if (engine_.Requests().empty()) engine_.Pass(1s);
      if (engine_.Requests().empty()) continue;
      const Request& request = engine_.Requests()[0];
      if (request.content_type == "application/json-patch+json") return;
      if (request.method == Method::kGet) {
        engine_.Answer(200, run.Beat(++beats_).Version(run.version + 1).Json());
      } else {
        ++writes;
        engine_.Answer(409, "");
      }
    }
  }
  static RunText Due(const std::string& spec) {
    RunText run = RunText("a").Claimed().Spec(spec);
    run.start_time = "2026-11-22T12:00:00.000000Z";
    return run;
  }

  EngineHarness engine_;
  int beats_{0};
};

TEST_F(StarvedTest, TheDeadlineOfABusyHeartbeaterIsWrittenOnItsGrounds) {
  const RunText run = Due(R"("deadlineSeconds":60)").Conditions(R"({"type":"x","status":"True"})");
  engine_.Sync({run});
  engine_.Pass(62s);
  BeatAgainstIt(run, 20);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  const std::string& body = engine_.Requests()[0].body;
  EXPECT_TRUE(body.starts_with(
      R"([{"op":"test","path":"/metadata/uid","value":")" + FormatUid(run.uid) +
      R"("},{"op":"test","path":"/metadata/generation","value":1},)"
      R"({"op":"test","path":"/metadata/deletionTimestamp","value":null},)"
      R"({"op":"test","path":"/status/phase","value":"Running"},)"
      R"({"op":"test","path":"/status/claimedAt","value":"2026-11-22T12:00:00Z"},)"
      R"({"op":"test","path":"/status/exitCode","value":null},)"
      R"({"op":"test","path":"/status/conditions","value":[{"type":"x","status":"True"}]},)"
      R"({"op":"add","path":"/status/phase","value":"Failed"})"))
      << body;
  EXPECT_EQ(body.find("resourceVersion"), std::string::npos);
  EXPECT_NE(body.find(R"("path":"/status/conditions","value":[{"type":"x","status":"True"},{)"),
            std::string::npos);
}

TEST_F(StarvedTest, ATestThatFailsIsAConflict) {
  const RunText run = Due(R"("deadlineSeconds":60)");
  engine_.Sync({run});
  engine_.Pass(62s);
  BeatAgainstIt(run, 20);
  engine_.Answer(422, "");
  engine_.Pass(1s);
  ASSERT_EQ(engine_.Requests().size(), 1U);
  EXPECT_EQ(engine_.Requests()[0].method, Method::kGet);
  RunText over = run;
  over.version = 900;
  engine_.Answer(200, over.Phase("Succeeded").Json());
  EXPECT_TRUE(engine_.Requests().empty());
  EXPECT_EQ(engine_.Reaps(Reason::kDeadlineExceeded), 0);
}

TEST_F(StarvedTest, ARefusalOfTheContentIsToldAndNotTakenForAConflict) {
  const RunText run = Due(R"("deadlineSeconds":60)");
  engine_.Sync({run});
  engine_.Pass(62s);
  for (int i = 0; i < 40; ++i) {
    if (engine_.Requests().empty()) engine_.Pass(25s);
    if (engine_.Requests().empty()) continue;
    EXPECT_NE(engine_.Requests()[0].content_type, "application/json-patch+json");
    const bool reads = engine_.Requests()[0].method == Method::kGet;
    engine_.Answer(reads ? 200 : 422, reads ? run.Json() : "");
  }
  EXPECT_EQ(engine_.Counted(Metric::kConflicts), 0);
}

TEST_F(StarvedTest, SilenceIsNeverWrittenSo) {
  const RunText run = Beating();
  engine_.Sync({run});
  engine_.Pass(150s);
  for (int i = 0; i < 12; ++i) {
    if (engine_.Requests().empty()) engine_.Pass(25s);
    ASSERT_FALSE(engine_.Requests().empty());
    EXPECT_NE(engine_.Requests()[0].content_type, "application/json-patch+json");
    if (engine_.Requests()[0].method == Method::kGet) {
      engine_.Answer(200, Beating().Version(10 + static_cast<std::uint64_t>(i)).Json());
    } else {
      engine_.Answer(409, "");
    }
  }
}

}  // namespace
}  // namespace jobrun
