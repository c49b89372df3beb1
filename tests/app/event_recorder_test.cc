// Kubernetes Events as requests: what is created, what is added to, what is dropped.
#include "controller/app/event_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "controller/base/rfc3339.h"
#include "controller/wire/status_patch.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kEvents = "/apis/events.k8s.io/v1/namespaces/ns/events";

class EventRecorderTest : public ::testing::Test {
 protected:
  static EmitEvent About(std::uint64_t run, std::string reason = "VerdictRefused") {
    return {.name_space = "ns",
            .name = "run-" + std::to_string(run),
            .uid = {1, run},
            .resource_version = 7,
            .severity = EventSeverity::kWarning,
            .reason = std::move(reason),
            .action = "Reap",
            .note = "a note"};
  }
  void Tell(EmitEvent event) {
    event.at = kStart + std::chrono::duration_cast<std::chrono::microseconds>(Passed());
    recorder_.Record(std::move(event), now_, effects_);
    Take();
  }
  // Answers the oldest request that has none.
  void Answer(int status, std::optional<std::chrono::seconds> retry_after = {}) {
    ASSERT_FALSE(open_.empty());
    const RequestId id = open_.front();
    open_.erase(open_.begin());
    recorder_.OnResponse({.id = id, .status = status, .retry_after = retry_after}, now_, effects_);
    Take();
  }
  // Wakes it whenever it asks to be.
  void Pass(Nanos time) {
    const Mono until = now_ + time;
    while (recorder_.NextWake() <= until) {
      now_ = std::max(now_, recorder_.NextWake());
      recorder_.OnWake(now_, effects_);
      Take();
    }
    now_ = until;
  }
  void TellAndAnswer(EmitEvent event, int status = 201) {
    Tell(std::move(event));
    Answer(status);
  }
  [[nodiscard]] Nanos Passed() const { return now_ - Mono{1000s}; }
  [[nodiscard]] std::vector<Method> Methods() const {
    std::vector<Method> methods;
    for (const Request& request : sent_) methods.push_back(request.method);
    return methods;
  }
  double Counted(EventResult result) { return counts_[static_cast<std::uint8_t>(result)]; }

  static constexpr ServerTime kStart{1'700'000'000s};
  EventRecorder recorder_{"proc", 1};
  Mono now_{1000s};
  std::vector<Request> sent_{};
  std::vector<std::string> lines_{};

 private:
  void Take() {
    for (const Effect& effect : effects_) {
      if (const auto* request = std::get_if<SendRequest>(&effect)) {
        sent_.push_back(*request);
        open_.push_back(request->id);
      } else if (const auto* line = std::get_if<LogLine>(&effect)) {
        lines_.push_back(line->message);
      } else {
        counts_[std::get<Count>(effect).label] += std::get<Count>(effect).value;
      }
    }
    effects_.clear();
  }

  Effects effects_{};
  std::vector<RequestId> open_{};
  std::map<std::uint8_t, double> counts_{};
};

TEST_F(EventRecorderTest, TheFirstTimeIsCreated) {
  TellAndAnswer(About(3));
  ASSERT_EQ(sent_.size(), 1U);
  EXPECT_EQ(sent_[0].method, Method::kPost);
  EXPECT_EQ(sent_[0].target, kEvents);
  EXPECT_EQ(sent_[0].klass, RequestClass::kEvent);
  EXPECT_EQ(sent_[0].content_type, "application/json");
  EXPECT_THAT(sent_[0].body, HasSubstr(R"("reason":"VerdictRefused")"));
  EXPECT_THAT(sent_[0].body, HasSubstr(R"("reportingInstance":"proc")"));
  EXPECT_THAT(sent_[0].body, HasSubstr(R"("eventTime":"2023-11-14T22:13:20.000000Z")"));
  EXPECT_THAT(sent_[0].body, Not(HasSubstr("series")));
  EXPECT_EQ(Counted(EventResult::kCreated), 1);
}

TEST_F(EventRecorderTest, ItsIdsAreApartFromTheEngines) {
  Tell(About(1));
  EXPECT_TRUE(EventRecorder::Owns(sent_[0].id));
  EXPECT_FALSE(EventRecorder::Owns(1));
  EXPECT_FALSE(EventRecorder::Owns(~RequestId{0} >> 1U));
}

TEST_F(EventRecorderTest, TheSecondTimeIsAddedAtOnceAndFurtherOnesAtTheEnd) {
  TellAndAnswer(About(3));
  Pass(1min);
  TellAndAnswer(About(3), 200);
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(sent_[1].method, Method::kPatch);
  EXPECT_THAT(sent_[1].target, StartsWith(std::string(kEvents) + "/run-3."));
  EXPECT_EQ(sent_[1].content_type, kMergePatchType);
  EXPECT_EQ(sent_[1].body,
            R"({"series":{"count":2,"lastObservedTime":"2023-11-14T22:14:20.000000Z"}})");
  for (int i = 0; i < 3; ++i) {
    Pass(1min);
    Tell(About(3));
  }
  Pass(EventRecorder::kFinishAfter - 1ns);
  EXPECT_EQ(sent_.size(), 2U);
  Pass(1ns);
  ASSERT_EQ(sent_.size(), 3U);
  EXPECT_EQ(sent_[2].body,
            R"({"series":{"count":5,"lastObservedTime":"2023-11-14T22:17:20.000000Z"}})");
  Answer(200);
  EXPECT_EQ(recorder_.NextWake(), Mono::max()) << "nothing is left";
  EXPECT_EQ(Counted(EventResult::kUpdated), 2);
}

TEST_F(EventRecorderTest, ASeriesThatGoesOnIsWrittenNowAndThen) {
  TellAndAnswer(About(3));
  TellAndAnswer(About(3), 200);
  for (int minute = 0; minute < 29; ++minute) {
    Pass(1min);
    Tell(About(3));
  }
  EXPECT_EQ(sent_.size(), 2U);
  Pass(1min);
  ASSERT_EQ(sent_.size(), 3U);
  EXPECT_THAT(sent_[2].body, HasSubstr(R"("count":31)"));
}

TEST_F(EventRecorderTest, WhatHappensAgainWhenASeriesHasEndedStartsAnother) {
  TellAndAnswer(About(3));
  Pass(EventRecorder::kFinishAfter - 1ns);
  TellAndAnswer(About(3), 200);
  Pass(EventRecorder::kFinishAfter);
  TellAndAnswer(About(3));
  EXPECT_THAT(Methods(), ElementsAre(Method::kPost, Method::kPatch, Method::kPost));
  EXPECT_NE(sent_[0].body, sent_[2].body);
}

TEST_F(EventRecorderTest, OnlyWhatIsAlikeIsASeries) {
  const EmitEvent first = About(3);
  EmitEvent other_run = About(4);
  EmitEvent other_reason = About(3, "RetryRefused");
  EmitEvent other_action = About(3);
  other_action.action = "Finalize";
  EmitEvent other_type = About(3);
  other_type.severity = EventSeverity::kNormal;
  for (const EmitEvent& event : {first, other_run, other_reason, other_action, other_type}) {
    TellAndAnswer(event);
  }
  EXPECT_THAT(Methods(), ElementsAre(Method::kPost, Method::kPost, Method::kPost, Method::kPost,
                                     Method::kPost));
  // Another note, or another version of the run, makes no other Event.
  EmitEvent other_note = first;
  other_note.note = "other";
  other_note.resource_version = 8;
  Tell(other_note);
  EXPECT_EQ(sent_.back().method, Method::kPatch);
}

TEST_F(EventRecorderTest, WhatHappensAgainBeforeItIsCreatedWaitsForThat) {
  Tell(About(3));
  Tell(About(3));
  Tell(About(3));
  ASSERT_EQ(sent_.size(), 1U);
  Answer(201);
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_THAT(sent_[1].body, HasSubstr(R"("count":3)"));
}

TEST_F(EventRecorderTest, AnEventThatIsGoneIsCreatedAnewWithItsCount) {
  TellAndAnswer(About(3));
  TellAndAnswer(About(3), 404);
  ASSERT_EQ(sent_.size(), 3U);
  EXPECT_EQ(sent_[2].method, Method::kPost);
  EXPECT_THAT(sent_[2].body, HasSubstr(R"("series":{"count":2,)"));
  Answer(201);
  Pass(1h);
  EXPECT_EQ(sent_.size(), 3U);
}

TEST_F(EventRecorderTest, ALostAnswerIsNoSecondEvent) {
  TellAndAnswer(About(3), 0);
  Pass(13s);
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(sent_[1].body, sent_[0].body) << "the same name, so that it can't be there twice";
  Answer(409);
  EXPECT_EQ(Counted(EventResult::kCreated), 1);
  Pass(1h);
  EXPECT_EQ(sent_.size(), 2U);
}

TEST_F(EventRecorderTest, ARepeatIsNotLostWithTheAnswer) {
  TellAndAnswer(About(3), 0);
  Tell(About(3));
  Pass(13s);
  Answer(409);  // what is there was created before the repeat
  ASSERT_EQ(sent_.size(), 3U);
  EXPECT_EQ(sent_[2].method, Method::kPatch);
  EXPECT_THAT(sent_[2].body, HasSubstr(R"("count":2)"));
}

TEST_F(EventRecorderTest, TransientFailuresAreTriedAgainSoManyTimes) {
  const std::vector<int> failures = {0, 500, 503};
  Tell(About(3));
  for (int i = 1; i < EventRecorder::kTriesMax; ++i) {
    Answer(failures[static_cast<std::size_t>(i) % failures.size()]);
    Pass(EventRecorder::kTryAgain - 1ns);
    EXPECT_EQ(sent_.size(), static_cast<std::size_t>(i)) << "it waits";
    Pass(EventRecorder::kTryAgain / 4 + 1ns);
    EXPECT_EQ(sent_.size(), static_cast<std::size_t>(i) + 1) << "and tries again";
  }
  EXPECT_EQ(Counted(EventResult::kDropped), 0);
  Answer(503);
  Pass(1h);
  EXPECT_EQ(sent_.size(), static_cast<std::size_t>(EventRecorder::kTriesMax));
  EXPECT_EQ(Counted(EventResult::kDropped), 1);
  EXPECT_THAT(lines_, ElementsAre("an Event could not be written"));
}

TEST_F(EventRecorderTest, OneThatWasNeverSentBeforeItsSeriesEndedIsCountedAsLost) {
  for (std::uint64_t run = 1; run <= EventRecorder::kInFlightMax + 1; ++run) Tell(About(run));
  EXPECT_EQ(sent_.size(), EventRecorder::kInFlightMax) << "no answer comes, so the last one waits";
  Pass(EventRecorder::kFinishAfter);
  EXPECT_EQ(Counted(EventResult::kDropped), 0);
  Tell(About(EventRecorder::kInFlightMax + 1));
  EXPECT_EQ(Counted(EventResult::kDropped), 1);
}

TEST_F(EventRecorderTest, ABusyServerIsLeftAloneAsLongAsItSays) {
  TellAndAnswer(About(3), 429);
  Tell(About(4));
  EXPECT_EQ(sent_.size(), 1U) << "others wait too";
  Pass(1s);
  EXPECT_EQ(sent_.size(), 2U);
  Answer(429, 20s);
  Tell(About(5));
  Pass(20s - 1ns);
  EXPECT_EQ(sent_.size(), 2U);
  Pass(1ns);
  EXPECT_EQ(sent_.size(), 5U);
}

TEST_F(EventRecorderTest, ARefusalDropsIt) {
  TellAndAnswer(About(3), 422);
  Pass(1h);
  EXPECT_EQ(sent_.size(), 1U);
  EXPECT_EQ(Counted(EventResult::kRefused), 1);
  EXPECT_THAT(lines_, ElementsAre("an Event could not be written"));
}

TEST_F(EventRecorderTest, LinesAboutRefusalsComeOnceAMinute) {
  TellAndAnswer(About(1), 422);
  Pass(EventRecorder::kSayAgain - 1ns);
  TellAndAnswer(About(2), 422);
  EXPECT_EQ(lines_.size(), 1U);
  Pass(1ns);
  TellAndAnswer(About(3), 422);
  EXPECT_EQ(lines_.size(), 2U);
}

TEST_F(EventRecorderTest, AMissingRightIsSaidOnce) {
  for (std::uint64_t run = 0; run < 5; ++run) {
    TellAndAnswer(About(run), 403);
    Pass(1h);
  }
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("needs create and patch on events.events.k8s.io")));
  EXPECT_EQ(Counted(EventResult::kRefused), 5);
}

TEST_F(EventRecorderTest, TooManyAboutOneRunAreDropped) {
  const auto reason = [](int number) { return "Reason" + std::to_string(number); };
  int number = 0;
  for (; number < EventRecorder::kBurst; ++number) TellAndAnswer(About(3, reason(number)));
  EXPECT_EQ(Counted(EventResult::kFiltered), 0);
  Tell(About(3, reason(++number)));
  EXPECT_EQ(sent_.size(), 25U);
  EXPECT_EQ(Counted(EventResult::kFiltered), 1);
  TellAndAnswer(About(4));
  EXPECT_EQ(sent_.size(), 26U) << "another run has its own";
  Pass(299s);
  Tell(About(3, reason(++number)));
  EXPECT_EQ(sent_.size(), 26U);
  Pass(2s);
  TellAndAnswer(About(3, reason(++number)));
  EXPECT_EQ(sent_.size(), 27U);
}

TEST_F(EventRecorderTest, ARepeatBeyondTheBurstIsCountedAndToldAtTheEnd) {
  for (int i = 0; i < EventRecorder::kBurst; ++i) {
    TellAndAnswer(About(3, "Reason" + std::to_string(i)));
  }
  Tell(About(3, "Reason0"));
  EXPECT_EQ(sent_.size(), 25U);
  Pass(EventRecorder::kFinishAfter);
  ASSERT_EQ(sent_.size(), 26U);
  EXPECT_THAT(sent_[25].body, HasSubstr(R"("count":2)"));
}

TEST_F(EventRecorderTest, FewRequestsAreUnderWayAtTheSameTime) {
  for (std::uint64_t run = 0; run < 100; ++run) Tell(About(run));
  EXPECT_EQ(sent_.size(), EventRecorder::kInFlightMax);
  EXPECT_EQ(recorder_.NextWake(), Mono::max()) << "only an answer helps";
  Answer(201);
  EXPECT_EQ(sent_.size(), EventRecorder::kInFlightMax + 1);
  EXPECT_THAT(sent_.back().body, HasSubstr("run-4\"")) << "in their order";
}

TEST_F(EventRecorderTest, AStormIsBoundedAndTheLatestAreKept) {
  const std::uint64_t runs = 3 * EventRecorder::kEventsMax;
  for (std::uint64_t run = 0; run < runs; ++run) Tell(About(run));
  const double lost =
      static_cast<double>(2 * EventRecorder::kEventsMax - EventRecorder::kInFlightMax);
  EXPECT_EQ(Counted(EventResult::kDropped), lost);
  for (std::size_t answered = 0; answered < sent_.size(); ++answered) Answer(201);
  EXPECT_EQ(sent_.size(), EventRecorder::kEventsMax + EventRecorder::kInFlightMax);
  EXPECT_EQ(Counted(EventResult::kCreated), static_cast<double>(sent_.size()));
  EXPECT_THAT(sent_.back().body, HasSubstr("run-" + std::to_string(runs - 1) + "\""));
}

TEST_F(EventRecorderTest, NamesAreUniqueAlsoAtOneTime) {
  Tell(About(3, "A"));
  Tell(About(3, "B"));
  ASSERT_EQ(sent_.size(), 2U);
  const auto name = [](const Request& request) {
    const auto at = request.body.find("run-3.");
    return request.body.substr(at, request.body.find('"', at) - at);
  };
  EXPECT_THAT(name(sent_[0]), MatchesRegex("run-3\\.[0-9a-f]{16}"));
  EXPECT_NE(name(sent_[0]), name(sent_[1]));
}

TEST_F(EventRecorderTest, AnswersToNobodyAreHarmless) {
  Effects effects;
  recorder_.OnResponse({.id = ~RequestId{0}, .status = 201}, now_, effects);
  EXPECT_THAT(effects, IsEmpty());
}

}  // namespace
}  // namespace jobrun
