// The list of the finished runs, where they are not watched.
#include <gtest/gtest.h>

#include "tests/engine/selection_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class FinishedListTest : public SelectionTest {
 protected:
  void SetUp() override {
    engine_.Sync({Beating("lives")});
    engine_.Give(ConfigLoaded{Often()});
  }
  static Settings Often() {
    Settings settings = Selecting();
    settings.watch.relist = Seconds(601);
    return settings;
  }

  static RunText Over(const std::string& name, const std::string& spec = R"("attempt":1)") {
    RunText run = RunText(name).Claimed().Phase("Succeeded").Spec(spec).Version(40);
    run.completion_time = "2026-11-22T12:00:00Z";
    return run;
  }
  // Heard of after its end, `at`.
  static RunText Disputed(const std::string& name, const std::string& at) {
    RunText run = Over(name);
    run.late_heartbeat = run.late_stamp = at;
    return run;
  }
  // Lets time pass until a page is asked for, the living beat on.
  void AwaitRound() {
    for (int i = 0; i < 60 && engine_.Requests().empty(); ++i) {
      ++beats_;
      engine_.Watch(Beating("lives").Beat(beats_).Version(1000 + static_cast<unsigned>(beats_)));
      engine_.Pass(30s);
    }
    ASSERT_EQ(engine_.Requests().size(), 1U);
  }
  void Round(const std::vector<RunText>& runs) {
    AwaitRound();
    engine_.Answer(200, Page(runs));
  }
  double Disputes() { return engine_.Counted(Metric::kDisputed); }

  int beats_{1};
};

TEST_F(FinishedListTest, ComesInPagesOfWhichNothingIsKept) {
  engine_.Pass(29s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(1s);
  const std::string page = "/apis/jobrun.dev/v1/jobruns?limit=500";
  const std::string over = "&fieldSelector=" + EncodeQuery(kOverFields);
  EXPECT_EQ(Only().target, page + over);
  engine_.Answer(200, Page({Over("a"), Over("b")}, "next"));
  EXPECT_EQ(Only().target, page + "&continue=next" + over);
  engine_.Answer(200, Page({Over("c")}));
  EXPECT_TRUE(engine_.Requests().empty());
  EXPECT_EQ(Held(), 1U);
}

TEST_F(FinishedListTest, ComesAgain) {
  Round({});
  Round({});
}

TEST_F(FinishedListTest, ARunWhoseTimeIsOverIsDeleted) {
  const RunText over = Over("a", R"("ttlSecondsAfterFinished":10)");
  Round({over});
  EXPECT_EQ(Only().method, Method::kGet) << "each pass begins with the run as it is";
  engine_.Answer(200, over.Json());
  EXPECT_EQ(Only().method, Method::kDelete);
  EXPECT_NE(Only().body.find(R"("resourceVersion":"40")"), std::string::npos);
  engine_.Answer(200, "{}");
  engine_.Pass(30s);
  EXPECT_EQ(Held(), 1U);
}

TEST_F(FinishedListTest, OneWhoseTimeComesSoonIsDeletedThen) {
  const RunText over = Over("a", R"("ttlSecondsAfterFinished":100)");
  Round({over});
  EXPECT_TRUE(engine_.Requests().empty());
  EXPECT_EQ(Held(), 2U);
  engine_.Pass(60s);
  EXPECT_TRUE(engine_.Requests().empty());
  engine_.Pass(15s);
  EXPECT_EQ(Only().method, Method::kGet);
}

TEST_F(FinishedListTest, OneWhoseTimeIsFarIsNotKept) {
  Round({Over("a", R"("ttlSecondsAfterFinished":864000)")});
  EXPECT_EQ(Held(), 1U);
}

TEST_F(FinishedListTest, NeitherAreTheActiveNorThoseThatOweARetry) {
  RunText owes = Over("a", R"("ttlSecondsAfterFinished":0)").Phase("Failed");
  owes.retry = R"("state":"Pending")";
  RunText undecided = Over("b", R"("ttlSecondsAfterFinished":0)").Phase("Stuck");
  undecided.retry.clear();
  Round({owes, undecided, Beating("c").Spec(R"("ttlSecondsAfterFinished":0)")});
  EXPECT_TRUE(engine_.Requests().empty());
  EXPECT_EQ(Held(), 1U);
}

TEST_F(FinishedListTest, ATimeToLiveThatComesWithAReloadHoldsForThemToo) {
  Round({Over("a")});
  Settings settings = Often();
  settings.defaults.ttl = 5s;
  engine_.Give(ConfigLoaded{settings});
  engine_.Pass(30s);
  engine_.Answer(200, Page({Over("a")}));
  EXPECT_EQ(Only().method, Method::kGet);
}

TEST_F(FinishedListTest, ARunThatWasHeardOfAfterItsEndIsCountedOnce) {
  Round({Disputed("a", "2026-11-22T12:00:10Z"), Over("b")});
  EXPECT_EQ(Disputes(), 1);
  EXPECT_EQ(engine_.Events().back().reason, "DisputedReap");
  Round({Disputed("a", "2026-11-22T12:00:10Z")});
  EXPECT_EQ(Disputes(), 1);
}

TEST_F(FinishedListTest, WhatWasHeardBeforeItLedWasAnothersToCount) {
  Round({Disputed("a", "2026-11-22T11:59:50Z")});
  EXPECT_EQ(Disputes(), 0);
}

TEST_F(FinishedListTest, APageThatFailsIsNoRoundAndIsTriedAgain) {
  AwaitRound();
  engine_.Answer(500);
  EXPECT_TRUE(engine_.Requests().empty());
  Round({Over("a", R"("ttlSecondsAfterFinished":0)")});
  EXPECT_EQ(Only().method, Method::kGet);
}

TEST_F(FinishedListTest, PagesThatAreTooLargeGetFewerRuns) {
  AwaitRound();
  engine_.AnswerTooLarge();
  AwaitRound();
  EXPECT_NE(Only().target.find("limit=125&"), std::string::npos);
}

TEST_F(FinishedListTest, PagesComePackedWhereThatIsWanted) {
  AwaitRound();
  EXPECT_FALSE(Only().accepts_gzip);
  engine_.Answer(200, Page({Over("a")}, "next"));
  Settings packed = Often();
  packed.watch.gzip = true;
  engine_.Give(ConfigLoaded{packed});
  engine_.Answer(200, Page({Over("b")}, "more"));
  EXPECT_TRUE(Only().accepts_gzip);
}

TEST_F(FinishedListTest, ARelistDoesNotForgetWhatWaitsForItsDeletion) {
  const RunText over = Over("a", R"("ttlSecondsAfterFinished":700)");
  Round({over});
  engine_.CutStream(410);
  engine_.Sync({Beating("lives").Version(2000)}, 2000);
  EXPECT_EQ(Held(), 2U);
}

TEST(FinishedWatchedTest, WhereTheyAreWatchedTheyAreNotListed) {
  EngineHarness engine;
  engine.Sync({});
  engine.Pass(2h);
  EXPECT_TRUE(engine.Requests().empty());
}

}  // namespace
}  // namespace jobrun
