// How the reflector keeps up: events, bookmarks, and where a new watch begins after the last one
// ended.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/watch/reflector_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// Brings a synced reflector's watch to its end and to the next one; tells where that begins.
std::string NextWatchBeginsAt(ReflectorHarness& reflector) {
  reflector.Ended(200);
  if (!reflector.Host().Stream()) reflector.PassWait();
  return Parameter(reflector.Host().Stream()->target, "resourceVersion");
}

// ---- resuming ----

TEST(ReflectorWatchTest, AWatchWithoutEventsBeginsAgainAtTheList) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 3}}, 7);
  EXPECT_EQ(NextWatchBeginsAt(reflector), "7");
}

TEST(ReflectorWatchTest, AWatchWithoutEventsBeginsAgainAtTheEndOfTheWatchList) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  EXPECT_EQ(NextWatchBeginsAt(reflector), "7");
}

TEST(ReflectorWatchTest, AWatchIsResumedAtItsLastEvent) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines({Modified({"a", 8}), Deleted({"a", 9})});
  EXPECT_EQ(NextWatchBeginsAt(reflector), "9");
}

TEST(ReflectorWatchTest, AWatchIsResumedAtItsLastBookmark) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines({Modified({"a", 8}), Bookmark(20)});
  EXPECT_EQ(NextWatchBeginsAt(reflector), "20");
}

TEST(ReflectorWatchTest, AWatchThatBringsNothingIsResumedWhereItBegan) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines({Modified({"a", 8})});
  EXPECT_EQ(NextWatchBeginsAt(reflector), "8");
  EXPECT_EQ(NextWatchBeginsAt(reflector), "8");
}

TEST(ReflectorWatchTest, ARelistForgetsWhereTheWatchWas) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 3}}, 7);
  reflector.Lines({Modified({"a", 900})});
  reflector.Ended(410);
  reflector.Answer(200, PageText(50, {{"a", 40}}));
  EXPECT_EQ(reflector.Host().Calls().back(), "open 50");
}

TEST(ReflectorWatchTest, ABookmarkIsNotTheHostsBusiness) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines({Bookmark(20), InitialEventsEnd(21)});
  EXPECT_EQ(reflector.Host().Calls(), Calls{});
}

TEST(ReflectorWatchTest, AnInvalidEventDoesNotStopTheOthers) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  const std::string no_uid = Line(
      "ADDED", R"({"metadata":{"name":"b","namespace":"ns","resourceVersion":"9"},"spec":{}})");
  reflector.Lines({Added({"a", 8}), no_uid, "garbage", Added({"c", 10})});
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"added a@8", "invalid b", "invalid ", "added c@10"}));
  EXPECT_TRUE(reflector.Host().Stream());
}

TEST(ReflectorWatchTest, AnInvalidEventIsNoPlaceToResume) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  const std::string no_uid = Line(
      "ADDED", R"({"metadata":{"name":"b","namespace":"ns","resourceVersion":"9"},"spec":{}})");
  reflector.Lines({no_uid, "garbage"});
  EXPECT_EQ(NextWatchBeginsAt(reflector), "7");
}

TEST(ReflectorWatchTest, ReplayedEventsAreHandedOnAsTheyCome) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Lines({Added({"a", 8}), Added({"a", 8})});
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"added a@8", "added a@8"}));
}

// ---- orderly ends ----

TEST(ReflectorWatchTest, AnOrderlyEndIsFollowedByAWatchAtOnce) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  for (std::uint64_t version = 8; version < 20; ++version) {
    reflector.Pass(5min);
    reflector.Lines({Bookmark(version)});
    reflector.Host().ForgetCalls();
    reflector.Ended(200);
    EXPECT_EQ(reflector.Host().Calls(),
              (Calls{"stream server", "open " + std::to_string(version)}));
    reflector.Opened();
  }
}

TEST(ReflectorWatchTest, AWatchThatEndsAtOnceAgainAndAgainIsOpenedEverMoreSlowly) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(200);
  for (const Nanos step : {800ms, 1600ms, 3200ms}) {
    reflector.Opened();
    reflector.Ended(200);
    EXPECT_FALSE(reflector.Host().Stream());
    EXPECT_GE(reflector.PassWait(), step);
  }
}

// ---- lists without a reason ----

TEST(ReflectorWatchTest, EverythingIsListedAgainOnceInAWhile) {
  ReflectorHarness reflector;
  reflector.Host().list_again_after = 10min;
  reflector.Sync({{"a", 5}}, 7);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(reflector.Waits());
    EXPECT_GE(*reflector.Waits(), 10min);
    EXPECT_LE(*reflector.Waits(), 10min + 150s);
    reflector.PassWait();
    EXPECT_EQ(reflector.Host().Calls(),
              (Calls{"close", "stream transport", "listing", "open initial"}));
    reflector.Sync({{"a", 5}}, 7);
  }
}

TEST(ReflectorWatchTest, ThatIsNotPutOffByAWatchThatEndsInBetween) {
  ReflectorHarness reflector;
  reflector.Host().list_again_after = 10min;
  reflector.SyncByPages({{"a", 5}}, 7);
  const Mono at = reflector.Time() + reflector.Waits().value_or(0s);
  reflector.Pass(6min);
  reflector.Lines({Bookmark(9)});
  reflector.Ended(200);
  reflector.Opened();
  EXPECT_EQ(reflector.Time() + reflector.Waits().value_or(0s), at);
}

TEST(ReflectorWatchTest, WithoutNeedNothingIsListedAgain) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  EXPECT_FALSE(reflector.Waits());
}

TEST(ReflectorWatchTest, AWatchThatEndsAtOnceIsNotReopenedInALoopForTheEventsItBrings) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  Nanos waited{};
  for (std::uint64_t version = 8; version < 108; ++version) {
    reflector.Opened();
    reflector.Lines({Added({"a", version})});
    reflector.Ended(200);
    if (!reflector.Host().Stream()) waited += reflector.PassWait();
  }
  EXPECT_GE(waited, 40s);
}

TEST(ReflectorWatchTest, PagesOfAProxyAreNoEventsOfAWatch) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  int at_once = 0;
  for (int i = 0; i < 5; ++i) {
    reflector.Opened();
    reflector.Pass(2s);
    reflector.Lines({"<html>", "please sign in", "</html>"});
    reflector.Ended(200);
    if (reflector.Host().Stream()) ++at_once;
    if (!reflector.Host().Stream()) reflector.PassWait();
  }
  EXPECT_EQ(at_once, 1);
}

// ---- what is asked of the network ----

TEST(ReflectorWatchTest, AWatchAsksForBookmarks) {
  ReflectorHarness reflector;
  reflector.SyncByPages({}, 7);
  const std::string& target = reflector.Host().Stream()->target;
  EXPECT_EQ(Parameter(target, "watch"), "true");
  EXPECT_EQ(Parameter(target, "allowWatchBookmarks"), "true");
  EXPECT_EQ(Parameter(target, "sendInitialEvents"), "");
}

TEST(ReflectorWatchTest, TimeoutsAreSpreadOverFiveToTenMinutes) {
  for (const bool pages : {false, true}) {
    std::set<int> timeouts;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
      ReflectorHarness reflector(seed);
      if (pages) reflector.SyncByPages({}, 7);
      timeouts.insert(std::stoi(Parameter(reflector.Host().Stream()->target, "timeoutSeconds")));
    }
    EXPECT_GE(*timeouts.begin(), 300);
    EXPECT_LE(*timeouts.rbegin(), 600);
    EXPECT_GT(timeouts.size(), 250U);
  }
}

TEST(ReflectorWatchTest, AStreamOutlivesItsTimeoutBySomeSlackOnly) {
  for (const bool pages : {false, true}) {
    ReflectorHarness reflector;
    if (pages) reflector.SyncByPages({}, 7);
    const OpenStream& stream = *reflector.Host().Stream();
    const Seconds timeout{std::stoi(Parameter(stream.target, "timeoutSeconds"))};
    EXPECT_EQ(stream.total_deadline, timeout + 30s);
  }
}

TEST(ReflectorWatchTest, AStreamMayMissOneBookmarkNotTwo) {
  for (const bool pages : {false, true}) {
    ReflectorHarness reflector;
    if (pages) reflector.SyncByPages({}, 7);
    EXPECT_EQ(reflector.Host().Stream()->idle_deadline, 90s);
    EXPECT_EQ(reflector.Host().Stream()->open_deadline, 10s);
  }
}

TEST(ReflectorWatchTest, AnOpenWatchWaitsForNothingButTheNetwork) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  EXPECT_FALSE(reflector.Waits());
  reflector.Pass(24h);
  EXPECT_EQ(reflector.Host().Calls(), Calls{});
}

// ---- what comes too late ----

TEST(ReflectorWatchTest, AnOldStreamIsNotListenedTo) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  const StreamId old = reflector.Host().Stream()->id;
  reflector.Ended(200);
  reflector.Host().ForgetCalls();
  reflector.LinesOf(old, {Deleted({"a", 8}), ErrorLine(410)});
  reflector.EndedOf(old, 0);
  reflector.Machine().OnOpened({.id = old}, reflector.Time());
  EXPECT_EQ(reflector.Host().Calls(), Calls{});
  EXPECT_EQ(NextWatchBeginsAt(reflector), "7");
}

TEST(ReflectorWatchTest, NothingIsListenedToWhileItWaits) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  const StreamId old = reflector.Host().Stream()->id;
  reflector.Ended(0);
  const auto waits = reflector.Waits();
  reflector.Host().ForgetCalls();
  for (const StreamId id : {old, StreamId{0}}) {
    reflector.LinesOf(id, {Deleted({"a", 8})});
    reflector.EndedOf(id, 0);
  }
  reflector.Machine().OnResponse({.id = 0, .status = 200}, reflector.Time());
  EXPECT_EQ(reflector.Host().Calls(), Calls{});
  EXPECT_EQ(reflector.Waits(), waits);
}

TEST(ReflectorWatchTest, WakingTooEarlyDoesNothing) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(0);
  reflector.Host().ForgetCalls();
  reflector.Pass(*reflector.Waits() - 1ns);
  EXPECT_EQ(reflector.Host().Calls(), Calls{});
  reflector.Pass(1ns);
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"open 7"}));
}

}  // namespace
}  // namespace jobrun
