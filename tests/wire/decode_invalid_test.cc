#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "controller/wire/event_decoder.h"
#include "tests/wire/lines.h"

namespace jobrun {
namespace {

struct BadField {
  std::string_view part;
  std::string_view by;
  std::string_view place;  // what the message must name
};

class BadFieldTest : public testing::TestWithParam<BadField> {};

// The names stand behind some of these fields: reading goes on after the first fault.
TEST_P(BadFieldTest, IsNamedTogetherWithItsObject) {
  EventDecoder decoder;
  const PaddedText line(Replaced(GetParam().part, GetParam().by));
  const Event event = decoder.DecodeLine(line.View());
  EXPECT_EQ(event.type, EventType::kInvalid);
  EXPECT_TRUE(event.message.starts_with(GetParam().place)) << event.message;
  EXPECT_NE(event.message.find("expected"), std::string_view::npos) << event.message;
  EXPECT_EQ(event.run.name, GetParam().place == "metadata.name:" ? "" : "nightly");
  EXPECT_EQ(event.run.name_space, GetParam().place == "metadata.namespace:" ? "" : "etl");
}

constexpr std::string_view kName = R"("name":"nightly")";
constexpr std::string_view kSpace = R"("namespace":"etl")";
constexpr std::string_view kVersion = R"("resourceVersion":"221")";
constexpr std::string_view kUidField = R"("uid":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")";
constexpr std::string_view kCreated = R"("creationTimestamp":"2026-11-22T01:00:00Z")";
constexpr std::string_view kPhase = R"("phase":"Running")";
constexpr std::string_view kGeneration = R"("generation":3)";
constexpr std::string_view kReason = R"("reason":"Why")";

INSTANTIATE_TEST_SUITE_P(
    Names, BadFieldTest,
    testing::Values(BadField{kName, R"("x":1)", "metadata.name:"},
                    BadField{kName, R"("name":"")", "metadata.name:"},
                    BadField{kName, R"("name":null)", "metadata.name:"},
                    BadField{kName, R"("name":7)", "metadata.name:"},
                    BadField{kName, R"("name":["nightly"])", "metadata.name:"},
                    BadField{kName, R"("name":"a\u0000b")", "metadata.name:"},
                    BadField{kName, R"("name":"\ud800")", "metadata.name:"},
                    BadField{kName, R"("name":"\udc00x")", "metadata.name:"},
                    BadField{kName, R"("name":"\ud83dx")", "metadata.name:"},
                    BadField{kName, R"("name":"\ud83d\ud83d")", "metadata.name:"},
                    BadField{kName, R"("name":"\q")", "metadata.name:"},
                    BadField{kName, R"("name":"\u12")", "metadata.name:"},
                    BadField{kSpace, R"("x":1)", "metadata.namespace:"},
                    BadField{kSpace, R"("namespace":{})", "metadata.namespace:"}));

INSTANTIATE_TEST_SUITE_P(
    Identity, BadFieldTest,
    testing::Values(BadField{kUidField, R"("x":1)", "metadata.uid:"},
                    BadField{kUidField, R"("uid":"soon")", "metadata.uid:"},
                    BadField{kUidField, R"("uid":1)", "metadata.uid:"},
                    BadField{kUidField, R"("uid":"00000000-0000-0000-0000-000000000000")",
                             "metadata.uid:"},
                    BadField{kVersion, R"("x":1)", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":221)", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"")", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"0")", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"0221")", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"-1")", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"+1")", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"1 ")", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"0x1f")", "metadata.resourceVersion:"},
                    BadField{kVersion, R"("resourceVersion":"18446744073709551616")",
                             "metadata.resourceVersion:"}));

INSTANTIATE_TEST_SUITE_P(
    Fields, BadFieldTest,
    testing::Values(
        BadField{kCreated, R"("x":1)", "metadata.creationTimestamp:"},
        BadField{kCreated, R"("creationTimestamp":null)", "metadata.creationTimestamp:"},
        BadField{kCreated, R"("creationTimestamp":1)", "metadata.creationTimestamp:"},
        BadField{kCreated, R"("creationTimestamp":"noon")", "metadata.creationTimestamp:"},
        BadField{kGeneration, R"("generation":"3")", "metadata.generation:"},
        BadField{kGeneration, R"("generation":-3)", "metadata.generation:"},
        BadField{kGeneration, R"("generation":3.5)", "metadata.generation:"},
        BadField{kGeneration, R"("generation":1e400)", "metadata.generation:"},
        BadField{kGeneration, R"("generation":99999999999999999999)", "metadata.generation:"},
        BadField{kGeneration, R"("deletionTimestamp":5)", "metadata.deletionTimestamp:"},
        BadField{kPhase, R"("phase":"Asleep")", "status.phase:"},
        BadField{kPhase, R"("phase":"")", "status.phase:"},
        BadField{kPhase, R"("phase":"running")", "status.phase:"},
        BadField{kPhase, R"("phase":1)", "status.phase:"},
        BadField{kReason, R"("reason":1)", "status.reason:"},
        BadField{kReason, R"("reason":"\ud800")", "status.reason:"},
        BadField{kReason, R"("exitCode":"0")", "status.exitCode:"},
        BadField{kReason, R"("exitCode":0.5)", "status.exitCode:"},
        BadField{kReason, R"("exitCode":2147483648)", "status.exitCode:"},
        BadField{kReason, R"("retry":[])", "status.retry:"},
        BadField{kReason, R"("retry":{"state":"Soon"})", "status.retry.state:"},
        BadField{kReason, R"("retry":{"state":7})", "status.retry.state:"},
        BadField{R"("lane":"batch")", R"("attempt":0)", "spec.attempt:"},
        BadField{R"("lane":"batch")", R"("attempt":"2")", "spec.attempt:"},
        BadField{kReason, R"("progress":7)", "status.progress:"},
        BadField{R"("lane":"batch")", R"("cancelled":"true")", "spec.cancelled:"},
        BadField{kReason, R"("conditions":{})", "status.conditions:"},
        BadField{kReason, R"("conditions":["x"])", "status.conditions[]:"},
        BadField{kReason, R"("conditions":[{}])", "status.conditions[].type:"},
        BadField{kReason, R"("conditions":[{"type":1}])", "status.conditions[].type:"},
        BadField{R"("lastHeartbeatAt":"2026-11-22T01:03:33.5Z")", R"("lastHeartbeatAt":5)",
                 "status.lastHeartbeatAt:"},
        BadField{R"("claimedAt":"2026-11-22T01:02:03.000004Z")", R"("claimedAt":true)",
                 "status.claimedAt:"},
        BadField{R"("startTime":"2026-11-22T01:02:04.000000Z")", R"("startTime":[])",
                 "status.startTime:"},
        BadField{R"("verdictID":"v-1")", R"("verdictID":{})", "status.verdictID:"},
        BadField{R"("lane":"batch")", R"("lane":7)", "spec.lane:"},
        BadField{R"("spec":{)", R"("spec":7,"other":{)", "spec:"},
        BadField{R"("status":{)", R"("status":[],"other":{)", "status:"}));

TEST(InvalidLineTest, AMissingFieldIsToldFromABadOne) {
  EventDecoder decoder;
  for (const std::string_view part : {kUidField, kVersion, kCreated}) {
    const PaddedText missing(Replaced(part, R"("x":1)"));
    EXPECT_TRUE(decoder.DecodeLine(missing.View()).message.ends_with("found none")) << part;
    const std::string key(part.substr(0, part.find(':')));
    const PaddedText bad(Replaced(part, key + ":\"soon\""));
    EXPECT_FALSE(decoder.DecodeLine(bad.View()).message.ends_with("found none")) << part;
  }
}

TEST(InvalidLineTest, ASpecThatEndsWithTheWrongBracket) {
  EventDecoder decoder;
  const PaddedText line(Replaced(R"(}},"status")", R"(}],"status")"));
  EXPECT_EQ(decoder.DecodeLine(line.View()).type, EventType::kInvalid);
}

TEST(InvalidLineTest, MetadataThatIsNoObject) {
  EventDecoder decoder;
  for (const char* metadata : {"null", "[]", "\"x\"", "1"}) {
    const PaddedText line(R"({"type":"ADDED","object":{"metadata":)" + std::string(metadata) +
                          "}}");
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kInvalid);
    EXPECT_TRUE(event.message.starts_with("metadata:")) << event.message;
  }
}

TEST(InvalidLineTest, TypesOtherThanTheFive) {
  EventDecoder decoder;
  for (const char* type : {R"("type":"RENAMED",)", R"("type":"modified",)", R"("type":"",)",
                           R"("type":7,)", R"("type":null,)", ""}) {
    const PaddedText line(Replaced(R"("type":"MODIFIED",)", type));
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kInvalid) << type;
    EXPECT_TRUE(event.message.starts_with("type:")) << event.message;
    EXPECT_EQ(event.run.name, "nightly");
  }
}

TEST(InvalidLineTest, ABookmarkWithoutAVersion) {
  EventDecoder decoder;
  for (const char* object : {"{}", R"({"metadata":{}})", R"({"metadata":{"resourceVersion":"x"}})",
                             R"({"metadata":{"resourceVersion":"0"}})", "null"}) {
    const PaddedText line(R"({"type":"BOOKMARK","object":)" + std::string(object) + "}");
    EXPECT_EQ(decoder.DecodeLine(line.View()).type, EventType::kInvalid) << object;
  }
}

TEST(InvalidLineTest, WhatIsNoJsonObject) {
  const std::string modified(kModified);
  const std::string texts[] = {"",
                               " ",
                               "x",
                               "null",
                               "[]",
                               "\"x\"",
                               "1",
                               "{",
                               "}",
                               "{}",
                               "{]",
                               "[}",
                               "{\"type\":\"ADDED\"}",
                               "{\"type\":}",
                               "{\"type\"}",
                               "{:}",
                               "{,}",
                               "{\"type\":\"ADDED\",}",
                               "{\"object\":{}}",
                               std::string("\0", 1),
                               std::string(64, '\0'),
                               "\xef\xbb\xbf",
                               std::string(100, '}'),
                               modified + "x",
                               modified + "{}",
                               modified + "}",
                               modified + ",",
                               modified.substr(1),
                               "[" + modified + "]",
                               modified.substr(0, modified.size() - 1)};
  EventDecoder decoder;
  for (const std::string& text : texts) {
    const PaddedText line(text);
    const Event event = decoder.DecodeLine(line.View());
    EXPECT_EQ(event.type, EventType::kInvalid) << text;
    EXPECT_FALSE(event.message.empty()) << text;
  }
}

TEST(InvalidLineTest, BytesThatJsonForbids) {
  EventDecoder decoder;
  const std::string_view bytes[] = {
      std::string_view("\0", 1), "\x01", "\n", "\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf"};
  for (const std::string_view byte : bytes) {
    for (const std::string_view part : {"nightly", "Why", "Running"}) {
      const PaddedText line(Replaced(part, std::string(part) + std::string(byte)));
      EXPECT_EQ(decoder.DecodeLine(line.View()).type, EventType::kInvalid) << part;
    }
  }
}

TEST(InvalidLineTest, NamesReadBeforeTheJsonBreaksAreTold) {
  EventDecoder decoder;
  const PaddedText line(Replaced(kPhase, "\"phase\" \"Running\""));
  const Event event = decoder.DecodeLine(line.View());
  EXPECT_EQ(event.type, EventType::kInvalid);
  EXPECT_EQ(event.run.name, "nightly");
  EXPECT_EQ(event.run.name_space, "etl");
}

TEST(DepthTest, DeepPartsThatAreSkippedDoNotMatter) {
  EventDecoder decoder;
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  const PaddedText line(Replaced(R"("payload":{"lane":"x"})", R"("payload":)" + deep));
  EXPECT_EQ(decoder.DecodeLine(line.View()).type, EventType::kModified);
}

TEST(DepthTest, DeepBombsAreRefused) {
  EventDecoder decoder;
  for (const char* unit : {"[", "{", "{\"a\":", "{\"object\":", "{\"object\":{\"metadata\":["}) {
    std::string bomb;
    for (int i = 0; i < 100000; ++i) bomb += unit;
    const PaddedText line(bomb);
    EXPECT_EQ(decoder.DecodeLine(line.View()).type, EventType::kInvalid);
    const PaddedText closed("{\"type\":\"ADDED\",\"object\":" + bomb + "}");
    EXPECT_EQ(decoder.DecodeLine(closed.View()).type, EventType::kInvalid);
  }
}

}  // namespace
}  // namespace jobrun
