#include "tests/api_model/schema.h"

#include <gmock/gmock.h>

#include "tests/api_model/resource_type.h"

namespace jobrun::api_model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::unique_ptr<Schema> Compile(const char* text) {
  auto schema = CompileSchema(Json::parse(text));
  EXPECT_TRUE(schema.ok()) << (schema.ok() ? "" : schema.error().ToString());
  return std::move(schema).value();
}

// The complaints about {"v": value} when v has this schema, as "field: body".
std::vector<std::string> Complaints(const std::string& schema, const Json& value) {
  const auto compiled =
      Compile(("{\"type\": \"object\", \"properties\": {\"v\": " + schema + "}}").c_str());
  FieldErrors errors;
  ValidateStructure(*compiled, {{"v", value}}, "", errors);
  std::vector<std::string> texts;
  for (const FieldError& error : errors) texts.push_back(error.field + ": " + error.body);
  return texts;
}

struct Boundary {
  const char* schema;
  Json good;
  Json bad;
  const char* complaint;
};

TEST(SchemaTest, BothSidesOfEveryBoundary) {
  const Boundary cases[] = {
      {R"({"type": "integer", "minimum": 1})", 1, 0,
       "v: Invalid value: 0: v in body should be greater than or equal to 1"},
      {R"({"type": "integer", "maximum": 9})", 9, 10,
       "v: Invalid value: 10: v in body should be less than or equal to 9"},
      {R"({"type": "string", "format": "micro-time"})", "2026-01-01T00:00:00.000000Z",
       "2026-01-01T00:00:00Z",
       "v: Invalid value: \"2026-01-01T00:00:00Z\": parsing time \"2026-01-01T00:00:00Z\" as "
       "\"2006-01-02T15:04:05.000000Z07:00\": cannot parse"},
      {R"({"type": "integer", "format": "int32"})", 2147483647, 2147483648,
       "<nil>: Invalid value: \"\": Checked value must be of type integer with format int32 in v"},
      {R"({"type": "integer"})", 5, 5.5,
       "v: Invalid value: \"number\": v in body must be of type integer: \"number\""},
      {R"({"type": "string", "maxLength": 2})", "éé", "ééé",
       "v: Too long: may not be more than 2 bytes"},
      {R"({"type": "string", "minLength": 1})", "a", "",
       "v: Invalid value: \"\": v in body should be at least 1 chars long"},
      {R"({"type": "string", "pattern": "^[a-z]+$"})", "abc", "aBc",
       "v: Invalid value: \"aBc\": v in body should match '^[a-z]+$'"},
      {R"({"type": "string", "enum": ["A", "B"]})", "A", "C",
       "v: Unsupported value: \"C\": supported values: \"A\", \"B\""},
      {R"({"type": "array", "maxItems": 1, "items": {"type": "integer"}})",
       Json::array({1}),
       {1, 2},
       "v: Too many: 2: must have at most 1 item"},
      {R"({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}})",
       {1, 2},
       {1, 1},
       "v[1]: Duplicate value: 1"},
      {R"({"type": "object", "maxProperties": 1, "x-kubernetes-preserve-unknown-fields": true})",
       {{"a", 1}},
       {{"a", 1}, {"b", 1}},
       "v: Too many: 2: must have at most 1 item"},
      {R"({"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}})",
       {{"x", ""}},
       Json::object(),
       "v.x: Required value"},
      {R"({"type": "boolean"})", true, "true",
       "v: Invalid value: \"string\": v in body must be of type boolean: \"string\""},
      {R"({"type": "string", "nullable": true})", nullptr, 1,
       "v: Invalid value: \"integer\": v in body must be of type string: \"integer\""},
  };
  for (const Boundary& each : cases) {
    EXPECT_THAT(Complaints(each.schema, each.good), IsEmpty()) << each.schema;
    EXPECT_THAT(Complaints(each.schema, each.bad), ElementsAre(each.complaint)) << each.schema;
  }
}

TEST(SchemaTest, DateTimesAsTheRealServerTakesThem) {
  const std::string schema = R"({"type": "string", "format": "date-time"})";
  for (const char* good : {"2026-11-21t00:00:01.123456789123z", "9999-12-31T23:59:59+14:00",
                           "2026-11-21T00:00:59Z", "2024-02-29T00:00:00Z"}) {
    EXPECT_THAT(Complaints(schema, good), IsEmpty()) << good;
  }
  for (const char* bad : {"2026-11-21T00:00:60Z", "yesterday", "", "2026-02-29T00:00:00Z",
                          "2026-11-21 00:00:00Z", "2026-11-21T00:00:00"}) {
    EXPECT_EQ(Complaints(schema, bad).size(), 1U) << bad;
  }
}

TEST(SchemaTest, ListMapItemsAreUniqueByTheirKeys) {
  const std::string schema = R"({"type": "array", "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"], "items": {"type": "object", "properties": {
      "type": {"type": "string"}, "n": {"type": "integer"}}}})";
  EXPECT_THAT(Complaints(schema, {{{"type", "a"}}, {{"type", "b"}}}), IsEmpty());
  EXPECT_THAT(Complaints(schema, {{{"type", "a"}, {"n", 1}}, {{"type", "a"}, {"n", 2}}}),
              ElementsAre("v[1]: Duplicate value: {\"type\":\"a\"}"));
}

TEST(SchemaTest, PruneNamesWhatItRemovesAndKeepsFreeObjects) {
  const auto schema = Compile(R"({"type": "object", "properties": {
    "a": {"type": "object", "properties": {"x": {"type": "integer"}}},
    "l": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})");
  Json value = Json::parse(R"({"metadata": {"z": 1}, "a": {"x": 1, "y": 2}, "b": 3,
    "l": [{"x": 1, "q": 1}], "free": {"any": {"thing": 1}}})");
  std::vector<std::string> removed;
  Prune(*schema, value, "", removed);
  EXPECT_THAT(removed, ElementsAre("a.y", "b", "l[0].q"));
  EXPECT_EQ(value, Json::parse(R"({"metadata": {"z": 1}, "a": {"x": 1}, "l": [{"x": 1}],
    "free": {"any": {"thing": 1}}})"));
}

TEST(SchemaTest, DefaultsReplaceAbsenceAndNull) {
  const auto schema = Compile(R"({"type": "object", "properties": {
    "d": {"type": "string", "default": "x"}, "n": {"type": "string", "nullable": true},
    "o": {"type": "string"}}})");
  for (const char* text : {R"({"n": null})", R"({"d": null, "n": null, "o": null})"}) {
    Json value = Json::parse(text);
    ApplyDefaults(*schema, value);
    EXPECT_EQ(value, Json::parse(R"({"d": "x", "n": null})")) << text;
  }
}

TEST(SchemaTest, RulesAreSkippedWithAComplaintWhenTheStructureIsWrong) {
  const auto schema = Compile(R"({"type": "object", "properties": {"a": {"type": "integer",
    "x-kubernetes-validations": [{"rule": "self > 1", "message": "too small"}]}}})");
  const auto fields = [&](const Json& value) {
    std::vector<std::string> texts;
    for (const auto& error : Validate(*schema, value, nullptr))
      texts.push_back(error.field + ": " + error.body);
    return texts;
  };
  EXPECT_THAT(fields({{"a", 2}}), IsEmpty());
  EXPECT_THAT(fields({{"a", 1}}), ElementsAre("a: Invalid value: 1: too small"));
  EXPECT_EQ(fields({{"a", "x"}}).size(), 2U);
}

TEST(SchemaTest, WhatItCannotEnforceDoesNotCompile) {
  for (const char* text :
       {R"({"type": "object", "oneOf": []})", R"({"type": "number", "minimum": 1.5})",
        R"({"type": "string", "pattern": "["})", R"([])",
        R"({"type": "object", "x-kubernetes-validations": [{"rule": "self.x == 1"}]})",
        R"({"type": "object", "x-kubernetes-validations": [
                               {"rule": "true", "messageExpression": "'x'"}]})"}) {
    EXPECT_FALSE(CompileSchema(Json::parse(text)).ok()) << text;
  }
}

TEST(CrdTest, EveryRuleOfTheResourceIsEnforced) {
  const auto types = TypeRegistry::Load(EmbeddedCrd());
  ASSERT_TRUE(types.ok()) << types.error().ToString();
  const ResourceType* runs = types->Find("jobrun.dev", "v1", "jobruns");
  ASSERT_NE(runs, nullptr);
  EXPECT_TRUE(runs->status_subresource);
  const std::string definition = runs->definition.dump();
  std::size_t written = 0;
  for (auto at = definition.find("\"rule\":"); at != std::string::npos;
       at = definition.find("\"rule\":", at + 1)) {
    ++written;
  }
  std::size_t compiled = 0;
  const std::function<void(const Schema&)> count = [&](const Schema& schema) {
    compiled += schema.rules.size();
    for (const auto& [name, child] : schema.properties) count(*child);
    if (schema.items != nullptr) count(*schema.items);
  };
  count(*runs->schema);
  EXPECT_EQ(compiled, written);
  EXPECT_GT(compiled, 20U);
}

TEST(CrdTest, RuleThatIsNotUnderstoodStopsTheProgram) {
  std::string crd = EmbeddedCrd();
  const std::string rule = "self.lane == oldSelf.lane";
  const auto at = crd.find(rule);
  ASSERT_NE(at, std::string::npos);
  crd.replace(at, rule.size(), "self.lane.reverse() == oldSelf.lane");
  const auto types = TypeRegistry::Load(crd);
  ASSERT_FALSE(types.ok());
  EXPECT_THAT(types.error().ToString(), testing::HasSubstr("reverse"));
}

}  // namespace
}  // namespace jobrun::api_model
