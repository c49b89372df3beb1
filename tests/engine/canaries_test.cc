#include "controller/engine/canaries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/canary_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using CanariesTest = CanaryFixture;

// ---- the own one ----

TEST_F(CanariesTest, IsMadeClaimedAndBeatenForAtOnce) {
  engine_.SyncCanaries({});
  const Request created = Answered("POST", 201, own_);
  EXPECT_EQ(created.target, "/apis/jobrun.dev/v1/namespaces/home/jobruns");
  EXPECT_THAT(created.body, HasSubstr(R"("name":"jobrun-canary-r1")"));
  const Request claim = Answered("PATCH", 200, own_.Claimed().Version(2));
  EXPECT_THAT(claim.target, HasSubstr("/jobruns/jobrun-canary-r1/status"));
  EXPECT_THAT(claim.body, HasSubstr(R"("claimedBy":"r1")"));
  const Request beat = Answered("PATCH", 200, own_.Beat(1).Version(3));
  EXPECT_THAT(beat.body, HasSubstr("lastHeartbeatAt"));
  EXPECT_EQ(beat.body.find("resourceVersion"), std::string::npos) << "as workers do";
  EXPECT_THAT(Canaries(), IsEmpty());
}

TEST_F(CanariesTest, AWatchThatIsFasterThanTheAnswersDelaysNothing) {
  engine_.SyncCanaries({});
  engine_.Canary(own_, "ADDED");
  Answered("POST", 201, own_);
  engine_.Canary(own_.Claimed().Version(2));
  Answered("PATCH", 200, own_);
  ASSERT_THAT(Canaries(), SizeIs(1));
  EXPECT_THAT(Canaries()[0].body, HasSubstr("lastHeartbeatAt"));
}

TEST_F(CanariesTest, ARequestWithoutAnAnswerIsMadeAgainSoon) {
  BeginToSee();
  engine_.Pass(2s);
  AnsweredWith("PATCH", 0, "");
  engine_.Pass(500ms);
  ASSERT_THAT(Canaries(), SizeIs(1));
}

TEST_F(CanariesTest, BeatsOnceInAPeriodAndNeverTwiceTheSame) {
  BeginToSee();
  std::string last;
  for (int i = 0; i < 5; ++i) {
    engine_.Pass(2s - 1ns);
    EXPECT_THAT(Canaries(), IsEmpty());
    engine_.Pass(1ns);
    ASSERT_THAT(Canaries(), SizeIs(1));
    EXPECT_NE(Canaries()[0].body, last);
    last = Canaries()[0].body;
    BeatIsSeen();
  }
}

TEST_F(CanariesTest, OneThatIsThereIsTakenUpAgain) {
  engine_.SyncCanaries({own_.Claimed().Beat(1)});
  const Request beat = Answered("PATCH", 200, own_.Beat(2).Version(2));
  EXPECT_THAT(beat.body, HasSubstr("lastHeartbeatAt"));
}

TEST_F(CanariesTest, OneThatWasDeletedIsMadeAnew) {
  BeginToSee();
  engine_.Canary(own_.Version(++version_), "DELETED");
  engine_.Pass(2s);
  ASSERT_THAT(Canaries(), SizeIs(1));
  EXPECT_EQ(Canaries()[0].method, Method::kPost);
}

TEST_F(CanariesTest, OneOfWhichTheDeletionIsNotKnownYetToo) {
  BeginToSee();
  engine_.Pass(2s);
  AnsweredWith("PATCH", 404, "{}");
  ASSERT_THAT(Canaries(), SizeIs(1));
  EXPECT_EQ(Canaries()[0].method, Method::kPost);
}

TEST_F(CanariesTest, OneThatHasEndedIsReplaced) {
  engine_.SyncCanaries({own_.Claimed().Phase("Failed")});
  const Request removed = Answered("DELETE", 200, own_);
  EXPECT_THAT(removed.body, HasSubstr(FormatUid(own_.uid)));
  ASSERT_THAT(Canaries(), SizeIs(1));
  EXPECT_EQ(Canaries()[0].method, Method::kPost);
}

TEST_F(CanariesTest, OneThatIsThereThoughTheWatchDidNotSayIsRead) {
  engine_.SyncCanaries({});
  AnsweredWith("POST", 409, "{}");
  engine_.Pass(2s);
  Answered("GET", 200, own_.Claimed().Version(5));
  Answered("PATCH", 200, own_.Beat(1).Version(6));
}

TEST_F(CanariesTest, ARefusalIsSaidAndTriedAgain) {
  BeginToSee();
  engine_.Pass(2s);
  AnsweredWith("PATCH", 403, R"({"kind":"Status","message":"no right"})");
  EXPECT_THAT(engine_.CheckHealth().problem, HasSubstr("home/jobrun-canary-r1"));
  EXPECT_THAT(engine_.CheckHealth().problem, HasSubstr("no right"));
  engine_.Pass(2s);
  Answered("GET", 200, own_);
  BeatIsSeen();
  EXPECT_THAT(engine_.CheckHealth().problem, IsEmpty());
}

TEST_F(CanariesTest, WithoutItsNamespaceTheProgramEnds) {
  engine_.SyncCanaries({});
  AnsweredWith("POST", 404,
               R"({"kind":"Status","reason":"NotFound","details":{"kind":"jobruns"}})");
  EXPECT_FALSE(engine_.Exited());
  engine_.Pass(2s);
  AnsweredWith("GET", 404, "{}");
  AnsweredWith("POST", 404,
               R"({"kind":"Status","reason":"NotFound","details":{"kind":"namespaces"}})");
  EXPECT_EQ(engine_.ExitedFor(), ExitCause::kNamespaceMissing);
}

TEST_F(CanariesTest, TellsHowLongItTookToSeeTheOwnBeat) {
  BeginToSee();
  EXPECT_EQ(engine_.Counted(Metric::kCanaryRoundTrip), 0) << "its first sight may be old";
  engine_.Pass(2s);
  BeatIsWritten();
  EXPECT_EQ(engine_.Counted(Metric::kCanaryRoundTrip), 0);
  engine_.Canary(own_);
  EXPECT_EQ(engine_.Counted(Metric::kCanaryRoundTrip), 1);
}

TEST_F(CanariesTest, StaysWhenTheProcessStops) {
  BeginToSee();
  engine_.Give(StopAsked{});
  EXPECT_TRUE(engine_.Exited());
  EXPECT_THAT(Canaries(), IsEmpty());
}

// ---- evidence ----

TEST_F(CanariesTest, NothingIsWatchedBeforeItIsKnownHowLongNobodyLooked) {
  EXPECT_TRUE(engine_.WatchesCanaries());
  EXPECT_EQ(engine_.StreamsOpened(), 0);
  engine_.SyncCanaries({});
  EXPECT_EQ(engine_.StreamsOpened(), 1);
}

TEST_F(CanariesTest, TheClockStandsUntilABeatIsSeen) {
  EXPECT_TRUE(Blind());
  engine_.SyncCanaries({});
  Answered("POST", 201, own_);
  Answered("PATCH", 200, own_.Claimed().Version(2));
  BeatIsWritten();
  EXPECT_TRUE(Blind()) << "that it was written does not show that we see it";
  engine_.Canary(own_);
  EXPECT_TRUE(Blind()) << "what a canary is like when it is first seen may be old";
  engine_.Pass(2s);
  BeatIsSeen();
  EXPECT_FALSE(Blind());
}

TEST_F(CanariesTest, TheBeatsOfAnotherReplicaAreAsGood) {
  RunText other = CanaryOf("r2").Claimed().Beat(1);
  BeginToSee({other});
  engine_.Pass(4s);
  engine_.Canary(other.Beat(2).Version(50));
  engine_.Pass(4s);
  EXPECT_FALSE(Blind());
  engine_.Pass(1s);
  EXPECT_TRUE(Blind());
}

TEST_F(CanariesTest, AChangeThatIsNoBeatIsNoEvidence) {
  BeginToSee();
  engine_.Pass(4s);
  engine_.Canary(own_.Version(++version_));
  engine_.Pass(1ms);
  EXPECT_TRUE(Blind());
}

TEST_F(CanariesTest, ABeatThatAListTellsIsNoEvidence) {
  BeginToSee();
  engine_.Pass(2s);
  BeatIsWritten();
  engine_.CutCanaries(410);
  engine_.Pass(1s);
  engine_.SyncCanaries({own_});
  engine_.Pass(1s + 1ms);
  EXPECT_TRUE(Blind());
}

TEST_F(CanariesTest, CanariesAreNoRuns) {
  BeginToSee();
  engine_.Sync({own_, RunText("a").Claimed()});
  EXPECT_EQ(engine_.Scrape().runs, 1U);
}

// ---- others of its lane ----

TEST_F(CanariesTest, AnotherNamespaceHidesNoRuns) {
  BeginToSee();
  RunText hidden("jobrun-canary-x");
  engine_.Sync({own_, hidden.Lane("jobrun-canary").Claimed()});
  EXPECT_EQ(engine_.Scrape().runs, 1U);
}

// Somebody's run, in spite of its lane: it is watched, and neither evidence nor ever removed.
TEST_F(CanariesTest, ARunOfThatLaneIsNoCanaryWithoutTheName) {
  RunText run = CanaryOf("import");
  run.name = "import";
  BeginToSee({run.Beat(1).Version(77)});
  engine_.Sync({own_, run});
  EXPECT_EQ(engine_.Scrape().runs, 1U);
  Pass(6min);
  for (const Request& request : Canaries()) EXPECT_NE(request.method, Method::kDelete);
  PassBlind(10s);
  engine_.Canary(run.Beat(2).Version(78));
  EXPECT_TRUE(Blind());
}

TEST_F(CanariesTest, AnAnswerThatCanNotBeReadIsNotAskedForAllTheTime) {
  engine_.SyncCanaries({});
  AnsweredWith("POST", 409, "{}");
  engine_.Pass(2s);
  AnsweredWith("GET", 200, "{}");
  EXPECT_THAT(Canaries(), IsEmpty());
  EXPECT_THAT(engine_.CheckHealth().problem, HasSubstr("jobrun-canary-r1"));
  engine_.Pass(2s);
  EXPECT_THAT(Canaries(), SizeIs(1));
}

}  // namespace
}  // namespace jobrun
