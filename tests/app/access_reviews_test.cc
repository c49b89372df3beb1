#include "controller/app/access_reviews.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace jobrun {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kIsProm =
    R"({"status":{"authenticated":true,"user":{"username":"prom","groups":["g"]}}})";
constexpr const char* kIsNobody = R"({"status":{"error":"expired"}})";
constexpr const char* kYes = R"({"status":{"allowed":true}})";
constexpr const char* kNo = R"({"status":{"allowed":false}})";

class AccessReviewsTest : public ::testing::Test {
 protected:
  void Ask(const std::string& token = "t", const WantedAccess& wanted = {.path = "/metrics"}) {
    reviews_.Ask(token, wanted, now_, [this](Access access) { told_.push_back(access); }, effects_);
    Sort();
  }
  // To the oldest request.
  void Answer(int status, const std::string& body = "{}") {
    ASSERT_FALSE(sent_.empty());
    const RequestId id = sent_.front().id;
    EXPECT_TRUE(AccessReviews::Owns(id));
    sent_.erase(sent_.begin());
    reviews_.OnResponse({.id = id, .status = status, .body = body}, now_, effects_);
    Sort();
  }
  void Sort() {
    for (Effect& effect : effects_) {
      if (auto* request = std::get_if<SendRequest>(&effect)) sent_.push_back(*request);
      if (auto* line = std::get_if<LogLine>(&effect)) log_.push_back(line->message);
    }
    effects_.clear();
  }
  std::vector<Access> Told() { return std::exchange(told_, {}); }
  void BecomesAllowed() {
    Ask();
    Answer(201, kIsProm);
    Answer(201, kYes);
    ASSERT_THAT(Told(), ElementsAre(Access::kAllowed));
  }

  AccessReviews reviews_{};
  Mono now_{100s};
  Effects effects_{};
  std::vector<Request> sent_{};
  std::vector<std::string> log_{};
  std::vector<Access> told_{};
};

TEST_F(AccessReviewsTest, AsksWhoItIsAndThenWhetherHeMay) {
  Ask("secret");
  ASSERT_EQ(sent_.size(), 1U);
  EXPECT_EQ(sent_[0].target, "/apis/authentication.k8s.io/v1/tokenreviews");
  EXPECT_THAT(sent_[0].body, HasSubstr(R"("token":"secret")"));
  Answer(201, kIsProm);
  ASSERT_EQ(sent_.size(), 1U);
  EXPECT_EQ(sent_[0].target, "/apis/authorization.k8s.io/v1/subjectaccessreviews");
  EXPECT_THAT(sent_[0].body, HasSubstr(R"("user":"prom","groups":["g"])"));
  EXPECT_THAT(sent_[0].body, HasSubstr(R"("path":"/metrics")"));
  EXPECT_THAT(Told(), IsEmpty());
  Answer(201, kYes);
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed));
}

TEST_F(AccessReviewsTest, NobodyWithoutAGoodToken) {
  Ask("");
  Ask("a\nb");
  EXPECT_THAT(Told(), ElementsAre(Access::kUnauthenticated, Access::kUnauthenticated));
  EXPECT_THAT(sent_, IsEmpty());
  Ask("old");
  Answer(201, kIsNobody);
  EXPECT_THAT(Told(), ElementsAre(Access::kUnauthenticated));
}

TEST_F(AccessReviewsTest, WhoMayNotIsRefused) {
  Ask();
  Answer(201, kIsProm);
  Answer(201, kNo);
  EXPECT_THAT(Told(), ElementsAre(Access::kForbidden));
}

TEST_F(AccessReviewsTest, APermissionIsRememberedForAMinute) {
  BecomesAllowed();
  now_ += 1min - 1ns;
  Ask();
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed));
  EXPECT_THAT(sent_, IsEmpty());
}

TEST_F(AccessReviewsTest, AnOlderOneCountsWhileItIsAskedForAnew) {
  BecomesAllowed();
  now_ += 1min;
  Ask();
  Ask();
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed, Access::kAllowed)) << "nobody waits";
  ASSERT_EQ(sent_.size(), 1U);
  Answer(201, kIsProm);
  Answer(201, kYes);
  now_ += 1min - 1ns;
  Ask();
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed));
  EXPECT_THAT(sent_, IsEmpty()) << "it was said anew";
}

TEST_F(AccessReviewsTest, ARefusalForTenSeconds) {
  Ask("bad");
  Answer(201, kIsNobody);
  now_ += 10s - 1ns;
  Ask("bad");
  EXPECT_THAT(Told(), ElementsAre(Access::kUnauthenticated, Access::kUnauthenticated));
  now_ += 1ns;
  Ask("bad");
  EXPECT_EQ(sent_.size(), 1U);
}

TEST_F(AccessReviewsTest, APermissionIsForOneTokenAndOneThing) {
  BecomesAllowed();
  Ask("t2");
  Ask("t", {.name_space = "a", .name = "b"});
  Ask("t", {.name_space = "b", .name = "a"});
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(sent_.size(), 3U);
}

TEST_F(AccessReviewsTest, TheSameQuestionIsAskedOnce) {
  Ask();
  Ask();
  EXPECT_EQ(sent_.size(), 1U);
  Answer(201, kIsProm);
  Ask();
  EXPECT_EQ(sent_.size(), 1U);
  Answer(201, kYes);
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed, Access::kAllowed, Access::kAllowed));
}

TEST_F(AccessReviewsTest, WithoutAnAnswerAPermissionHoldsForTenMinutes) {
  BecomesAllowed();
  now_ += 9min;
  Ask();
  Answer(0);
  now_ += 1min - 1ns;
  Ask();
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed, Access::kAllowed));
  now_ += 1ns;
  Ask();
  EXPECT_THAT(Told(), IsEmpty()) << "it waits for the answer";
  Answer(503);
  EXPECT_THAT(Told(), ElementsAre(Access::kUnknown));
}

TEST_F(AccessReviewsTest, WithoutAnAnswerNobodyIsLetInAnew) {
  Ask();
  Answer(201, kIsProm);
  Answer(500);
  EXPECT_THAT(Told(), ElementsAre(Access::kUnknown));
  Ask();
  Answer(201, "no JSON");
  EXPECT_THAT(Told(), ElementsAre(Access::kUnknown));
}

TEST_F(AccessReviewsTest, ADenialEndsAPermission) {
  BecomesAllowed();
  now_ += 2min;
  Ask();
  Answer(201, kIsProm);
  Answer(201, kNo);
  Ask();
  now_ += 11s;
  Ask();
  Answer(0);
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed, Access::kForbidden, Access::kUnknown));
}

TEST_F(AccessReviewsTest, StrangersPushNobodyOut) {
  BecomesAllowed();
  for (std::size_t i = 0; i <= AccessReviews::kRememberedMax; ++i) {
    now_ += 100ms;
    Ask("stranger " + std::to_string(i));
    Answer(201, kIsNobody);
  }
  (void)Told();
  Ask();
  EXPECT_THAT(Told(), ElementsAre(Access::kAllowed));
}

TEST_F(AccessReviewsTest, AMissingRightIsToldOnceAMinute) {
  for (int i = 0; i < 3; ++i) {
    Ask();
    Answer(403);
  }
  ASSERT_EQ(log_.size(), 1U);
  EXPECT_THAT(log_[0], HasSubstr("needs create on tokenreviews"));
  now_ += 1min;
  Ask();
  Answer(403);
  EXPECT_EQ(log_.size(), 2U);
}

TEST_F(AccessReviewsTest, QuestionsAboutStrangersAtTheSameTimeAreBounded) {
  BecomesAllowed();
  for (std::size_t i = 0; i < AccessReviews::kStrangersMax; ++i) Ask("t" + std::to_string(i));
  EXPECT_THAT(Told(), IsEmpty());
  Ask("one more");
  EXPECT_THAT(Told(), ElementsAre(Access::kUnknown));
  now_ += 2min;
  const std::size_t before = sent_.size();
  Ask();
  EXPECT_EQ(sent_.size(), before + 1) << "who is known is asked about all the same";
}

TEST_F(AccessReviewsTest, SoAreThoseInASecond) {
  for (int i = 0; i < AccessReviews::kStrangersBurst; ++i) {
    Ask("t" + std::to_string(i));
    Answer(201, kIsNobody);
  }
  (void)Told();
  Ask("one more");
  EXPECT_THAT(Told(), ElementsAre(Access::kUnknown));
  now_ += 100ms;
  Ask("one more");
  EXPECT_EQ(sent_.size(), 1U);
}

}  // namespace
}  // namespace jobrun
