#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "controller/base/rfc3339.h"
#include "controller/wire/event_decoder.h"
#include "tests/wire/lines.h"

namespace jobrun {
namespace {

TEST(DecodeLineTest, ReadsWhatADecisionNeeds) {
  EventDecoder decoder;
  const PaddedText line(kModified);
  const Event event = decoder.DecodeLine(line.View());
  ASSERT_EQ(event.type, EventType::kModified) << event.message;
  const ObservedRun& run = event.run;
  EXPECT_EQ(run.name_space, "etl");
  EXPECT_EQ(run.name, "nightly");
  EXPECT_EQ(run.uid, *ParseUid(kUid));
  EXPECT_EQ(run.resource_version, 221U);
  EXPECT_EQ(run.generation, 3U);
  EXPECT_EQ(run.created, *ParseRfc3339("2026-11-22T01:00:00Z"));
  EXPECT_FALSE(run.being_deleted);
  EXPECT_EQ(run.lane, "batch");
  EXPECT_EQ(run.spec_json, R"({"deadlineSeconds":60,"lane":"batch","payload":{"lane":"x"}})");
  EXPECT_EQ(run.phase, Phase::kRunning);
  EXPECT_EQ(run.claimed_at, "2026-11-22T01:02:03.000004Z");
  EXPECT_EQ(run.last_heartbeat_at, "2026-11-22T01:03:33.5Z");
  EXPECT_EQ(run.start_time, "2026-11-22T01:02:04.000000Z");
  EXPECT_EQ(run.reason, "Why");
  EXPECT_EQ(run.verdict_id, "v-1");
  EXPECT_FALSE(run.has_foreign_conditions);
}

TEST(DecodeLineTest, StringsWithoutEscapesAreViewsIntoTheLine) {
  EventDecoder decoder;
  const PaddedText line(kModified);
  const ObservedRun run = decoder.DecodeLine(line.View()).run;
  for (const std::string_view text : {run.name, run.lane, run.spec_json, run.last_heartbeat_at}) {
    EXPECT_GE(text.data(), line.View().data());
    EXPECT_LE(text.data() + text.size(), line.View().data() + line.View().size());
  }
}

TEST(DecodeLineTest, KeysMayComeInAnyOrder) {
  EventDecoder decoder;
  const PaddedText line(
      R"({"object":{"status":{"phase":"Running","conditions":[]},"spec":{"payload":{},"lane":"b"},)"
      R"("metadata":{"uid":")" +
      std::string(kUid) +
      R"(","resourceVersion":"9","namespace":"etl","creationTimestamp":"2026-11-22T01:00:00Z",)"
      R"("name":"n"}},"type":"DELETED"})");
  const Event event = decoder.DecodeLine(line.View());
  ASSERT_EQ(event.type, EventType::kDeleted) << event.message;
  EXPECT_EQ(event.run.name, "n");
  EXPECT_EQ(event.run.lane, "b");
  EXPECT_EQ(event.run.phase, Phase::kRunning);
}

TEST(DecodeLineTest, WhiteSpaceDoesNotMatter) {
  EventDecoder decoder;
  const PaddedText line(
      " {\t\"type\" : \"ADDED\" , \"object\" : { \"spec\" : { \"lane\" : \"b\" }\t, \"metadata\" : "
      "{"
      " \"generation\" : 4 , \"uid\" : \"" +
      std::string(kUid) +
      "\" , \"resourceVersion\" : \"9\" ,"
      " \"namespace\" : \"etl\" , \"creationTimestamp\" : \"2026-11-22T01:00:00Z\" , \"name\" : "
      "\"n\""
      " } } } ");
  const Event event = decoder.DecodeLine(line.View());
  ASSERT_EQ(event.type, EventType::kAdded) << event.message;
  EXPECT_EQ(event.run.name, "n");
  EXPECT_EQ(event.run.generation, 4U);
  EXPECT_EQ(event.run.spec_json, "{ \"lane\" : \"b\" }");
}

TEST(DecodeLineTest, LookalikesInsideSkippedPartsAreNotTaken) {
  EventDecoder decoder;
  const PaddedText line(
      Replaced(R"("payload":{"lane":"x"})",
               R"("payload":{"lane":"x","status":{"phase":"Stuck"},"metadata":{"name":"decoy"},)"
               R"("text":"\"name\":\"decoy\",\\","deep":[[[{"}":"]"}]]],"uid":1},)"
               R"("metadata":{"name":"no"})"));
  const Event event = decoder.DecodeLine(line.View());
  ASSERT_EQ(event.type, EventType::kModified) << event.message;
  EXPECT_EQ(event.run.name, "nightly");
  EXPECT_EQ(event.run.phase, Phase::kRunning);
  EXPECT_EQ(event.run.lane, "batch");
}

TEST(DecodeLineTest, ManagedFieldsArePassedOnAsTheyAre) {
  EventDecoder decoder;
  constexpr std::string_view kList = R"([{"manager":"m","fieldsV1":{"f:status":{"f:phase":{}}}}])";
  const PaddedText plain(kModified);
  EXPECT_EQ(decoder.DecodeLine(plain.View()).run.managed_fields, kList);
  for (const char* list : {"[]", "[ [ ] , \"]\" ]", R"([{"k:{\"type\":\"]\"}":{}}, 7 ])"}) {
    const PaddedText line(Replaced(kList, list));
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kModified) << event.message;
    EXPECT_EQ(event.run.managed_fields, list);
    EXPECT_EQ(event.run.name, "nightly");
  }
}

TEST(DecodeLineTest, ManagedFieldsThatAreNoListAreNone) {
  EventDecoder decoder;
  for (const char* other : {"null", "7", "\"x\"", R"({"a":[1]})", R"([1],"managedFields":{})"}) {
    const PaddedText line(
        Replaced(R"([{"manager":"m","fieldsV1":{"f:status":{"f:phase":{}}}}])", other));
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kModified) << other;
    EXPECT_EQ(event.run.managed_fields, "") << other;
  }
}

TEST(DecodeLineTest, AbsentMeansPendingAndEmpty) {
  EventDecoder decoder;
  for (const char* status : {"", R"(,"status":{})", R"(,"status":null)",
                             R"(,"status":{"phase":null,"conditions":null,"reason":null})"}) {
    const PaddedText line(R"({"type":"ADDED","object":{"metadata":)" + std::string(kMetadata) +
                          R"(,"spec":{})" + status + "}}");
    const Event event = decoder.DecodeLine(line.View());
    ASSERT_EQ(event.type, EventType::kAdded) << event.message << status;
    EXPECT_EQ(event.run.phase, Phase::kPending);
    EXPECT_EQ(event.run.lane, "");
    EXPECT_EQ(event.run.spec_json, "{}");
    EXPECT_EQ(event.run.last_heartbeat_at, "");
  }
}

TEST(DecodeLineTest, AnAbsurdTimestampIsKeptAsText) {
  EventDecoder decoder;
  const PaddedText line(Replaced("2026-11-22T01:03:33.5Z", "9999-99-99 noon"));
  const Event event = decoder.DecodeLine(line.View());
  ASSERT_EQ(event.type, EventType::kModified);
  EXPECT_EQ(event.run.last_heartbeat_at, "9999-99-99 noon");
}

TEST(DecodeLineTest, SeesADeletionUnderWay) {
  EventDecoder decoder;
  const PaddedText line(Replaced(R"("generation":3)",
                                 R"("generation":3,"deletionTimestamp":"2026-11-22T02:00:00Z")"));
  EXPECT_TRUE(decoder.DecodeLine(line.View()).run.being_deleted);
  const PaddedText none(Replaced(R"("generation":3)", R"("deletionTimestamp":null)"));
  const Event event = decoder.DecodeLine(none.View());
  EXPECT_EQ(event.type, EventType::kModified) << event.message;
  EXPECT_FALSE(event.run.being_deleted);
}

TEST(DecodeLineTest, ReadsHowAWorkEnds) {
  EventDecoder decoder;
  const std::string conditions = R"([{"type":"a","status":"True"}])";
  const PaddedText line(Replaced(
      R"("reason":"Why")",
      R"("exitCode":-9,"progress":"7/9","conditions":)" + conditions + R"( ,"exitTime":"x")"));
  const Event event = decoder.DecodeLine(line.View());
  ASSERT_EQ(event.type, EventType::kModified) << event.message;
  EXPECT_EQ(event.run.exit_code, -9);
  EXPECT_EQ(event.run.progress, "7/9");
  EXPECT_EQ(event.run.conditions_json, conditions);
  EXPECT_FALSE(event.run.cancelled);
  const PaddedText none(Replaced(R"("reason":"Why")", R"("exitCode":null)"));
  EXPECT_EQ(decoder.DecodeLine(none.View()).run.exit_code, std::nullopt);
}

TEST(DecodeLineTest, ReadsWhatIsRecordedOfARetry) {
  EventDecoder decoder;
  std::string text = Replaced(
      R"("reason":"Why")",
      R"("completionTime":"t","retry":{"notBeforeTime":"n","state":"Pending","successorName":"s"})");
  const std::string lane = R"("lane":"batch")";
  text.replace(text.find(lane), lane.size(),
               lane + R"(,"attempt":3,"concurrencyKey":"k","retryOf":{"name":"p","uid":"u"})");
  const PaddedText line(text);
  const Event event = decoder.DecodeLine(line.View());
  ASSERT_EQ(event.type, EventType::kModified) << event.message;
  EXPECT_EQ(event.run.completion_time, "t");
  EXPECT_EQ(event.run.retry_state, RetryState::kPending);
  EXPECT_EQ(event.run.retry_not_before, "n");
  EXPECT_EQ(event.run.successor_name, "s");
  EXPECT_EQ(event.run.attempt, 3U);
  EXPECT_EQ(event.run.concurrency_key, "k");
  EXPECT_EQ(event.run.retry_of_uid, "u");
  EXPECT_EQ(event.run.retry_of_name, "p");
}

TEST(DecodeLineTest, ReadsWhetherItIsCancelled) {
  EventDecoder decoder;
  const auto cancelled = [&](std::string_view value) {
    const PaddedText line(
        Replaced(R"("lane":"batch")", R"("lane":"batch","cancelled":)" + std::string(value)));
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kModified) << event.message;
    return event.run.cancelled;
  };
  EXPECT_TRUE(cancelled("true"));
  EXPECT_FALSE(cancelled("false"));
  EXPECT_FALSE(cancelled("null"));
}

TEST(DecodeLineTest, TellsForeignConditionsFromItsOwn) {
  struct Case {
    const char* conditions;
    bool foreign;
  };
  const Case cases[] = {{"[]", false},
                        {R"([{"type":"Stuck","status":"True"}])", false},
                        {R"([{"status":"True","type":"Succeeded"},{"type":"Stuck"}])", false},
                        {R"([{"type":"Stu\u0063k"}])", false},
                        {R"([{"type":"Stuck"},{"type":"example.com/Checked"}])", true},
                        {R"([{"type":"stuck"}])", true},
                        {R"([{"x":{"type":"Stuck"},"type":"ExecutorFound"}])", true}};
  EventDecoder decoder;
  for (const Case& each : cases) {
    const PaddedText line(
        Replaced(R"("reason":"Why")", R"("conditions":)" + std::string(each.conditions)));
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kModified) << event.message;
    EXPECT_EQ(event.run.has_foreign_conditions, each.foreign) << each.conditions;
  }
}

TEST(DecodeLineTest, UnescapedStringsOfABatchLiveUntilReset) {
  EventDecoder decoder;
  std::vector<PaddedText> lines;
  for (int i = 0; i < 3000; ++i) {
    lines.emplace_back(Replaced(R"("reason":"Why")",
                                R"("reason":"\"\u00fc\ud83d\ude80\" )" + std::to_string(i) + "\""));
  }
  std::vector<Event> events;
  for (const PaddedText& line : lines) events.push_back(decoder.DecodeLine(line.View()));
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].run.reason, "\"ü🚀\" " + std::to_string(i));
    ASSERT_EQ(events[i].run.name, "nightly");
  }
  decoder.Reset();
  EXPECT_EQ(decoder.DecodeLine(lines[7].View()).run.reason, "\"ü🚀\" 7");
}

TEST(DecodeLineTest, OfDuplicateKeysTheLastCounts) {
  EventDecoder decoder;
  const PaddedText line(Replaced(R"("phase":"Running")", R"("phase":"Running","phase":"Stuck")"));
  EXPECT_EQ(decoder.DecodeLine(line.View()).run.phase, Phase::kStuck);
  const PaddedText lanes(Replaced(R"("lane":"batch")", R"("lane":"a","lane":"b")"));
  EXPECT_EQ(decoder.DecodeLine(lanes.View()).run.lane, "b");
  const std::string object = R"("object":{"metadata":)" + std::string(kMetadata) + "}";
  const PaddedText twice("{\"type\":\"ADDED\"," + object + ",\"type\":\"DELETED\"," +
                         std::string(kModified).substr(19));
  const Event event = decoder.DecodeLine(twice.View());
  EXPECT_EQ(event.type, EventType::kDeleted) << event.message;
  EXPECT_EQ(event.run.phase, Phase::kRunning);
}

TEST(DecodeLineTest, ABookmarkCarriesItsVersion) {
  EventDecoder decoder;
  const PaddedText line(
      R"({"type":"BOOKMARK","object":{"kind":"JobRun","metadata":{"resourceVersion":"221",)"
      R"("creationTimestamp":null},"spec":{}}})");
  const Event event = decoder.DecodeLine(line.View());
  EXPECT_EQ(event.type, EventType::kBookmark) << event.message;
  EXPECT_EQ(event.resource_version, 221U);
  EXPECT_FALSE(event.initial_events_end);
}

TEST(DecodeLineTest, ABookmarkEndsTheInitialEventsOnlyWhenItSaysTrue) {
  struct Case {
    const char* annotations;
    bool end;
  };
  const Case cases[] = {{R"({"k8s.io/initial-events-end":"true"})", true},
                        {R"({"x":"y","k8s.io/initial-events-end" : "true" })", true},
                        {R"({"k8s.io/initial-events-end":"false"})", false},
                        {R"({"k8s.io/initial-events-end":true})", false},
                        {R"({"x":"k8s.io/initial-events-end"})", false},
                        {"null", false}};
  EventDecoder decoder;
  for (const Case& each : cases) {
    const std::string object = R"("object":{"metadata":{"annotations":)" +
                               std::string(each.annotations) + R"(,"resourceVersion":"7"}})";
    const std::string type = R"("type":"BOOKMARK")";
    for (const std::string& text :
         {"{" + type + "," + object + "}", "{" + object + "," + type + "}"}) {
      const PaddedText line(text);
      const Event event = decoder.DecodeLine(line.View());
      EXPECT_EQ(event.type, EventType::kBookmark) << event.message;
      EXPECT_EQ(event.initial_events_end, each.end) << text;
    }
  }
}

TEST(DecodeLineTest, AnErrorCarriesCodeAndWords) {
  EventDecoder decoder;
  const PaddedText line(
      R"({"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},)"
      R"("status":"Failure","message":"too \"old\": 1 [221]","reason":"Expired","code":410}})");
  const Event event = decoder.DecodeLine(line.View());
  EXPECT_EQ(event.type, EventType::kError);
  EXPECT_EQ(event.status_code, 410);
  EXPECT_EQ(event.message, "too \"old\": 1 [221]");
}

TEST(DecodeLineTest, AnErrorWithoutAUsableStatusIsStillOne) {
  EventDecoder decoder;
  for (const char* object : {"{}", "null", "[]", R"({"code":"410"})", R"({"code":99999999999})"}) {
    const PaddedText line(R"({"type":"ERROR","object":)" + std::string(object) + "}");
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kError) << object;
    EXPECT_EQ(event.status_code, 0) << object;
  }
}

}  // namespace
}  // namespace jobrun
