#include "controller/wire/event_object.h"

#include <gtest/gtest.h>

#include <string>

#include "controller/base/rfc3339.h"
#include "controller/wire/json_string.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

const ServerTime kAt = *ParseRfc3339("2026-11-22T01:02:03.000004Z");

RunEvent Reaped() {
  return {.name_space = "ns",
          .name = "sync-1",
          .uid = *ParseUid("0b5b2f9a-0000-4000-8000-000000000001"),
          .resource_version = 42,
          .severity = EventSeverity::kWarning,
          .reason = "HeartbeatTimeout",
          .action = "Reap",
          .note = "no heartbeat for \"150 s\""};
}

std::string Written(const RunEvent& event, const std::optional<EventSeries>& series = {}) {
  return WriteEvent(event, {.name = "sync-1.1f", .instance = "4f3c", .at = kAt}, series);
}

std::size_t NoteBytes(const std::string& json) {
  const std::string key = "\"note\":\"";
  const std::size_t at = json.find(key) + key.size();
  return json.find('"', at) - at;
}

TEST(EventObjectTest, SaysWhatTheApiServerAsksFor) {
  EXPECT_EQ(Written(Reaped()),
            R"({"apiVersion":"events.k8s.io/v1","kind":"Event",)"
            R"("metadata":{"namespace":"ns","name":"sync-1.1f"},)"
            R"("eventTime":"2026-11-22T01:02:03.000004Z",)"
            R"("reportingController":"jobrun.dev/controller","reportingInstance":"4f3c",)"
            R"("type":"Warning","reason":"HeartbeatTimeout","action":"Reap",)"
            R"("note":"no heartbeat for \"150 s\"",)"
            R"("regarding":{"apiVersion":"jobrun.dev/v1","kind":"JobRun","namespace":"ns",)"
            R"("name":"sync-1","uid":"0b5b2f9a-0000-4000-8000-000000000001",)"
            R"("resourceVersion":"42"}})");
}

TEST(EventObjectTest, NormalIsTheOtherType) {
  RunEvent event = Reaped();
  event.severity = EventSeverity::kNormal;
  EXPECT_NE(Written(event).find(R"("type":"Normal")"), std::string::npos);
}

TEST(EventObjectTest, ThatOfAPodRegardsThePodWithTheUidWhereItIsKnown) {
  RunEvent event = Reaped();
  event.subject = EventSubject::kPod;
  event.resource_version = 0;
  const std::string pod =
      R"("regarding":{"apiVersion":"v1","kind":"Pod","namespace":"ns","name":"sync-1")";
  EXPECT_TRUE(Written(event).ends_with(pod + R"(,"uid":"0b5b2f9a-0000-4000-8000-000000000001"}})"));
  event.uid = {};
  EXPECT_TRUE(Written(event).ends_with(pod + "}}"));
}

TEST(EventObjectTest, AVersionThatIsNotKnownIsLeftOut) {
  RunEvent event = Reaped();
  event.resource_version = 0;
  EXPECT_EQ(Written(event).find("resourceVersion"), std::string::npos);
}

TEST(EventObjectTest, ASeriesIsWrittenWithItAndByItself) {
  const EventSeries series{.count = 3, .last_observed = kAt};
  const std::string text =
      R"("series":{"count":3,"lastObservedTime":"2026-11-22T01:02:03.000004Z"}})";
  EXPECT_TRUE(Written(Reaped(), series).ends_with("," + text));
  EXPECT_EQ(WriteSeriesPatch(series), "{" + text);
}

TEST(EventObjectTest, ANoteAtTheLimitIsWholeAndALongerOneIsCut) {
  RunEvent event = Reaped();
  event.note = std::string(kEventNoteMax, 'x');
  EXPECT_EQ(NoteBytes(Written(event)), kEventNoteMax);
  event.note += 'x';
  EXPECT_EQ(NoteBytes(Written(event)), kEventNoteMax);
}

TEST(EventObjectTest, ANoteIsCutBetweenCharacters) {
  RunEvent event = Reaped();
  event.note = std::string(kEventNoteMax - 2, 'x') + "\u20ac";  // three bytes
  EXPECT_EQ(NoteBytes(Written(event)), kEventNoteMax - 2);
  event.note = std::string(kEventNoteMax - 3, 'x') + "\u20ac";
  EXPECT_EQ(NoteBytes(Written(event)), kEventNoteMax);
}

// The server counts the replacement character's three bytes, not the one that was sent to us.
TEST(EventObjectTest, BytesThatAreNoTextCountAsWhatTheyBecome) {
  RunEvent event = Reaped();
  event.note = std::string(kEventNoteMax, '\xff');
  EXPECT_EQ(NoteBytes(Written(event)), kEventNoteMax / 3 * 3);
}

TEST(EventObjectTest, WordsAreCutToTheirLimit) {
  RunEvent event = Reaped();
  event.reason = std::string(kEventWordMax + 1, 'R');
  const std::string text = Written(event);
  EXPECT_NE(text.find('"' + std::string(kEventWordMax, 'R') + '"'), std::string::npos);
}

TEST(CutTextTest, KeepsWhatFits) {
  EXPECT_EQ(CutText("", 0), "");
  EXPECT_EQ(CutText("ab", 2), "ab");
  EXPECT_EQ(CutText("abc", 2), "ab");
  EXPECT_EQ(CutText("a\u00e9", 2), "a");
  EXPECT_EQ(CutText("a\u00e9", 3), "a\u00e9");
  EXPECT_EQ(CutText("\xff", 2), "");
  EXPECT_EQ(CutText("\xff", 3), "\xff");
}

TEST(EventNameTest, IsTheRunsNameAndAStamp) {
  EXPECT_EQ(EventName("sync-1", 0x18f2a), "sync-1.18f2a");
}

TEST(EventNameTest, IsADnsSubdomainHoweverLongTheRunsNameIs) {
  const std::string longest(253, 'a');
  const std::string name = EventName(longest, UINT64_MAX);
  EXPECT_EQ(name, std::string(236, 'a') + ".ffffffffffffffff");
  EXPECT_EQ(name.size(), kEventNameMax);
  // What is left must not end in a dot or a hyphen.
  const std::string dotted = std::string(234, 'a') + ".-" + std::string(17, 'b');
  EXPECT_EQ(EventName(dotted, UINT64_MAX), std::string(234, 'a') + ".ffffffffffffffff");
}

TEST(EventTargetTest, NamesTheNamespaceAndTheEvent) {
  EXPECT_EQ(EventsTarget("ns"), "/apis/events.k8s.io/v1/namespaces/ns/events");
  EXPECT_EQ(EventTarget("ns", "sync-1.1f"),
            "/apis/events.k8s.io/v1/namespaces/ns/events/sync-1.1f");
}

}  // namespace
}  // namespace jobrun
