// The engine and its watch: syncing, relists, outages, and what probes are told.
#include <gtest/gtest.h>

#include "tests/engine/engine_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

RunText Beating(const std::string& name) { return RunText(name).Claimed().Beat(1).Version(50); }

std::string Page(const std::vector<RunText>& runs, const std::string& next = "") {
  std::string items;
  for (const RunText& run : runs) items += (items.empty() ? "" : ",") + run.Json();
  return R"({"kind":"JobRunList","metadata":{"resourceVersion":"500","continue":")" + next +
         R"("},"items":[)" + items + "]}";
}

TEST(EngineWatchTest, IsReadyOnlyAfterTheFirstCompleteList) {
  EngineHarness engine;
  EXPECT_FALSE(engine.CheckHealth().synced);
  engine.Opened();
  engine.Watch(Beating("a"), "ADDED");
  EXPECT_FALSE(engine.CheckHealth().synced);
  EngineHarness whole;
  whole.Sync({Beating("a")});
  EXPECT_TRUE(whole.CheckHealth().synced);
}

TEST(EngineWatchTest, AListInPagesReplacesTheStoreOnlyWhenItIsWhole) {
  EngineHarness engine;
  engine.Sync({Beating("a"), Beating("b"), Beating("c")});
  engine.CutStream(410);
  engine.CutStream(400);  // no WatchList here
  ASSERT_EQ(engine.Requests().size(), 1U);
  engine.Answer(200, Page({Beating("a")}, "next"));
  EXPECT_EQ(engine.Scrape().runs, 3U);
  engine.Answer(410);
  EXPECT_EQ(engine.Scrape().runs, 3U);
  engine.Pass(30s);
  engine.Answer(200, Page({Beating("a")}, "next"));
  engine.Answer(200, Page({Beating("c")}));
  EXPECT_EQ(engine.Scrape().runs, 2U);
}

TEST(EngineWatchTest, PagesComePackedWhereThatIsWanted) {
  for (const bool wanted : {false, true}) {
    Settings settings;
    settings.watch.gzip = wanted;
    settings.watch.relist = EngineHarness::kSeldom;
    EngineHarness engine(settings);
    engine.CutStream(400);  // no WatchList here, or it can't select
    ASSERT_EQ(engine.Requests().size(), 1U);
    EXPECT_EQ(engine.Requests()[0].accepts_gzip, wanted);
  }
}

TEST(EngineWatchTest, TimersSurviveARelist) {
  EngineHarness engine;
  engine.Sync({Beating("a")});
  engine.Pass(100s);
  engine.CutStream(410);
  engine.Sync({Beating("a")});
  engine.Pass(50s);
  EXPECT_EQ(engine.Requests().size(), 1U);
}

TEST(EngineWatchTest, ARunThatARelistDoesNotHaveIsGone) {
  EngineHarness engine;
  engine.Sync({Beating("a"), Beating("b")});
  engine.CutStream(410);
  engine.Sync({Beating("b")});
  EXPECT_EQ(engine.Scrape().runs, 1U);
  engine.Pass(150s);
  ASSERT_EQ(engine.Requests().size(), 1U);
  EXPECT_NE(engine.Requests()[0].target.find("/b/"), std::string::npos);
}

TEST(EngineWatchTest, ABrokenWatchIsResumedWhereItWas) {
  EngineHarness engine;
  engine.Sync({Beating("a")});
  engine.Watch(Beating("a").Beat(2).Version(321));
  engine.CutStream(0);
  engine.Pass(30s);
  EXPECT_EQ(engine.StreamsOpened(), 2);
  EXPECT_NE(engine.LastStream().target.find("resourceVersion=321"), std::string::npos);
}

TEST(EngineWatchTest, NoWaitIsNearTheShortestTimeout) {
  EngineHarness engine;
  engine.Sync({Beating("a").Spec(R"("heartbeat":{"intervalSeconds":1,"timeoutSeconds":10})")});
  for (int i = 0; i < 4; ++i) {
    const int opened = engine.StreamsOpened();
    engine.CutStream(0);
    engine.Pass(1s);
    EXPECT_EQ(engine.StreamsOpened(), opened + 1);
  }
}

TEST(EngineWatchTest, AReplayedOldEventDoesNotUndoWhatIsKnown) {
  EngineHarness engine;
  RunText run = Beating("a");
  engine.Sync({run});
  engine.Watch(RunText(run).Beat(2).Version(60));
  engine.Pass(100s);
  engine.Watch(run);
  engine.Watch(RunText(run).Beat(2).Version(60));
  engine.Pass(50s);
  EXPECT_EQ(engine.Requests().size(), 1U);
}

TEST(EngineWatchTest, ARunThatIsGoneIsNotBroughtBackByAnOldEvent) {
  EngineHarness engine;
  engine.Sync({Beating("a")});
  engine.Watch(Beating("a").Version(60), "DELETED");
  engine.Watch(Beating("a"), "MODIFIED");
  EXPECT_EQ(engine.Scrape().runs, 0U);
}

TEST(EngineWatchTest, NorByOneThatTheDeletionHasOvertaken) {
  EngineHarness engine;
  engine.Sync({});
  engine.Watch(Beating("a").Version(60), "DELETED");
  engine.Watch(Beating("a"), "ADDED");
  EXPECT_EQ(engine.Scrape().runs, 0U);
}

// Out of a selector's sight is DELETED to the watch, and the run is still there.
TEST(EngineWatchTest, ARunThatComesBackIntoTheSelectorIsJudgedAgain) {
  EngineHarness engine;
  engine.Sync({Beating("a")});
  engine.Watch(Beating("a").Version(60), "DELETED");
  engine.Watch(Beating("a").Version(61), "ADDED");
  EXPECT_EQ(engine.Scrape().runs, 1U);
  engine.Pass(200s);
  EXPECT_EQ(engine.Requests().size(), 1U) << "its silence is noticed";
}

TEST(EngineWatchTest, AnOldEventDoesNotHideWhatComesBackLater) {
  EngineHarness engine;
  engine.Sync({Beating("a")});
  engine.Watch(Beating("a").Version(60), "DELETED");
  engine.Watch(Beating("a").Version(59), "MODIFIED");
  EXPECT_EQ(engine.Scrape().runs, 0U);
  engine.Watch(Beating("a").Version(61), "ADDED");
  engine.Watch(Beating("a").Version(62), "DELETED");
  engine.Watch(Beating("a").Version(61), "ADDED");
  EXPECT_EQ(engine.Scrape().runs, 0U) << "the later deletion counts";
}

TEST(EngineWatchTest, NorByOneOlderThanTheListThatDidNotHaveIt) {
  EngineHarness engine;
  engine.Sync({Beating("b")}, 100);
  engine.Watch(Beating("a").Version(100), "ADDED");
  EXPECT_EQ(engine.Scrape().runs, 1U);
  engine.Watch(Beating("b").Beat(2).Version(90));
  engine.Watch(Beating("a").Version(101), "ADDED");
  EXPECT_EQ(engine.Scrape().runs, 2U);
}

TEST(EngineWatchTest, WhatTheWatchHasLostTheNextListTells) {
  Settings settings;
  settings.watch.relist = Seconds(60);
  EngineHarness engine(settings);
  engine.Sync({Beating("a")});
  engine.Pass(59s);
  EXPECT_EQ(engine.StreamsOpened(), 1);
  engine.Pass(16s);  // a quarter more, at random
  EXPECT_EQ(engine.StreamsOpened(), 2);
  engine.Sync({Beating("a"), Beating("lost")});
  EXPECT_EQ(engine.Scrape().runs, 2U);
  engine.Pass(75s);
  EXPECT_EQ(engine.StreamsOpened(), 3);
}

TEST(EngineWatchTest, ManyRunsAreListedAgainLessOften) {
  Settings settings;
  settings.watch.relist = Seconds(60);
  EngineHarness engine(settings);
  std::vector<RunText> runs;
  for (int i = 0; i < 2000; ++i) runs.push_back(RunText("r" + std::to_string(i)));
  engine.Sync(runs);
  engine.Pass(71s);  // 36 ms for each
  EXPECT_EQ(engine.StreamsOpened(), 1);
  engine.Pass(19s);
  EXPECT_EQ(engine.StreamsOpened(), 2);
}

// ---- a store that was given an old backup ----

class OldBackupTest : public ::testing::Test {
 protected:
  OldBackupTest() {
    engine_.Sync({run_});
    engine_.Watch(RunText(run_).Phase("Succeeded").Version(60));
    engine_.CutStream(410);
  }

  RunText run_{Beating("a")};
  EngineHarness engine_{};
};

TEST_F(OldBackupTest, ARunWhoseEndIsUndoneIsListedAgainAndJudged) {
  engine_.Sync({run_}, 60);
  engine_.Pass(0s);
  EXPECT_EQ(engine_.StreamsOpened(), 3);
  engine_.Sync({run_}, 60);
  EXPECT_EQ(engine_.StreamsOpened(), 3);
  engine_.Pass(150s);
  EXPECT_EQ(engine_.Requests().size(), 1U);
}

TEST_F(OldBackupTest, AListFromBeforeTheEndUndoesNothing) {
  engine_.Sync({run_}, 59);
  engine_.Pass(500s);
  EXPECT_EQ(engine_.StreamsOpened(), 2);
  EXPECT_TRUE(engine_.Requests().empty());
}

TEST_F(OldBackupTest, ARunWithTheSameVersionAndOtherContentIsSeenAnew) {
  engine_.Sync({RunText(run_).Version(60)}, 60);
  engine_.Pass(150s);
  EXPECT_EQ(engine_.Requests().size(), 1U);
}

TEST(EngineWatchTest, ButByAListItIs) {
  EngineHarness engine;
  engine.Sync({Beating("a")});
  engine.Watch(Beating("a").Version(60), "DELETED");
  engine.CutStream(410);
  engine.Sync({Beating("a")});
  EXPECT_EQ(engine.Scrape().runs, 1U) << "a backup has brought it back";
}

TEST(EngineWatchTest, AProblemIsToldToProbesAndLoggedOnce) {
  EngineHarness engine;
  for (int i = 0; i < 5; ++i) {
    engine.Give(
        StreamClosed{.id = engine.LastStream().id, .status = 403, .detail = "may not list"});
    engine.Pass(100ms);
  }
  EXPECT_NE(engine.CheckHealth().problem.find("may not list"), std::string::npos);
  EXPECT_EQ(std::ranges::count_if(engine.Log(),
                                  [](const LogLine& line) {
                                    return line.message.find("may not list") != std::string::npos;
                                  }),
            1);
}

std::vector<std::string> Messages(const EngineHarness& engine) {
  std::vector<std::string> messages;
  for (const LogLine& line : engine.Log()) {
    if (line.message != "synced") messages.push_back(line.message);
  }
  return messages;
}

constexpr char kLost[] = "lost the watch of JobRuns: ";
constexpr char kWell[] = "the API server answers again";

// A watch that opens and is refused from within, again and again.
void Flap(EngineHarness& engine, Nanos time) {
  const auto until = engine.ServerNow() + time;
  while (engine.ServerNow() < until) {
    const int opened = engine.StreamsOpened();
    engine.CutStream(500);
    while (engine.StreamsOpened() == opened) engine.Pass(1s);
    engine.Sync({});
  }
}

TEST(EngineWatchTest, AShortTroubleIsLoggedWithItsEndAtOnce) {
  EngineHarness engine;
  engine.Sync({});
  for (std::size_t i = 0; i < 2; ++i) {
    engine.CutStream(500);
    engine.Pass(5s);
    EXPECT_EQ(Messages(engine).size(), 2 * i + 1);
    engine.Opened();
    EXPECT_EQ(Messages(engine).size(), 2 * i + 2);
    engine.Pass(115s);
  }
  EXPECT_EQ(Messages(engine), (std::vector<std::string>{kLost, kWell, kLost, kWell}));
}

TEST(EngineWatchTest, ATroubleThatComesAndGoesIsALineAMinute) {
  EngineHarness engine;
  engine.Sync({});
  Flap(engine, 10min);
  EXPECT_GE(Messages(engine).size(), 9U);
  EXPECT_LE(Messages(engine).size(), 12U);
}

TEST(EngineWatchTest, TheLastLineSaysHowThingsAreThoughNothingHappensAnyMore) {
  for (const bool well : {true, false}) {
    for (const Nanos flapping : {20s, 80s, 130s, 200s}) {
      EngineHarness engine;
      engine.Sync({});
      Flap(engine, flapping);
      if (!well) engine.CutStream(500);
      engine.Pass(130s);
      EXPECT_EQ(engine.CheckHealth().problem, well ? "" : kLost);
      EXPECT_EQ(Messages(engine).back(), well ? kWell : kLost) << flapping / 1s;
    }
  }
}

TEST(EngineWatchTest, ItTurnsAtLeastEveryTenSeconds) {
  EngineHarness engine;
  engine.Sync({});
  ASSERT_TRUE(engine.Wake());
  const Mono before = engine.CheckHealth().last_sweep;
  engine.Pass(60s);
  EXPECT_EQ(engine.CheckHealth().last_sweep - before, 60s);
}

TEST(EngineWatchTest, NamespacesAreWatchedEachOnItsOwn) {
  EngineOptions options = EngineHarness::OptionsWith({});
  options.scopes = {{.name_space = "ns"}, {.name_space = "other"}};
  EngineHarness engine(std::move(options));
  EXPECT_EQ(engine.StreamsOpened(), 2);
  EXPECT_NE(engine.LastStream().target.find("/namespaces/other/"), std::string::npos);
  engine.Sync({});
  EXPECT_FALSE(engine.CheckHealth().synced);
}

}  // namespace
}  // namespace jobrun
