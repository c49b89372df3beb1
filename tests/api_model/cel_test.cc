#include "tests/api_model/cel.h"

#include <gtest/gtest.h>

#include "tests/api_model/schema.h"

namespace jobrun::api_model {
namespace {

const Schema& TestSchema() {
  static const auto kSchema = CompileSchema(Json::parse(R"json({
    "type": "object",
    "properties": {
      "a": {"type": "integer"}, "b": {"type": "integer"}, "s": {"type": "string"},
      "yes": {"type": "boolean"}, "in": {"type": "string"},
      "at": {"type": "string", "format": "date-time"},
      "list": {"type": "array", "items": {"type": "integer"}},
      "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
      "inner": {"type": "object", "properties": {"x": {"type": "integer"}}},
      "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})json"));
  return **kSchema;
}

CelVerdict Judge(const std::string& rule, const Json& self, const Json* old = nullptr) {
  const auto compiled = CelRule::Compile(rule, TestSchema());
  EXPECT_TRUE(compiled.ok()) << (compiled.ok() ? "" : compiled.error().ToString());
  return compiled->Evaluate(self, old);
}

struct Case {
  const char* rule;
  const char* self;
  CelVerdict verdict;
};

TEST(CelTest, EvaluatesWhatTheCrdsRulesAreMadeOf) {
  constexpr CelVerdict kYes = CelVerdict::kHolds;
  constexpr CelVerdict kNo = CelVerdict::kFails;
  constexpr CelVerdict kError = CelVerdict::kError;
  const Case cases[] = {
      {"has(self.a)", R"({"a": 1})", kYes},
      {"has(self.a)", R"({})", kNo},
      {"has(self.inner.x)", R"({})", kError},
      {"!has(self.a) || self.a > 1", R"({})", kYes},
      {"!has(self.a) || self.a > 1", R"({"a": 1})", kNo},
      {"self.a >= 2 * self.b", R"({"a": 4, "b": 2})", kYes},
      {"self.a >= 2 * self.b", R"({"a": 3, "b": 2})", kNo},
      {"self.a > 1", R"({})", kError},
      {"self.a > 1 || true", R"({})", kYes},
      {"self.a > 1 && false", R"({})", kNo},
      {"self.s in ['x', \"y\"]", R"({"s": "y"})", kYes},
      {"self.s in ['x', 'y']", R"({"s": "z"})", kNo},
      {"self.?yes.orValue(false)", R"({})", kNo},
      {"!self.?yes.orValue(false)", R"({"yes": false})", kYes},
      {"self.?inner.x.orValue(7) == 7", R"({})", kYes},
      {"self.?a.hasValue()", R"({"a": 1})", kYes},
      {"self.__in__ == 'v'", R"({"in": "v"})", kYes},
      {"size(self.list) == 2 && self.list.size() < 3", R"({"list": [1, 2]})", kYes},
      {"self.list.all(i, i > 0)", R"({"list": [1, 0]})", kNo},
      {"self.list.exists(i, i > 1)", R"({"list": [1, 2]})", kYes},
      {"self.list[0] == 1", R"({"list": [1]})", kYes},
      {"self.list[1] == 1", R"({"list": [1]})", kError},
      {"self.s.startsWith('ab') && self.s.endsWith('bc') && self.s.contains('b')",
       R"({"s": "abc"})", kYes},
      {"self.a == 1 ? self.b == 1 : self.b == 2", R"({"a": 0, "b": 2})", kYes},
      {"-self.a == -1 && self.a - 1 == 0 && self.a % 2 == 1 && self.a / 1 == 1", R"({"a": 1})",
       kYes},
      {"self.a / self.b == 1", R"({"a": 1, "b": 0})", kError},
      {"(self.a == 1 || self.a == 2) && self.b == 3", R"({"a": 2, "b": 3})", kYes},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(Judge(each.rule, Json::parse(each.self)), each.verdict)
        << each.rule << " on " << each.self;
  }
}

TEST(CelTest, DateTimesAreComparedAsInstants) {
  const auto same = [](const char* a, const char* b) {
    const Json old = {{"at", a}};
    return Judge("self.at == oldSelf.at", {{"at", b}}, &old) == CelVerdict::kHolds;
  };
  EXPECT_TRUE(same("2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000+01:00"));
  EXPECT_FALSE(same("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z"));
  EXPECT_FALSE(same("2026-01-01T00:00:00.000000001Z", "2026-01-01T00:00:00.000000002Z"));
  EXPECT_TRUE(same("2026-01-01T00:00:00.0000000010Z", "2026-01-01T00:00:00.000000001Z"));
}

TEST(CelTest, SetsAreEqualInAnyOrderAndListsAreNot) {
  const Json old = {{"set", {"a", "b"}}, {"list", {1, 2}}};
  EXPECT_EQ(Judge("self.set == oldSelf.set", {{"set", {"b", "a"}}}, &old), CelVerdict::kHolds);
  EXPECT_EQ(Judge("self.list == oldSelf.list", {{"list", {2, 1}}}, &old), CelVerdict::kFails);
}

TEST(CelTest, RenamedKeyOfAFreeObjectGoesUnnoticed) {
  const Json old = {{"free", {{"a", 1}}}};
  const char* rule = "self.free == oldSelf.free";
  EXPECT_EQ(Judge(rule, {{"free", {{"b", 1}}}}, &old), CelVerdict::kHolds);
  EXPECT_EQ(Judge(rule, {{"free", {{"a", 2}}}}, &old), CelVerdict::kFails);
  EXPECT_EQ(Judge(rule, {{"free", {{"a", 1}, {"b", 1}}}}, &old), CelVerdict::kFails);
}

TEST(CelTest, TransitionRulesAreThoseThatMentionOldSelf) {
  EXPECT_TRUE(CelRule::Compile("self.a == oldSelf.a", TestSchema())->is_transition());
  EXPECT_FALSE(CelRule::Compile("self.a == 1", TestSchema())->is_transition());
}

TEST(CelTest, WhatItDoesNotKnowDoesNotCompile) {
  for (const char* rule :
       {"self.nosuchfield == 1", "nosuchname == 1", "self.a ==", "self.a == 1)",
        "matches(self.s, 'x')", "self.s.lowerAscii() == 'x'", "has(self)", "'unterminated",
        "self.a == 1.5", "[1, 2", "self.a ~ 1", "self.list.all(i)", "", "'a\\'b' == 'c'"}) {
    EXPECT_FALSE(CelRule::Compile(rule, TestSchema()).ok()) << rule;
  }
  std::string deep(5000, '(');
  EXPECT_FALSE(CelRule::Compile(deep + "true" + std::string(5000, ')'), TestSchema()).ok());
}

}  // namespace
}  // namespace jobrun::api_model
