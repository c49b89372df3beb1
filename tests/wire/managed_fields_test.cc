#include "controller/wire/managed_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "controller/base/random.h"
#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

constexpr std::string_view kBeat = R"("f:status":{"f:lastHeartbeatAt":{}})";

// One entry of the list, as the API server writes it.
struct Entry {
  std::string_view manager{"worker"};
  std::string_view time{"2026-11-22T01:00:00Z"};
  std::string_view fields{kBeat};
  std::string_view subresource{"status"};
};

std::string Text(const Entry& entry) {
  std::string text = R"({"apiVersion":"jobrun.dev/v1","fieldsType":"FieldsV1","fieldsV1":{)";
  text.append(entry.fields).append(R"(},"manager":")").append(entry.manager);
  text.append(R"(","operation":"Update")");
  if (!entry.subresource.empty()) {
    text.append(R"(,"subresource":")").append(entry.subresource).append("\"");
  }
  if (!entry.time.empty()) text.append(R"(,"time":")").append(entry.time).append("\"");
  return text.append("}");
}

std::string List(const std::vector<Entry>& entries) {
  std::string list = "[";
  for (const Entry& entry : entries) list.append(list.size() > 1 ? "," : "").append(Text(entry));
  return list.append("]");
}

// The list of one usual entry with one part changed.
std::string With(std::string_view part, std::string_view by) {
  std::string list = List({{}});
  const std::size_t at = list.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return list.replace(at, part.size(), by);
}

ServerTime At(std::string_view text) { return *ParseRfc3339(text); }

TEST(HeartbeatStampTest, IsTheTimeOfTheEntryThatOwnsTheHeartbeat) {
  EXPECT_EQ(HeartbeatStamp(List({{.manager = "kubectl",
                                  .time = "2026-11-22T03:00:00Z",
                                  .fields = R"("f:spec":{"f:lastHeartbeatAt":{}})",
                                  .subresource = ""},
                                 {.time = "2026-11-22T01:00:00Z"},
                                 {.manager = "gate",
                                  .time = "2026-11-22T02:00:00Z",
                                  .fields = R"("f:status":{"f:conditions":{}})"}})),
            At("2026-11-22T01:00:00Z"));
}

TEST(HeartbeatStampTest, OfSeveralOwnersTheLatestCounts) {
  const Entry early{.manager = "a", .time = "2026-11-22T01:00:00Z"};
  const Entry late{.manager = "b", .time = "2026-11-22T02:00:00Z"};
  EXPECT_EQ(HeartbeatStamp(List({early, late})), At("2026-11-22T02:00:00Z"));
  EXPECT_EQ(HeartbeatStamp(List({late, early})), At("2026-11-22T02:00:00Z"));
}

TEST(HeartbeatStampTest, AnEntryWithoutSubresourceCountsAlike) {
  EXPECT_EQ(HeartbeatStamp(List({{.subresource = ""}})), At("2026-11-22T01:00:00Z"));
}

TEST(HeartbeatStampTest, NothingWhereNobodyOwnsIt) {
  for (const char* fields :
       {"", R"("f:status":{})", R"("f:status":{".":{},"f:claimedAt":{}})",
        R"("f:spec":{"f:lastHeartbeatAt":{}})", R"("f:lastHeartbeatAt":{})",
        R"("f:status":{"lastHeartbeatAt":{}})", R"("status":{"f:lastHeartbeatAt":{}})",
        R"("f:status":{"f:x":{"f:lastHeartbeatAt":{}}})",
        R"("f:x":{"f:status":{"f:lastHeartbeatAt":{}}})"}) {
    EXPECT_EQ(HeartbeatStamp(List({{.fields = fields}})), std::nullopt) << fields;
  }
  EXPECT_EQ(HeartbeatStamp("[]"), std::nullopt);
  EXPECT_EQ(HeartbeatStamp(With(R"("fieldsV1":{"f:status":{"f:lastHeartbeatAt":{}}},)", "")),
            std::nullopt);
}

TEST(HeartbeatStampTest, MergedManagersAreNoOwner) {
  const Entry merged{
      .manager = "ancient-changes", .time = "2026-11-22T03:00:00Z", .subresource = ""};
  EXPECT_EQ(HeartbeatStamp(List({merged})), std::nullopt);
  EXPECT_EQ(HeartbeatStamp(List({merged, {}})), At("2026-11-22T01:00:00Z"));
  EXPECT_EQ(HeartbeatStamp(With(R"("worker")", R"("ancient\u002dchanges")")), std::nullopt);
}

// Whose time is not known may have beaten last.
TEST(HeartbeatStampTest, AnOwnerThatCannotBeReadSpoilsTheOthers) {
  for (const char* time : {"", "yesterday", "2026-11-22T01:00:60Z", "2026-11-22"}) {
    EXPECT_EQ(HeartbeatStamp(List({{}, {.manager = "b", .time = time}})), std::nullopt) << time;
    EXPECT_EQ(HeartbeatStamp(List({{.manager = "b", .time = time}, {}})), std::nullopt) << time;
  }
  EXPECT_EQ(HeartbeatStamp(List({{}, {.manager = "b", .subresource = "scale"}})), std::nullopt);
}

TEST(HeartbeatStampTest, WhatIsOddAboutOthersDoesNotMatter) {
  for (const char* time : {"", "yesterday"}) {
    const Entry other{.manager = "b", .time = time, .fields = "", .subresource = "scale"};
    EXPECT_EQ(HeartbeatStamp(List({other, {}})), At("2026-11-22T01:00:00Z")) << time;
  }
  EXPECT_EQ(HeartbeatStamp(R"([{"fieldsType":"FieldsV1","time":null},)" + Text({}) + "]"),
            At("2026-11-22T01:00:00Z"));
}

TEST(HeartbeatStampTest, AnEntryOfAnotherFormSpoilsAll) {
  constexpr std::string_view kType = R"("FieldsV1")";
  for (const char* type : {R"("FieldsV2")", R"("")", "null", "1", R"("fieldsv1")"}) {
    EXPECT_EQ(HeartbeatStamp(With(kType, type)), std::nullopt) << type;
  }
  EXPECT_EQ(HeartbeatStamp(With(R"("fieldsType":"FieldsV1",)", "")), std::nullopt);
  EXPECT_EQ(HeartbeatStamp(With(kType, R"("Fields\u0056\u0031")")), At("2026-11-22T01:00:00Z"));
  for (const char* entry : {"null", "7", "\"x\"", "[]", R"({"fieldsV1":{}})"}) {
    EXPECT_EQ(HeartbeatStamp("[" + Text({}) + "," + entry + "]"), std::nullopt) << entry;
    EXPECT_EQ(HeartbeatStamp("[" + std::string(entry) + "," + Text({}) + "]"), std::nullopt)
        << entry;
  }
}

TEST(HeartbeatStampTest, ValuesOfAnotherTypeSpoilAll) {
  constexpr std::string_view kFields = R"({"f:status":{"f:lastHeartbeatAt":{}}})";
  for (const char* value : {"7", "null", "[]", R"("f:status")", R"({"f:status":[]})",
                            R"({"f:status":null})", R"({"f:status":"f:lastHeartbeatAt"})"}) {
    EXPECT_EQ(HeartbeatStamp("[" + Text({}) + "," + With(kFields, value).substr(1)), std::nullopt)
        << value;
  }
  for (const char* value : {"7", "{}", "[]", "1795309200"}) {
    EXPECT_EQ(HeartbeatStamp(With(R"("2026-11-22T01:00:00Z")", value)), std::nullopt) << value;
    EXPECT_EQ(HeartbeatStamp(With(R"("worker")", value)), std::nullopt) << value;
  }
}

// They may be what we look for; the API server writes no known name that way.
TEST(HeartbeatStampTest, KeysWithEscapesSpoilAll) {
  const Entry escaped{.manager = "b",
                      .time = "2026-11-22T02:00:00Z",
                      .fields = R"("f:status":{"f:lastHeartbeat\u0041t":{}})"};
  EXPECT_EQ(HeartbeatStamp(List({{}, escaped})), std::nullopt);
  EXPECT_EQ(HeartbeatStamp(With(R"("f:status":)", R"("f:statu\u0073":)")), std::nullopt);
  EXPECT_EQ(HeartbeatStamp(With(R"("time":)", R"("tim\u0065":)")), std::nullopt);
  EXPECT_EQ(
      HeartbeatStamp(With(R"("f:lastHeartbeatAt":{})",
                          R"("f:conditions":{"k:{\"type\":\"A\"}":{}},"f:lastHeartbeatAt":{})")),
      At("2026-11-22T01:00:00Z"))
      << "those of list items are usual";
}

TEST(HeartbeatStampTest, OfDuplicateKeysTheLastCounts) {
  EXPECT_EQ(HeartbeatStamp(With(R"("time":)", R"("time":"2026-11-22T05:00:00Z","time":)")),
            At("2026-11-22T01:00:00Z"));
  EXPECT_EQ(HeartbeatStamp(With(R"("manager":)", R"("fieldsV1":{},"manager":)")),
            At("2026-11-22T01:00:00Z"))
      << "owned once is owned";
}

TEST(HeartbeatStampTest, NothingForWhatIsNoWholeList) {
  const std::string list = List({{}, {.manager = "b", .time = "2026-11-22T02:00:00Z"}});
  ASSERT_TRUE(HeartbeatStamp(list));
  for (std::size_t size = 0; size < list.size(); ++size) {
    EXPECT_EQ(HeartbeatStamp(std::string_view(list).substr(0, size)), std::nullopt) << size;
  }
  for (const std::string& text : {Text({}), "[" + list + "]", list + "x", list + list,
                                  std::string("null"), std::string("7"), std::string("[")}) {
    EXPECT_EQ(HeartbeatStamp(text), std::nullopt) << text;
  }
  EXPECT_EQ(HeartbeatStamp(" " + list + "\n"), At("2026-11-22T02:00:00Z"));
}

TEST(HeartbeatStampTest, DepthDoesNotMatter) {
  std::string deep = R"("f:spec":{"f:x":)";
  for (int i = 0; i < 5000; ++i) deep += "{\"f:y\":[";
  for (int i = 0; i < 5000; ++i) deep += "]}";
  deep.append("},").append(kBeat);
  EXPECT_EQ(HeartbeatStamp(List({{.fields = deep}})), At("2026-11-22T01:00:00Z"));
}

TEST(HeartbeatStampTest, ADamagedListDoesNoHarm) {
  constexpr std::string_view kStructure = "{}[]:,\"\\ 0f\x80";
  const std::string list = List({{}, {.manager = "b", .time = "2026-11-22T02:00:00Z"}});
  for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
    Random random(seed);
    std::string text = list;
    for (std::uint64_t i = 0, count = 1 + random.Below(3); i < count; ++i) {
      text[random.Below(text.size())] = kStructure[random.Below(kStructure.size())];
    }
    const auto stamp = HeartbeatStamp(text);
    ASSERT_TRUE(!stamp || text.find("f:lastHeartbeatAt") != std::string::npos) << text;
    (void)ClaimStamp(text);
  }
}

TEST(ClaimStampTest, IsTheLatestOfThoseThatOwnTheClaim) {
  const Entry claim{.time = "2026-11-22T01:00:00Z",
                    .fields = R"("f:status":{".":{},"f:claimedAt":{},"f:claimedBy":{}})"};
  const Entry beat{.manager = "b", .time = "2026-11-22T02:00:00Z"};
  EXPECT_EQ(ClaimStamp(List({claim, beat})), At("2026-11-22T01:00:00Z"));
  EXPECT_EQ(HeartbeatStamp(List({claim, beat})), At("2026-11-22T02:00:00Z"));
  const Entry again{.manager = "c",
                    .time = "2026-11-22T03:00:00Z",
                    .fields = R"("f:status":{"f:claimedAt":{}})",
                    .subresource = ""};
  EXPECT_EQ(ClaimStamp(List({again, claim, beat})), At("2026-11-22T03:00:00Z"));
  EXPECT_EQ(ClaimStamp(List({beat})), std::nullopt);
}

TEST(EndStampTest, IsThatOfWhoWroteThePhase) {
  const Entry end{.time = "2026-11-22T01:00:00Z", .fields = R"("f:status":{"f:phase":{}})"};
  const Entry late{.manager = "b",
                   .time = "2026-11-22T02:00:00Z",
                   .fields = R"("f:status":{"f:lateHeartbeatTime":{}})"};
  EXPECT_EQ(EndStamp(List({end, late})), At("2026-11-22T01:00:00Z"));
  EXPECT_EQ(LateBeatStamp(List({end, late})), At("2026-11-22T02:00:00Z"));
  EXPECT_EQ(EndStamp(List({late})), std::nullopt);
  EXPECT_EQ(LateBeatStamp(List({end})), std::nullopt);
}

}  // namespace
}  // namespace jobrun
