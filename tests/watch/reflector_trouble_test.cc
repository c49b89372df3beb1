// What the reflector does when the watch breaks, is refused or has been forgotten; and what it says
// of it.
#include <gtest/gtest.h>

#include "tests/watch/reflector_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// ---- forgotten versions ----

TEST(ReflectorTroubleTest, AVersionForgottenWhenTheWatchIsOpenedLeadsToAListAtOnce) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Ended(410);
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"stream expired", "listing", "open initial"}));
  EXPECT_EQ(reflector.Host().Copy().size(), 1U);
}

TEST(ReflectorTroubleTest, AVersionForgottenOnTheStreamLeadsToAListAtOnce) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines(
      {Modified({"a", 8}), ErrorLine(410, "too old resource version: 1 (207)"), Deleted({"a", 9})});
  EXPECT_EQ(reflector.Host().Calls(),
            (Calls{"modified a@8", "close", "stream expired", "listing", "open initial"}));
}

TEST(ReflectorTroubleTest, AServerThatForgetsEveryVersionIsNotListedInALoop) {
  ReflectorHarness reflector;
  reflector.SyncByPages({}, 7);
  reflector.Ended(410);
  for (const Nanos step : {800ms, 1600ms, 3200ms}) {
    reflector.Answer(200, PageText(9, {}));
    reflector.Opened();
    reflector.Lines({Added({"a", 10}), ErrorLine(410)});
    EXPECT_FALSE(reflector.Host().Asked());
    EXPECT_GE(reflector.PassWait(), step);
  }
}

TEST(ReflectorTroubleTest, AVersionForgottenMuchLaterLeadsToAListAtOnceAgain) {
  ReflectorHarness reflector;
  for (int i = 0; i < 3; ++i) {
    reflector.Sync({}, 7);
    reflector.Pass(1min);
    reflector.Ended(410);
    EXPECT_EQ(reflector.Host().Calls().back(), "open initial");
  }
}

// ---- broken and refused watches ----

TEST(ReflectorTroubleTest, ABrokenWatchIsResumedAfterAWait) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines({Modified({"a", 8})});
  reflector.Host().ForgetCalls();
  reflector.Ended(0, "silent for 90 s");
  EXPECT_FALSE(reflector.Host().Stream());
  EXPECT_GE(reflector.PassWait(), 800ms);
  EXPECT_EQ(
      reflector.Host().Calls(),
      (Calls{"stream transport", "problem lost the watch of JobRuns: silent for 90 s", "open 8"}));
}

TEST(ReflectorTroubleTest, AQuietWatchThatFallsSilentIsReopenedAtOnceAndIsNoProblem) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Host().ForgetCalls();
  for (int i = 0; i < 10; ++i) {
    reflector.Host().ForgetCalls();
    reflector.Pass(90s);
    reflector.Ended(0, "silent for 90 s");
    EXPECT_EQ(reflector.Host().Calls(), (Calls{"stream transport", "open 7"}));
    reflector.Opened();
  }
}

TEST(ReflectorTroubleTest, AWatchThatBreaksBeforeItsSilenceCanBeJudgedIsAProblem) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Host().ForgetCalls();
  reflector.Pass(90s - 1ns);
  reflector.Ended(0, "reset");
  EXPECT_EQ(reflector.Host().Calls(),
            (Calls{"stream transport", "problem lost the watch of JobRuns: reset"}));
}

TEST(ReflectorTroubleTest, AnErrorOnTheStreamIsABreak) {
  ReflectorHarness reflector;
  reflector.Sync({{"a", 3}}, 7);
  reflector.Lines({Modified({"a", 8}), ErrorLine(500, "etcd is busy"), Deleted({"a", 9})});
  EXPECT_GE(reflector.PassWait(), 800ms);
  EXPECT_EQ(reflector.Host().Calls(),
            (Calls{"modified a@8", "close", "stream error",
                   "problem lost the watch of JobRuns: etcd is busy", "open 8"}));
}

TEST(ReflectorTroubleTest, AfterFiveFailuresTheVersionIsNotTrusted) {
  for (const int status : {0, 403, 500, 504}) {
    ReflectorHarness reflector;
    reflector.Sync({}, 7);
    for (int i = 0; i < 4; ++i) {
      reflector.Ended(status);
      reflector.PassWait();
      EXPECT_EQ(reflector.Host().Calls().back(), "open 7");
    }
    reflector.Ended(status);
    reflector.PassWait();
    EXPECT_EQ(reflector.Host().Calls().back(), "open initial");
  }
}

TEST(ReflectorTroubleTest, AnEventRestoresTheTrust) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  for (std::uint64_t i = 0; i < 20; ++i) {
    if (i % 4 == 3) reflector.Lines({Bookmark(8 + i)});
    reflector.Ended(0);
    reflector.PassWait();
    EXPECT_NE(reflector.Host().Calls().back(), "open initial");
  }
}

TEST(ReflectorTroubleTest, AnEventRestoresTheTrustAlsoWhenAnErrorComesWithIt) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  for (std::uint64_t i = 0; i < 20; ++i) {
    reflector.Lines({Bookmark(8 + i), ErrorLine(500)});
    reflector.PassWait();
    EXPECT_EQ(reflector.Host().Calls().back(), "open " + std::to_string(8 + i));
  }
}

TEST(ReflectorTroubleTest, AVersionTooLargeForTheServerIsTriedAgainThenListedAnew) {
  ReflectorHarness reflector;
  reflector.SyncByPages({{"a", 3}}, 900);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Parameter(reflector.Host().Stream()->target, "resourceVersion"), "900");
    reflector.Ended(504, "Too large resource version: 900, current: 12", 1s);
    reflector.PassWait();
  }
  reflector.Answer(200, PageText(12, {{"a", 3}}));
  EXPECT_EQ(reflector.Host().Calls().back(), "open 12");
}

// ---- how long it waits ----

TEST(ReflectorTroubleTest, ItWaitsAsLongAsTheServerAsks) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(429, "later", 17s);
  EXPECT_EQ(reflector.PassWait(), 17s);
  EXPECT_EQ(reflector.Host().Calls().back(), "open 7");
}

TEST(ReflectorTroubleTest, AListWaitsAsLongAsTheServerAsks) {
  ReflectorHarness reflector;
  reflector.Ended(400);
  reflector.Answer(429, {}, 17s);
  EXPECT_EQ(reflector.PassWait(), 17s);
}

TEST(ReflectorTroubleTest, AWatchListWaitsAsLongAsTheServerAsks) {
  ReflectorHarness reflector;
  reflector.Ended(429, "later", 17s);
  EXPECT_EQ(reflector.PassWait(), 17s);
}

TEST(ReflectorTroubleTest, ItWaitsNoLessThanItsBackoff) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(429, "later", 0s);
  EXPECT_GE(reflector.PassWait(), 800ms);
}

TEST(ReflectorTroubleTest, AServerThatAsksForAnHourGetsHalfAMinute) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(503, "later", 3600s);
  EXPECT_EQ(reflector.PassWait(), 30s);
}

TEST(ReflectorTroubleTest, NoBackoffIsLongerThanItsCap) {
  ReflectorHarness reflector;
  reflector.Machine().CapBackoff(1s);
  reflector.Sync({}, 7);
  for (int i = 0; i < 30; ++i) {
    reflector.Ended(0);
    if (!reflector.Waits()) continue;
    EXPECT_LE(reflector.PassWait(), 1s);
    if (reflector.Host().Asked()) reflector.Answer(200, PageText(7, {}));
  }
}

TEST(ReflectorTroubleTest, ANewCapHoldsFromTheNextWaitOn) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(0);
  reflector.PassWait();
  reflector.Machine().CapBackoff(200ms);
  reflector.Ended(0);
  EXPECT_LE(reflector.PassWait(), 200ms);
}

// ---- what it says ----

TEST(ReflectorTroubleTest, ARefusedWatchIsAProblemUntilOneIsOpened) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(0, "reset by peer");
  reflector.PassWait();
  reflector.Ended(403, "may not watch");
  EXPECT_EQ(reflector.Host().Problem(), "can't watch JobRuns: may not watch");
  reflector.PassWait();
  EXPECT_NE(reflector.Host().Problem(), "");
  reflector.Opened();
  EXPECT_EQ(reflector.Host().Problem(), "");
}

TEST(ReflectorTroubleTest, ARefusedListIsAProblemUntilOneIsWhole) {
  ReflectorHarness reflector;
  reflector.Ended(400);
  reflector.Answer(403, StatusText(403, "may not list"));
  EXPECT_EQ(reflector.Host().Problem(), "can't list JobRuns: may not list");
  reflector.PassWait();
  reflector.Answer(200, PageText(7, {}, "t"));
  EXPECT_NE(reflector.Host().Problem(), "");
  reflector.Answer(200, PageText(7, {}));
  EXPECT_EQ(reflector.Host().Problem(), "");
}

TEST(ReflectorTroubleTest, AnUnansweredListIsAProblem) {
  ReflectorHarness reflector;
  reflector.Ended(400);
  reflector.Answer(Response{.detail = "connection refused"});
  EXPECT_EQ(reflector.Host().Problem(), "can't list JobRuns: connection refused");
}

TEST(ReflectorTroubleTest, ARefusalWithoutWordsNamesItsStatus) {
  ReflectorHarness reflector;
  reflector.Ended(400);
  reflector.Answer(502, "<html>");
  EXPECT_NE(reflector.Host().Problem().find("HTTP 502"), std::string::npos);
}

TEST(ReflectorTroubleTest, ARefusedWatchListIsAProblemUntilOneIsWhole) {
  ReflectorHarness reflector;
  reflector.Ended(404, "no such resource");
  EXPECT_EQ(reflector.Host().Problem(), "can't watch JobRuns: no such resource");
  reflector.PassWait();
  reflector.Opened();
  EXPECT_NE(reflector.Host().Problem(), "");
  reflector.Lines({InitialEventsEnd(7)});
  EXPECT_EQ(reflector.Host().Problem(), "");
}

TEST(ReflectorTroubleTest, HealthIsNotToldTwice) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(200);
  reflector.Opened();
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"stream server", "open 7"}));
}

TEST(ReflectorTroubleTest, ItStaysSyncedThroughAllTroubles) {
  ReflectorHarness reflector;
  reflector.Sync({}, 7);
  reflector.Ended(0);
  reflector.PassWait();
  reflector.Ended(410);
  EXPECT_TRUE(reflector.Machine().Synced());
}

}  // namespace
}  // namespace jobrun
