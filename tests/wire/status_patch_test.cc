#include "controller/wire/status_patch.h"

#include <gtest/gtest.h>

#include <string>

#include "controller/base/rfc3339.h"
#include "controller/wire/json_string.h"
#include "tests/wire/recorded.h"

namespace jobrun {
namespace {

VerdictPatch Verdict(Reason reason) {
  return {.resource_version = 18446744073709551615U,
          .generation = 3,
          .reason = reason,
          .message = "no heartbeat for \"1m30s\"",
          .verdict_id = "6d1f-1",
          .at = *ParseRfc3339("2026-11-22T01:02:03.000004Z")};
}

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(StatusPatchTest, AStuckVerdictSetsTheStuckCondition) {
  EXPECT_EQ(WriteVerdictPatch(Verdict(Reason::kHeartbeatTimeout)),
            R"({"metadata":{"resourceVersion":"18446744073709551615"},"status":{"phase":"Stuck",)"
            R"("reason":"HeartbeatTimeout","message":"no heartbeat for \"1m30s\"",)"
            R"("verdictID":"6d1f-1","completionTime":"2026-11-22T01:02:03.000004Z",)"
            R"("observedGeneration":3,"conditions":[{"type":"Stuck","status":"True",)"
            R"("reason":"HeartbeatTimeout","message":"no heartbeat for \"1m30s\"",)"
            R"("lastTransitionTime":"2026-11-22T01:02:03Z","observedGeneration":3}]}})");
}

TEST(StatusPatchTest, AFailedVerdictSetsSucceededFalse) {
  const std::string patch = WriteVerdictPatch(Verdict(Reason::kDeadlineExceeded));
  EXPECT_NE(patch.find(R"("phase":"Failed","reason":"DeadlineExceeded")"), std::string::npos);
  EXPECT_NE(patch.find(R"([{"type":"Succeeded","status":"False","reason":"DeadlineExceeded")"),
            std::string::npos);
}

TEST(StatusPatchTest, ForeignConditionsComeFirstAndWhole) {
  VerdictPatch verdict = Verdict(Reason::kClaimExpired);
  verdict.foreign_conditions = R"({"type":"A"},{"type":"B"})";
  EXPECT_NE(
      WriteVerdictPatch(verdict).find(R"("conditions":[{"type":"A"},{"type":"B"},{"type":"Stuck")"),
      std::string::npos);
}

TEST(StatusPatchTest, AVisitStampsTheStart) {
  EXPECT_EQ(
      WriteVisitPatch({.resource_version = 7, .start_time = *ParseRfc3339("2026-11-22T01:02:03Z")}),
      R"({"metadata":{"resourceVersion":"7"},)"
      R"("status":{"startTime":"2026-11-22T01:02:03.000000Z"}})");
}

TEST(JsonStringTest, EscapesWhatJsonDemands) {
  EXPECT_EQ(Quoted("a\"b\\c\n\t\x01"), R"("a\"b\\c\u000a\u0009\u0001")");
  EXPECT_EQ(Quoted(std::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(Quoted(""), R"("")");
  EXPECT_EQ(Quoted("ünï / 🚀"), "\"ünï / 🚀\"");
}

TEST(JsonStringTest, InvalidUtf8BecomesTheReplacementCharacter) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(Quoted("a\xff"
                   "b"),
            "\"a" + r + "b\"");
  EXPECT_EQ(Quoted("\xc3"), "\"" + r + "\"");                          // cut off
  EXPECT_EQ(Quoted("\xe2\x82"), "\"" + r + "\"");                      // cut off
  EXPECT_EQ(Quoted("\xe2\x82\""), "\"" + r + "\\\"\"");                // the quote is no part of it
  EXPECT_EQ(Quoted("\xc0\xaf"), "\"" + r + r + "\"");                  // overlong
  EXPECT_EQ(Quoted("\xed\xa0\x80"), "\"" + r + r + r + "\"");          // surrogate
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), "\"" + r + r + r + r + "\"");  // above U+10FFFF
}

TEST(JsonStringTest, TheEdgesOfUtf8ArePassedOn) {
  for (const char* text :
       {"\x7e", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Quoted(text), "\"" + std::string(text) + "\"");
  }
}

TEST(ForeignConditionsTest, LeavesOutTheControllersOwn) {
  const auto conditions = ForeignConditions(
      R"({"status":{"conditions":[{"type":"Succeeded"},{"type":"Mine","x":1},{"type":"Stuck"}]}})");
  ASSERT_TRUE(conditions.ok());
  EXPECT_EQ(*conditions, R"({"type":"Mine","x":1})");
}

TEST(ForeignConditionsTest, CopiesThemAsTheyStand) {
  const std::string one =
      R"({"status":"True","nested":{"list":[{"type":"Stuck"},[]],"n":-1.5e3},"type":"a/B"})";
  const std::string two = R"({"message":"\"}],\\ \u00e9 ✓","type":"C\u0041"})";
  const auto conditions =
      ForeignConditions(R"({"metadata":{"conditions":[{"type":"no"}]},)"
                        R"("status":{"phase":"Running","conditions":[ )" +
                        one + " , {\"type\":\"Stuck\"} ,\n " + two + " ],\"reason\":\"x\"}}");
  ASSERT_TRUE(conditions.ok());
  EXPECT_EQ(*conditions, one + "," + two);
}

TEST(ForeignConditionsTest, AnEscapedTypeIsStillOurs) {
  const auto conditions = ForeignConditions(R"({"status":{"conditions":[{"type":"Stu\u0063k"}]}})");
  ASSERT_TRUE(conditions.ok());
  EXPECT_EQ(*conditions, "");
}

TEST(ForeignConditionsTest, NoneWhereThereAreNone) {
  for (const char* text :
       {"{}", R"({"status":null})", R"({"status":{}})", R"({"status":{"conditions":null}})",
        R"({"status":{"conditions":[]}})", R"({"payload":{"status":{"conditions":[{}]}}})"}) {
    const auto conditions = ForeignConditions(text);
    ASSERT_TRUE(conditions.ok()) << text;
    EXPECT_EQ(*conditions, "") << text;
  }
}

TEST(ForeignConditionsTest, FailsForWhatIsNoObject) {
  for (const char* text :
       {"", "[]", "null", "\"x\"", "{", R"({"status":{"conditions":[{"type":"A"})",
        R"({"status":{"conditions":["x"]}})", R"({"status":{"conditions":[{"type":"A"]]}})",
        R"({"status":{}} x)"}) {
    EXPECT_FALSE(ForeignConditions(text).ok()) << text;
  }
}

TEST(ForeignConditionsTest, ReadsARecordedObject) {
  std::string joined;
  for (const std::string& line : RecordedLines("watch.jsonl")) {
    if (line.find("example.com/Checked") == std::string::npos) continue;
    const std::size_t start = line.find("\"object\":") + 9;
    const auto conditions = ForeignConditions(line.substr(start, line.size() - 1 - start));
    ASSERT_TRUE(conditions.ok());
    joined = *conditions;
    break;
  }
  EXPECT_EQ(joined,
            R"({"lastTransitionTime":"2026-11-22T01:02:03Z","message":"said \"ok\" \\o/ ✓",)"
            R"("reason":"AllGood","status":"True","type":"example.com/Checked"})");
}

TEST(TrueConditionsTest, AreThoseWhoseStatusSaysSo) {
  using Types = std::vector<std::string>;
  EXPECT_EQ(TrueConditions(""), Types{});
  EXPECT_EQ(TrueConditions("[]"), Types{});
  EXPECT_EQ(TrueConditions(R"([{"type":"a","status":"True"},{"type":"b","status":"False"},)"
                           R"({"status":"True","x":{"type":"y"},"type":"c\u0064"},{"type":"e"}])"),
            (Types{"a", "cd"}));
}

TEST(TrueConditionsTest, WhatCantBeReadIsNotTrue) {
  for (const char* text : {"{}", "7", "[", R"(["a"])", R"([{"type":7,"status":true}])"}) {
    for (const std::string& type : TrueConditions(text)) EXPECT_EQ(type, "") << text;
  }
}

TEST(StatusPatchTest, AFinalizedRunSucceeds) {
  const std::string patch = WriteVerdictPatch(Verdict(Reason::kFinalizedByController));
  EXPECT_NE(patch.find(R"("phase":"Succeeded","reason":"FinalizedByController")"),
            std::string::npos);
  EXPECT_NE(patch.find(R"([{"type":"Succeeded","status":"True","reason":"FinalizedByController")"),
            std::string::npos);
}

}  // namespace
}  // namespace jobrun
