#include "controller/app/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/app/fake_parts.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DriverTest : public ::testing::Test {
 protected:
  // The engine answers inputs of this type with these effects, once.
  template <class T>
  void OnInput(Effects effects) {
    parts_.engine = [effects](const Input& input, Effects& out) {
      if (std::holds_alternative<T>(input)) out = effects;
    };
  }
  std::string MetricsText() { return metrics_.Render({}); }

  FakeParts parts_{};
  FakeLog log_{};
  FakeTransport transport_{};
  Metrics metrics_{{"1", "api:6443"}};
  Driver driver_{parts_.Parts(), metrics_, log_};
};

TEST_F(DriverTest, TheFirstTurnPerformsWhatTheEngineAsks) {
  OnInput<Woke>({SendRequest{.id = 7, .target = "/x"}, OpenStream{.id = 8}, CloseStream{9},
                 LogLine{.message = "hello"}, Count{Metric::kConflicts}});
  driver_.Start(transport_);
  ASSERT_EQ(transport_.sent.size(), 1U);
  EXPECT_EQ(transport_.sent[0].id, 7U);
  EXPECT_EQ(transport_.sent[0].target, "/x");
  EXPECT_THAT(transport_.opened, ElementsAre(8U));
  EXPECT_THAT(transport_.closed, ElementsAre(9U));
  EXPECT_THAT(log_.held, ElementsAre("hello"));
  EXPECT_THAT(MetricsText(), HasSubstr("jobrun_reap_conflicts_total 1\n"));
}

TEST_F(DriverTest, WhatTheNetworkSaysReachesTheEngineUnchanged) {
  std::vector<std::string> seen;
  parts_.engine = [&seen](const Input& input, Effects&) {
    if (const auto* response = std::get_if<Response>(&input))
      seen.push_back("response " + response->body);
    if (const auto* opened = std::get_if<StreamOpened>(&input))
      seen.push_back("opened " + std::to_string(opened->id));
    if (const auto* events = std::get_if<StreamEvents>(&input))
      seen.push_back("events " + std::to_string(events->events.size()));
    if (const auto* closed = std::get_if<StreamClosed>(&input))
      seen.push_back("closed " + closed->detail);
  };
  driver_.Start(transport_);
  const Event events[2] = {};
  driver_.OnStreamOpened({.id = 3});
  driver_.OnStreamEvents({.id = 3, .events = events});
  driver_.OnStreamClosed({.id = 3, .detail = "bye"});
  driver_.OnResponse({.id = 4, .body = "text"});
  EXPECT_THAT(seen, ElementsAre("opened 3", "events 2", "closed bye", "response text"));
}

TEST_F(DriverTest, AnAnswerFromWithinSendWaitsForTheTurnToEnd) {
  OnInput<Woke>({SendRequest{.id = 1}, LogLine{.message = "after"}});
  transport_.on_send = [this](const Request& request) { driver_.OnResponse({.id = request.id}); };
  driver_.Start(transport_);
  EXPECT_EQ(parts_.turns, 1);
  EXPECT_THAT(log_.held, ElementsAre("after"));
  parts_.RunPosted();
  EXPECT_EQ(parts_.turns, 2);
}

TEST_F(DriverTest, TheLinesOfOneRoundOfTheLoopAreWrittenTogether) {
  OnInput<Woke>({LogLine{.message = "one"}});
  driver_.Start(transport_);
  OnInput<Response>({LogLine{.message = "more"}});
  driver_.OnResponse({.id = 1});
  EXPECT_THAT(log_.lines, IsEmpty());
  parts_.RunPosted();
  EXPECT_THAT(log_.lines, ElementsAre("one", "more"));
  driver_.OnResponse({.id = 2});
  parts_.RunPosted();
  EXPECT_THAT(log_.lines, ElementsAre("one", "more", "more"));
}

TEST_F(DriverTest, AWarningIsWrittenAtOnceBehindWhatWasHeld) {
  OnInput<Woke>({LogLine{.message = "one"}, LogLine{LogLevel::kWarn, "trouble"}});
  driver_.Start(transport_);
  EXPECT_THAT(log_.lines, ElementsAre("one", "trouble"));
}

TEST_F(DriverTest, TheLastLinesAreWrittenBeforeTheLoopStops) {
  OnInput<Woke>({LogLine{.message = "bye"}, Exit{}});
  driver_.Start(transport_);
  EXPECT_THAT(log_.lines, ElementsAre("bye"));
}

TEST_F(DriverTest, WakesTheEngineWhenItAsksAndAtLeastEveryFewSeconds) {
  OnInput<Woke>({WakeAt{parts_.now.mono + 2s}});
  driver_.Start(transport_);
  EXPECT_EQ(parts_.wake_at, parts_.now.mono + 2s);
  OnInput<Woke>({WakeAt{parts_.now.mono + 1h}});
  parts_.Wake();
  EXPECT_EQ(parts_.turns, 2);
  EXPECT_EQ(parts_.wake_at, parts_.now.mono + Driver::kTurnMax);
  parts_.engine = nullptr;
  parts_.Wake();
  EXPECT_EQ(parts_.turns, 3);
  EXPECT_EQ(parts_.wake_at, parts_.now.mono + Driver::kTurnMax);
}

TEST_F(DriverTest, ALaterWakeReplacesTheOneBefore) {
  OnInput<Woke>({WakeAt{parts_.now.mono + 1s}, WakeAt{parts_.now.mono + 3s}});
  driver_.Start(transport_);
  EXPECT_EQ(parts_.wake_at, parts_.now.mono + 3s);
}

TEST_F(DriverTest, AWakeThatHasComeIsNotAskedForAgain) {
  OnInput<Woke>({WakeAt{parts_.now.mono + 1s}});
  driver_.Start(transport_);
  parts_.engine = nullptr;
  parts_.Wake();
  EXPECT_EQ(parts_.wake_at, parts_.now.mono + Driver::kTurnMax);
}

TEST_F(DriverTest, EventsDontPutOffTheWakeTheEngineAskedFor) {
  OnInput<Woke>({WakeAt{parts_.now.mono + 1s}});
  driver_.Start(transport_);
  const Mono asked = parts_.wake_at;
  parts_.now.mono += 500ms;
  driver_.OnStreamEvents({});
  EXPECT_EQ(parts_.wake_at, asked);
}

TEST_F(DriverTest, CountsRequestsByMethodAndCode) {
  OnInput<Woke>({SendRequest{.id = 1, .method = Method::kPatch}, SendRequest{.id = 2}});
  driver_.Start(transport_);
  driver_.OnResponse({.id = 1, .status = 409, .sent_at = Mono{1s}, .received_at = Mono{1s} + 3ms});
  driver_.OnResponse({.id = 2, .status = 0});
  driver_.OnResponse({.id = 99, .status = 200});  // nobody asked
  const std::string text = MetricsText();
  EXPECT_THAT(
      text,
      HasSubstr("rest_client_requests_total{code=\"409\",host=\"api:6443\",method=\"PATCH\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "rest_client_requests_total{code=\"<error>\",host=\"api:6443\",method=\"GET\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("rest_client_requests_total{code=\"200\",host=\"api:6443\",method=\"GET\"} 0\n"));
  EXPECT_THAT(
      text,
      HasSubstr("rest_client_request_duration_seconds_bucket{verb=\"PATCH\",le=\"0.005\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("rest_client_request_duration_seconds_count{verb=\"GET\"} 0\n"));
}

TEST_F(DriverTest, CountsAWatchOnceWhetherItOpenedOrWasRefused) {
  OnInput<Woke>({OpenStream{.id = 1}, OpenStream{.id = 2}, OpenStream{.id = 3}});
  driver_.Start(transport_);
  driver_.OnStreamOpened({.id = 1});
  driver_.OnStreamClosed({.id = 1, .status = 200});
  driver_.OnStreamClosed({.id = 2, .status = 403});
  driver_.OnStreamClosed({.id = 3});
  const std::string text = MetricsText();
  for (const char* code : {"200", "403", "<error>"}) {
    EXPECT_THAT(text, HasSubstr("rest_client_requests_total{code=\"" + std::string(code) +
                                "\",host=\"api:6443\",method=\"GET\"} 1\n"));
  }
}

TEST_F(DriverTest, CountsOfANewLaneMakeItsSeries) {
  driver_.Start(transport_);
  parts_.lanes.push_back("late");
  OnInput<StreamOpened>({Count{Metric::kReaps, 2, 0}});
  driver_.OnStreamOpened({});
  EXPECT_THAT(MetricsText(), HasSubstr("{lane=\"late\",reason=\"PendingDeadlineExceeded\"} 1\n"));
}

TEST_F(DriverTest, GaugesComeFromTheEngineOnTheLoop) {
  parts_.health.last_sweep = Mono{999s};
  parts_.engine = [](const Input& input, Effects& out) {
    const auto* asked = std::get_if<ScrapeAsked>(&input);
    if (asked == nullptr) return;
    Snapshot snapshot{.queued = 5, .taken_at = Mono{998s}};
    out.push_back(Answer{asked->id, snapshot});
  };
  driver_.Start(transport_);
  std::vector<Gauges> answers;
  driver_.AskGauges([&answers](const Gauges& gauges) { answers.push_back(gauges); });
  driver_.AskGauges([&answers](const Gauges& gauges) { answers.push_back(gauges); });
  EXPECT_THAT(answers, IsEmpty());
  EXPECT_EQ(parts_.RunPosted(), 2);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].snapshot.queued, 5U);
  EXPECT_EQ(answers[0].last_sweep, Mono{999s});
  EXPECT_EQ(answers[0].mono, Mono{998s});
  EXPECT_EQ(answers[0].wall, parts_.wall);
}

TEST_F(DriverTest, AnEngineWithoutAnAnswerLeavesNothingBehind) {
  driver_.Start(transport_);
  auto alive = std::make_shared<int>(0);
  driver_.AskGauges([alive](const Gauges&) { FAIL(); });
  parts_.RunPosted();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(DriverTest, AStuckLoopIsNotAskedForEver) {
  for (int i = 0; i < Driver::kAsksMax + 100; ++i) driver_.AskHealth([](const Health&) {});
  EXPECT_EQ(parts_.RunPosted(), Driver::kAsksMax);
  driver_.AskHealth([](const Health&) {});
  EXPECT_EQ(parts_.RunPosted(), 1);
}

TEST_F(DriverTest, TellsHowLongAgoTheLoopTurned) {
  driver_.Start(transport_);
  EXPECT_EQ(driver_.SinceTurn(), 0s);
  parts_.now.mono += 31s;
  EXPECT_EQ(driver_.SinceTurn(), 31s);
  driver_.OnStreamEvents({});
  EXPECT_EQ(driver_.SinceTurn(), 0s);
}

TEST_F(DriverTest, StopsWhenTheEngineHasFinished) {
  driver_.Start(transport_);
  driver_.BeginStop();
  EXPECT_FALSE(parts_.loop_stopped);
  OnInput<Response>({Exit{}});
  driver_.OnResponse({.id = 1});
  EXPECT_TRUE(parts_.loop_stopped);
  EXPECT_THAT(log_.lines, IsEmpty());
  const int turns = parts_.turns;
  driver_.OnStreamEvents({});
  EXPECT_EQ(parts_.turns, turns) << "nothing reaches the engine after Exit";
}

TEST_F(DriverTest, StopsWithoutTheEngineWhenItTakesTooLong) {
  driver_.Start(transport_);
  const Mono asked = parts_.now.mono;
  driver_.BeginStop();
  while (!parts_.loop_stopped) parts_.Wake();
  EXPECT_EQ(parts_.now.mono, asked + Driver::kStopMax);
  EXPECT_THAT(log_.lines, ElementsAre(HasSubstr("too long")));
}

EmitEvent Telling() {
  return {.name_space = "ns", .name = "a", .uid = {1, 2}, .reason = "Stuck", .action = "Reap"};
}

TEST_F(DriverTest, EventsAreSentAndTheirAnswersStayFromTheEngine) {
  OnInput<Woke>({SendRequest{.id = 1}, Telling()});
  driver_.Start(transport_);
  ASSERT_EQ(transport_.sent.size(), 2U);
  const Request& event = transport_.sent[1];
  EXPECT_EQ(event.target, "/apis/events.k8s.io/v1/namespaces/ns/events");
  EXPECT_THAT(event.body, HasSubstr(R"("reportingInstance":"proc")"));
  EXPECT_THAT(event.body, HasSubstr(R"("eventTime":"2023-11-14T22:13:20.000000Z")"))
      << "the machine's clock, for want of the server's";
  const int turns = parts_.turns;
  driver_.OnResponse({.id = event.id, .status = 201});
  EXPECT_EQ(parts_.turns, turns);
  driver_.OnResponse({.id = 1, .status = 200});
  EXPECT_EQ(parts_.turns, turns + 1);
  const std::string text = MetricsText();
  EXPECT_THAT(text, HasSubstr("jobrun_events_total{result=\"created\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("rest_client_requests_total{code=\"201\",host=\"api:6443\",method=\"POST\"} 1\n"));
}

TEST_F(DriverTest, TellsOfWhatTheEngineDoesNotKnow) {
  driver_.Start(transport_);
  driver_.Tell(Telling());
  EXPECT_EQ(transport_.sent.size(), 1U);
  EXPECT_EQ(parts_.turns, 1);
}

TEST_F(DriverTest, AnEventHasTheTimeThatTheEngineGaveIt) {
  EmitEvent event = Telling();
  event.at = parts_.wall + 1s;
  OnInput<Woke>({event});
  driver_.Start(transport_);
  EXPECT_THAT(transport_.sent.at(0).body,
              HasSubstr(R"("eventTime":"2023-11-14T22:13:21.000000Z")"));
}

TEST_F(DriverTest, AnEventThatFailedIsTriedAgainWithoutTheEngine) {
  OnInput<Woke>({Telling()});
  driver_.Start(transport_);
  parts_.engine = nullptr;
  driver_.OnResponse({.id = transport_.sent.at(0).id, .status = 503});
  const Mono failed = parts_.now.mono;
  while (transport_.sent.size() < 2 && parts_.now.mono < failed + 1min) parts_.Wake();
  ASSERT_EQ(transport_.sent.size(), 2U);
  EXPECT_GE(parts_.now.mono, failed + EventRecorder::kTryAgain);
}

TEST_F(DriverTest, AnAnswerToAnEventFromWithinSendWaits) {
  OnInput<Woke>({Telling(), LogLine{.message = "after"}});
  transport_.on_send = [this](const Request& request) {
    driver_.OnResponse({.id = request.id, .status = 201});
  };
  driver_.Start(transport_);
  EXPECT_THAT(MetricsText(), HasSubstr("jobrun_events_total{result=\"created\"} 0\n"));
  parts_.RunPosted();
  EXPECT_THAT(MetricsText(), HasSubstr("jobrun_events_total{result=\"created\"} 1\n"));
  EXPECT_EQ(parts_.turns, 1);
}

TEST_F(DriverTest, NothingIsSentForEventsOnceTheEngineHasFinished) {
  OnInput<Woke>({Telling()});
  driver_.Start(transport_);
  EmitEvent another = Telling();
  another.uid = {3, 4};
  OnInput<StopAsked>({another, Exit{}});
  driver_.BeginStop();
  EXPECT_TRUE(parts_.loop_stopped);
  EXPECT_EQ(transport_.sent.size(), 1U);
  driver_.OnResponse({.id = transport_.sent[0].id, .status = 503});
  EXPECT_EQ(transport_.sent.size(), 1U);
  EXPECT_THAT(MetricsText(), HasSubstr("jobrun_events_total{result=\"created\"} 0\n"));
}

}  // namespace
}  // namespace jobrun
