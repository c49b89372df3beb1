// Runs side by side: each is judged by itself, and a set of all kinds comes out right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/engine/verdict_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// "/apis/jobrun.dev/v1/namespaces/ns/jobruns/NAME/status" to NAME.
std::string RunOf(const Request& request) {
  const auto end = request.target.rfind("/status");
  const auto begin = request.target.rfind('/', end - 1) + 1;
  return request.target.substr(begin, end - begin);
}

RunText& Next(RunText& run) { return run.Version(run.version + 1); }

TEST(EngineSetTest, AHeartbeatMovesExactlyOneRun) {
  EngineHarness engine;
  RunText touched = Beating("touched");
  engine.Sync({touched, Beating("other")});
  engine.Pass(100s);
  engine.Watch(Next(touched.Beat(2)));
  engine.Pass(50s);
  ASSERT_EQ(engine.Requests().size(), 1U);
  EXPECT_EQ(RunOf(engine.Requests()[0]), "other");
  engine.Pass(100s - 1ms);
  EXPECT_EQ(engine.Requests().size(), 1U);
  engine.Pass(1ms);
  ASSERT_EQ(engine.Requests().size(), 2U);
  EXPECT_EQ(RunOf(engine.Requests()[1]), "touched");
}

// All of them at one moment, because reaping was off until then.
TEST(EngineSetTest, AMixedSetComesOutRight) {
  EngineHarness engine(Settings{.reaping = Reaping::kDisabled});
  RunText healthy = Beating("healthy");
  RunText hangs = Beating("hangs").Spec(R"("deadlineSeconds":150)");
  RunText both = Beating("both").Spec(R"("deadlineSeconds":150)");
  hangs.start_time = both.start_time = "2026-11-22T12:00:00Z";
  engine.Sync({healthy, hangs, both, Beating("silent"), RunText("never-beat").Claimed(),
               Beating("exited").Exited(0), RunText("pending"),
               Beating("finished").Phase("Succeeded")});
  engine.Pass(299s);
  engine.Watch(Next(healthy.Beat(2)));
  engine.Watch(Next(hangs.Beat(2)));
  engine.Pass(1s);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Give(ConfigLoaded{Settings{}});
  std::map<std::string, std::string> verdicts;
  for (const Request& request : engine.Requests()) verdicts[RunOf(request)] = request.body;
  const auto says = [](const char* phase, const char* reason) {
    return testing::AllOf(HasSubstr(std::string(R"("phase":")") + phase + '"'),
                          HasSubstr(std::string(R"("reason":")") + reason + '"'));
  };
  EXPECT_THAT(verdicts, ElementsAre(Pair("both", says("Failed", "DeadlineExceeded")),
                                    Pair("exited", says("Succeeded", "FinalizedByController")),
                                    Pair("hangs", says("Failed", "DeadlineExceeded")),
                                    Pair("silent", says("Stuck", "HeartbeatTimeout"))));
}

// A worker that beats in time is never asked anything, written to or counted.
TEST(EngineSetTest, AHealthyRunIsUntouched) {
  EngineHarness engine;
  RunText run = Beating();
  engine.Sync({run});
  for (int beat = 2; beat < 50; ++beat) {
    engine.Pass(149s);
    engine.Watch(Next(run.Beat(beat)));
  }
  EXPECT_TRUE(engine.Requests().empty());
  EXPECT_EQ(engine.Reaps(Reason::kHeartbeatTimeout), 0);
}

TEST(EngineSetTest, WithoutAUsableClaimTheCoarseLimitCountsFromTheCreation) {
  for (const char* claimed_at : {"", "soon", "2026-02-30T00:00:00Z"}) {
    SCOPED_TRACE(claimed_at);
    EngineHarness engine;
    RunText run = RunText("a").Claimed(claimed_at);
    run.created = "2026-11-22T11:00:00Z";
    engine.Sync({run});
    engine.Pass(3600s - 1ms);
    EXPECT_TRUE(engine.Requests().empty());
    engine.Pass(1ms);
    ExpectVerdict(engine, "ClaimExpired");
  }
}

TEST(EngineSetTest, WithAClaimTheCoarseLimitCountsFromIt) {
  EngineHarness engine;
  RunText run = RunText("a").Claimed("2026-11-22T11:30:00Z");
  run.created = "2026-11-22T11:00:00Z";
  engine.Sync({run});
  engine.Pass(5400s - 1ms);
  EXPECT_TRUE(engine.Requests().empty());
  engine.Pass(1ms);
  ExpectVerdict(engine, "ClaimExpired");
}

}  // namespace
}  // namespace jobrun
