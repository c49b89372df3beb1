// How the reflector gets a complete list: as a WatchList, or in pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/watch/reflector_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// ---- WatchList ----

TEST(ReflectorSyncTest, ItBeginsWithAWatchList) {
  ReflectorHarness reflector;
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"listing", "open initial"}));
  const std::string& target = reflector.Host().Stream()->target;
  EXPECT_EQ(Parameter(target, "resourceVersionMatch"), "NotOlderThan");
  EXPECT_EQ(Parameter(target, "allowWatchBookmarks"), "true");
  EXPECT_EQ(Parameter(target, "resourceVersion"), "");
}

TEST(ReflectorSyncTest, AWatchListIsWholeWhenItsEndIsTold) {
  ReflectorHarness reflector;
  reflector.Opened();
  reflector.Lines({Added({"a", 3}), Bookmark(4), Added({"b", 2})});
  EXPECT_FALSE(reflector.Machine().Synced());
  reflector.Lines({InitialEventsEnd(7)});
  EXPECT_TRUE(reflector.Machine().Synced());
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"listing", "open initial", "initial added a@3",
                                             "initial added b@2", "replaced", "list complete"}));
}

TEST(ReflectorSyncTest, AWatchListGoesOnAsTheWatch) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines({Modified({"a", 8}), Added({"b", 9}), Deleted({"a", 10})});
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"modified a@8", "added b@9", "deleted a@10"}));
  EXPECT_FALSE(reflector.Waits());
}

TEST(ReflectorSyncTest, EndAndFirstEventsMayComeTogether) {
  ReflectorHarness reflector;
  reflector.Opened();
  reflector.Lines({Added({"a", 3}), InitialEventsEnd(7), Modified({"a", 8})});
  EXPECT_EQ(reflector.Host().Calls().back(), "modified a@8");
}

TEST(ReflectorSyncTest, AnEndWithoutAVersionIsNone) {
  ReflectorHarness reflector;
  reflector.Opened();
  reflector.Lines({InitialEventsEnd(0)});
  EXPECT_FALSE(reflector.Machine().Synced());
}

TEST(ReflectorSyncTest, AServerWithoutWatchListIsNeverAskedForItAgain) {
  for (const int status : {400, 422}) {
    ReflectorHarness reflector;
    reflector.Ended(status);
    EXPECT_EQ(reflector.Host().Calls(), (Calls{"listing", "open initial", "stream refused",
                                               "list failed", "listing", "list"}));
    EXPECT_EQ(reflector.Host().Problem(), "");
    reflector.Answer(200, PageText(7, {}));
    reflector.Ended(410);
    EXPECT_EQ(reflector.Host().Calls().back(), "list");
  }
}

TEST(ReflectorSyncTest, AWatchListRefusedForNowIsAskedForAgain) {
  ReflectorHarness reflector;
  for (const int status : {429, 503}) {
    reflector.Ended(status);
    reflector.Host().ForgetCalls();
    EXPECT_GE(reflector.PassWait(), 800ms);
    EXPECT_EQ(reflector.Host().Calls(), (Calls{"listing", "open initial"}));
  }
}

TEST(ReflectorSyncTest, AWatchListThatNeverBeginsGivesWayToPages) {
  ReflectorHarness reflector;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(reflector.Host().Stream());
    reflector.Ended(0);
    reflector.PassWait();
  }
  EXPECT_EQ(reflector.Host().Calls().back(), "list");
}

TEST(ReflectorSyncTest, AStalledWatchListGivesWayToPages) {
  ReflectorHarness reflector;
  reflector.Pass(5s);
  reflector.Opened();
  reflector.Lines({Added({"a", 3})});
  reflector.Host().ForgetCalls();
  reflector.Pass(20s - 1ns);
  EXPECT_EQ(reflector.Host().Calls(), Calls{});
  reflector.Pass(1ns);
  EXPECT_EQ(reflector.Host().Calls(),
            (Calls{"close", "stream transport", "list failed", "listing", "list"}));
}

TEST(ReflectorSyncTest, AWatchListThatIsNotAnsweredGivesWayToPages) {
  ReflectorHarness reflector;
  reflector.Pass(20s);
  EXPECT_EQ(reflector.Host().Calls().back(), "list");
}

TEST(ReflectorSyncTest, ASlowWatchListMayGoOn) {
  ReflectorHarness reflector;
  reflector.Opened();
  for (int i = 1; i <= 5; ++i) {
    reflector.Pass(19s);
    reflector.Lines({Added({"a", 3})});
  }
  EXPECT_TRUE(reflector.Host().Stream());
}

TEST(ReflectorSyncTest, AWatchListWhoseEndNeverComesGivesWayToPagesHoweverBusyItIs) {
  ReflectorHarness reflector;
  reflector.Opened();
  for (int i = 1; i < 120; ++i) {
    reflector.Pass(1s);
    reflector.Lines({Modified({"a", static_cast<std::uint64_t>(i)})});
  }
  EXPECT_TRUE(reflector.Host().Stream());
  reflector.Pass(1s);
  EXPECT_FALSE(reflector.Host().Stream());
  EXPECT_EQ(reflector.Host().Calls().back(), "list");
}

TEST(ReflectorSyncTest, AWatchListThatEndsEarlyGivesWayToPages) {
  for (const int status : {0, 200}) {
    ReflectorHarness reflector;
    reflector.Opened();
    reflector.Lines({Added({"a", 3})});
    reflector.Ended(status);
    EXPECT_FALSE(reflector.Host().Asked());
    EXPECT_GE(reflector.PassWait(), 800ms);
    EXPECT_EQ(reflector.Host().Calls().back(), "list");
  }
}

TEST(ReflectorSyncTest, AWatchListThatEndsWithAnErrorGivesWayToPages) {
  for (const auto& [code, end] : {std::pair(410, "expired"), std::pair(500, "failed")}) {
    ReflectorHarness reflector;
    reflector.Opened();
    reflector.Lines({Added({"a", 3}), ErrorLine(code), Added({"b", 4})});
    const Calls& calls = reflector.Host().Calls();
    EXPECT_EQ(calls.at(3), "close");
    EXPECT_EQ(calls.at(5), "list " + std::string(end));
    reflector.PassWait();
    EXPECT_EQ(reflector.Host().Calls().back(), "list");
  }
}

TEST(ReflectorSyncTest, AfterAListInPagesAWatchListIsTriedAgain) {
  ReflectorHarness reflector;
  reflector.Pass(20s);
  reflector.Answer(200, PageText(7, {}));
  reflector.Ended(410);
  EXPECT_EQ(reflector.Host().Calls().back(), "open initial");
}

TEST(ReflectorSyncTest, ABrokenOffWatchListReplacesNothing) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 1}, {"b", 2}}, 7);
  reflector.Ended(410);
  reflector.Opened();
  reflector.Lines({Added({"a", 3})});
  reflector.Ended(0);
  reflector.Pass(1h);
  EXPECT_EQ(reflector.Host().Copy(), (Copy{{"a", 3}, {"b", 2}}));
}

// ---- pages ----

// On a server without WatchList, the first page just asked for.
struct PagingHarness : ReflectorHarness {
  PagingHarness() {
    Ended(400);
    Host().ForgetCalls();
  }
};

TEST(ReflectorSyncTest, AListInPagesIsWholeWithItsLastPage) {
  PagingHarness reflector;
  reflector.Answer(200, PageText(7, {{"a", 3}, {"b", 4}}, "t1"));
  reflector.Answer(200, PageText(7, {{"c", 5}}, "t2"));
  EXPECT_FALSE(reflector.Machine().Synced());
  reflector.Answer(200, PageText(7, {{"d", 6}}));
  EXPECT_TRUE(reflector.Machine().Synced());
  EXPECT_EQ(reflector.Host().Calls(),
            (Calls{"initial added a@3", "initial added b@4", "list t1", "initial added c@5",
                   "list t2", "initial added d@6", "replaced", "list complete", "open 7"}));
}

TEST(ReflectorSyncTest, AnEmptyListIsAListToo) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 1}}, 7);
  reflector.Ended(410);
  reflector.Answer(200, PageText(9, {}));
  EXPECT_EQ(reflector.Host().Copy(), Copy{});
}

TEST(ReflectorSyncTest, ARelistReplacesWhatIsGone) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 1}, {"b", 2}}, 7);
  reflector.Ended(410);
  reflector.Answer(200, PageText(9, {{"c", 8}}, "t"));
  EXPECT_EQ(reflector.Host().Copy(), (Copy{{"a", 1}, {"b", 2}, {"c", 8}}));
  reflector.Answer(200, PageText(9, {{"b", 2}}));
  EXPECT_EQ(reflector.Host().Copy(), (Copy{{"b", 2}, {"c", 8}}));
}

TEST(ReflectorSyncTest, ListExpiredInTheMiddleStartsAgainAndReplacesNothing) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 1}, {"b", 2}, {"c", 3}}, 7);
  reflector.Ended(410);
  reflector.Answer(200, PageText(9, {{"a", 1}}, "t"));
  reflector.Answer(410, StatusText(410, "The provided continue parameter is too old"));
  EXPECT_EQ(reflector.Host().Calls().back(), "list expired");
  reflector.PassWait();
  EXPECT_EQ(reflector.Host().Calls().back(), "list");
  EXPECT_EQ(reflector.Host().Copy().size(), 3U);
}

TEST(ReflectorSyncTest, WhatABrokenOffListHadDoesNotCountForTheNext) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 1}, {"b", 2}}, 7);
  reflector.Ended(410);
  reflector.Answer(200, PageText(9, {{"a", 1}}, "t"));
  reflector.Answer(410);
  reflector.PassWait();
  reflector.Answer(200, PageText(12, {{"b", 2}}));
  EXPECT_EQ(reflector.Host().Copy(), (Copy{{"b", 2}}));
}

TEST(ReflectorSyncTest, AServerThatRepeatsAPageIsNotAskedForever) {
  PagingHarness reflector;
  reflector.Answer(200, PageText(7, {{"a", 3}}, "t"));
  reflector.Answer(200, PageText(7, {{"b", 4}}, "t"));
  EXPECT_FALSE(reflector.Host().Asked());
  EXPECT_FALSE(reflector.Machine().Synced());
  EXPECT_THAT(reflector.Host().Problem(), testing::HasSubstr("repeats a page"));
  reflector.PassWait();
  EXPECT_EQ(reflector.Host().Calls().back(), "list");
}

TEST(ReflectorSyncTest, APageTooLargeIsAskedForInSmallerParts) {
  PagingHarness reflector;
  for (const char* const limit : {"500", "125", "31", "7", "1", "1"}) {
    EXPECT_EQ(Parameter(reflector.Host().Asked()->target, "limit"), limit);
    reflector.Answer(Response{.too_large = true, .detail = "longer than 64 MiB"});
    reflector.PassWait();
  }
  reflector.Answer(200, PageText(7, {}));
  reflector.Ended(410);
  EXPECT_EQ(Parameter(reflector.Host().Asked()->target, "limit"), "500");
}

TEST(ReflectorSyncTest, APageThatFailsIsAskedForAgainNotTheWholeList) {
  for (const int status : {0, 429, 500, 503}) {
    PagingHarness reflector;
    reflector.Answer(200, PageText(7, {{"a", 3}}, "t1"));
    reflector.Host().ForgetCalls();
    reflector.Answer(status);
    EXPECT_GE(reflector.PassWait(), 800ms);
    EXPECT_EQ(reflector.Host().Calls().back(), "list t1");
    reflector.Answer(200, PageText(7, {{"b", 4}}));
    EXPECT_EQ(reflector.Host().Copy(), (Copy{{"a", 3}, {"b", 4}}));
  }
}

TEST(ReflectorSyncTest, APageThatKeepsFailingStartsTheListAgain) {
  PagingHarness reflector;
  reflector.Answer(200, PageText(7, {{"a", 3}}, "t1"));
  for (int i = 0; i < 4; ++i) {
    reflector.Answer(500);
    reflector.PassWait();
    EXPECT_EQ(reflector.Host().Calls().back(), "list t1");
  }
  reflector.Answer(500);
  EXPECT_EQ(reflector.Host().Calls().back(), "list failed");
  reflector.PassWait();
  EXPECT_EQ(reflector.Host().Calls().back(), "list");
}

TEST(ReflectorSyncTest, APageRefusedForGoodStartsTheListAgain) {
  PagingHarness reflector;
  reflector.Answer(200, PageText(7, {{"a", 3}}, "t1"));
  reflector.Answer(400, StatusText(400, "continue key is not valid"));
  reflector.PassWait();
  EXPECT_EQ(reflector.Host().Calls().back(), "list");
}

TEST(ReflectorSyncTest, APageThatIsNoListIsNotTaken) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 1}, {"b", 2}}, 7);
  reflector.Ended(410);
  const std::string whole = PageText(9, {{"a", 1}, {"b", 2}});
  for (const std::string& body : {std::string(), std::string("<html>"), whole.substr(0, 300)}) {
    reflector.Answer(200, body);
    EXPECT_EQ(reflector.Host().Copy().size(), 2U);
    EXPECT_NE(reflector.Host().Problem(), "");
    EXPECT_GE(reflector.PassWait(), 400ms);
    EXPECT_EQ(reflector.Host().Calls().back(), "list");
  }
}

TEST(ReflectorSyncTest, AnInvalidObjectInAPageDoesNotStopTheOthers) {
  PagingHarness reflector;
  std::string page = PageText(7, {{"a", 3}, {"b", 4}, {"c", 5}});
  const std::string version = R"("resourceVersion":"4")";
  page.replace(page.find(version), version.size(), R"("resourceVersion":"x")");
  reflector.Answer(200, page);
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"initial added a@3", "invalid b", "initial added c@5",
                                             "replaced", "list complete", "open 7"}));
}

TEST(ReflectorSyncTest, AListHasADeadlineAndTravelsWithTheLargeRequests) {
  PagingHarness reflector;
  EXPECT_EQ(reflector.Host().Asked()->deadline, 60s);
  EXPECT_EQ(reflector.Host().Asked()->klass, RequestClass::kControl);
  EXPECT_EQ(reflector.Host().Asked()->method, Method::kGet);
}

TEST(ReflectorSyncTest, OnlyTheAnswerToThePresentPageCounts) {
  PagingHarness reflector;
  const RequestId first = reflector.Host().Asked()->id;
  reflector.Answer(200, PageText(7, {{"a", 3}}, "t1"));
  reflector.Host().ForgetCalls();
  for (const RequestId id : {first, RequestId{0}, RequestId{99}}) {
    reflector.Machine().OnResponse({.id = id, .status = 200, .body = PageText(9, {})},
                                   reflector.Time());
  }
  EXPECT_EQ(reflector.Host().Calls(), Calls{});
}

}  // namespace
}  // namespace jobrun
