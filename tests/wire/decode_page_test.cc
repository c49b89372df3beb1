#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "controller/wire/event_decoder.h"
#include "tests/wire/lines.h"
#include "tests/wire/recorded.h"

namespace jobrun {
namespace {

struct Item {
  EventType type;
  std::string name;
};

Result<EventDecoder::Page> Decode(EventDecoder& decoder, std::string_view text,
                                  std::vector<Item>& items) {
  return decoder.DecodePage(text, [&](const Event& event) {
    items.push_back({event.type, std::string(event.run.name)});
  });
}

std::string ItemText(const std::string& name, const std::string& phase = "\"Running\"") {
  return R"({"metadata":{"name":")" + name +
         R"(","namespace":"etl","resourceVersion":"7","uid":")" + std::string(kUid) +
         R"(","creationTimestamp":"2026-11-22T01:00:00Z"},"spec":{"lane":"a"},"status":{"phase":)" +
         phase + "}}";
}

TEST(DecodePageTest, GivesItemsInOrderAndWhereTheNextPageIs) {
  EventDecoder decoder;
  const std::string items_text = R"("items":[)" + ItemText("a") + "," + ItemText("b") + "]";
  const std::string metadata = R"("metadata":{"continue":"eyJ2\u003d","resourceVersion":"221"})";
  for (const std::string& text : {"{\"kind\":\"JobRunList\"," + metadata + "," + items_text + "}",
                                  "{" + items_text + "," + metadata + "}"}) {
    std::vector<Item> items;
    const auto page = Decode(decoder, text, items);
    ASSERT_TRUE(page.ok()) << page.error().ToString();
    EXPECT_EQ(page->resource_version, "221");
    EXPECT_EQ(page->continue_token, "eyJ2=");
    ASSERT_EQ(items.size(), 2U);
    EXPECT_EQ(items[0].type, EventType::kAdded);
    EXPECT_EQ(items[0].name, "a");
    EXPECT_EQ(items[1].name, "b");
  }
}

TEST(DecodePageTest, TheLastPageMayBeEmpty) {
  EventDecoder decoder;
  for (const char* items_text : {"[]", "null"}) {
    std::vector<Item> items;
    const auto page =
        Decode(decoder,
               R"({"items":)" + std::string(items_text) + R"(,"metadata":{"resourceVersion":"1"}})",
               items);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->continue_token, "");
    EXPECT_TRUE(items.empty());
  }
}

TEST(DecodePageTest, OneBadItemDoesNotHideTheOthers) {
  EventDecoder decoder;
  for (const std::string& bad :
       {ItemText("bad", "7"), ItemText("bad", "\"\\ud800\""), std::string("null"),
        std::string("\"x\""), std::string("[]"), std::string("{}"), std::string("[{\"a\":[1]}]"),
        std::string(R"({"metadata":[],"spec":1,"status":"x"})")}) {
    std::vector<Item> items;
    const auto page = Decode(decoder,
                             R"({"items":[)" + ItemText("a") + "," + bad + "," + ItemText("c") +
                                 R"(],"metadata":{"resourceVersion":"1"}})",
                             items);
    ASSERT_TRUE(page.ok()) << bad;
    ASSERT_EQ(items.size(), 3U) << bad;
    EXPECT_EQ(items[0].type, EventType::kAdded);
    EXPECT_EQ(items[1].type, EventType::kInvalid);
    EXPECT_EQ(items[2].type, EventType::kAdded);
    EXPECT_EQ(items[2].name, "c");
  }
}

TEST(DecodePageTest, FailsForWhatIsNoList) {
  EventDecoder decoder;
  const std::string item = ItemText("a");
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("[]"), std::string("{}"), item,
        std::string(R"({"items":[]})"),
        std::string(R"({"items":{},"metadata":{"resourceVersion":"1"}})"),
        std::string(R"({"metadata":{"resourceVersion":"1"}})"),
        std::string(R"({"items":[],"metadata":{"resourceVersion":1}})"),
        std::string(R"({"items":[],"metadata":{"resourceVersion":""}})"),
        std::string(R"({"items":[],"metadata":{"resourceVersion":"1","continue":1}})"),
        R"({"items":[)" + item + R"(,],"metadata":{"resourceVersion":"1"}})",
        R"({"items":[)" + item + " " + item + R"(],"metadata":{"resourceVersion":"1"}})",
        R"({"metadata":{"resourceVersion":"1"},"items":[)" + item,
        R"({"metadata":{"resourceVersion":"1"},"items":[)" + item + "}",
        R"({"metadata":{"resourceVersion":"1"},"items":[)" + item + "]} x"}) {
    std::vector<Item> items;
    const auto page = Decode(decoder, text, items);
    ASSERT_FALSE(page.ok()) << text;
    EXPECT_EQ(page.error().code, Code::kTransient) << text;
  }
}

TEST(DecodePageTest, ReadsInPlaceWhereTheTextHasRoomBehindIt) {
  EventDecoder decoder;
  std::string body = ReadRecorded("page.json");
  body.reserve(body.size() + 64);
  int inside = 0;
  const auto page = decoder.DecodePage(
      body,
      [&](const Event& event) {
        const char* const name = event.run.name.data();
        inside += name >= body.data() && name < body.data() + body.size();
      },
      body.capacity());
  ASSERT_TRUE(page.ok());
  EXPECT_GT(inside, 0);
}

TEST(DecodePageTest, ASpecMayBeDecodedWhileThePageIsRead) {
  EventDecoder decoder;
  std::vector<std::string> names;
  const auto page = decoder.DecodePage(ReadRecorded("page.json"), [&](const Event& event) {
    EXPECT_TRUE(decoder.DecodeThresholds(event.run.spec_json).ok());
    names.emplace_back(event.run.name);
  });
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(names, (std::vector<std::string>{"extra-1", "extra-2"}));
}

TEST(DecodePageTest, ReadsRecordedPages) {
  EventDecoder decoder;
  for (const char* name : {"page.json", "page_pretty.json"}) {
    std::vector<Item> items;
    const auto page = Decode(decoder, ReadRecorded(name), items);
    ASSERT_TRUE(page.ok()) << name << page.error().ToString();
    EXPECT_FALSE(page->resource_version.empty());
    EXPECT_FALSE(page->continue_token.empty());
    EXPECT_EQ(items.size(), 2U);
    for (const Item& item : items) EXPECT_EQ(item.type, EventType::kAdded);
  }
}

TEST(DecodeObjectTest, ReadsTheAnswerOfAGetOrPatch) {
  EventDecoder decoder;
  const Event event = decoder.DecodeObject(ItemText("a\\u0062"));
  ASSERT_EQ(event.type, EventType::kModified) << event.message;
  EXPECT_EQ(event.run.name, "ab");
  EXPECT_EQ(event.run.spec_json, R"({"lane":"a"})");
}

TEST(DecodeObjectTest, SaysWhatIsWrong) {
  EventDecoder decoder;
  EXPECT_EQ(decoder.DecodeObject("").type, EventType::kInvalid);
  EXPECT_EQ(decoder.DecodeObject("{}").type, EventType::kInvalid);
  EXPECT_EQ(decoder.DecodeObject(ItemText("a") + "}").type, EventType::kInvalid);
  const Event event = decoder.DecodeObject(ItemText("a", "\"Asleep\""));
  EXPECT_EQ(event.type, EventType::kInvalid);
  EXPECT_EQ(event.run.name, "a");
  EXPECT_TRUE(event.message.starts_with("status.phase:")) << event.message;
}

TEST(DecodeObjectTest, DoesNotDisturbTheLinesOfABatch) {
  EventDecoder decoder;
  const PaddedText line(Replaced("nightly", "night\\u006cy"));
  const Event event = decoder.DecodeLine(line.View());
  EXPECT_EQ(decoder.DecodeObject(ItemText("\\u0061")).run.name, "a");
  EXPECT_EQ(event.run.name, "nightly");
}

TEST(DecodeStatusTest, ReadsARecordedStatus) {
  const ApiStatus status = DecodeStatus(ReadRecorded("status_not_found.json"));
  EXPECT_EQ(status.code, 404);
  EXPECT_EQ(status.reason, "NotFound");
  EXPECT_EQ(status.message, "jobruns.jobrun.dev \"none\" not found");
}

TEST(DecodeStatusTest, IsEmptyForAnythingElse) {
  for (const char* text : {"", "no JSON", "[]", "{}", R"({"kind":"JobRun","code":7,"reason":"x"})",
                           R"({"kind":"Status","code":404)", R"({"kind":"Status"} x)"}) {
    const ApiStatus status = DecodeStatus(text);
    EXPECT_EQ(status.code, 0) << text;
    EXPECT_EQ(status.reason, "") << text;
    EXPECT_EQ(status.message, "") << text;
  }
}

}  // namespace
}  // namespace jobrun
