#include "tests/api_model/schema.h"

#include <algorithm>
#include <array>

namespace jobrun::api_model {
namespace {

constexpr std::array kKnownKeywords = {"type",
                                       "format",
                                       "description",
                                       "default",
                                       "enum",
                                       "minimum",
                                       "maximum",
                                       "minLength",
                                       "maxLength",
                                       "minItems",
                                       "maxItems",
                                       "minProperties",
                                       "maxProperties",
                                       "pattern",
                                       "required",
                                       "properties",
                                       "items",
                                       "additionalProperties",
                                       "nullable",
                                       "title",
                                       "example",
                                       "x-kubernetes-preserve-unknown-fields",
                                       "x-kubernetes-int-or-string",
                                       "x-kubernetes-list-type",
                                       "x-kubernetes-list-map-keys",
                                       "x-kubernetes-map-type",
                                       "x-kubernetes-validations"};

Error Problem(const std::string& path, const std::string& what) {
  return {Code::kInvalid, "compile the schema of " + (path.empty() ? "the object" : path), what};
}

std::optional<std::int64_t> IntegerMember(const Json& value, const char* key) {
  const Json* member = Member(value, key);
  if (member == nullptr || !member->is_number_integer()) return std::nullopt;
  return member->get<std::int64_t>();
}

std::vector<std::string> StringsMember(const Json& value, const char* key) {
  std::vector<std::string> strings;
  if (const Json* list = Member(value, key); list != nullptr && list->is_array()) {
    for (const Json& each : *list)
      strings.push_back(each.is_string() ? each.get<std::string>() : "");
  }
  return strings;
}

bool BoolMember(const Json& value, const char* key) {
  const Json* member = Member(value, key);
  return member != nullptr && member->is_boolean() && member->get<bool>();
}

void ReadScalars(const Json& definition, Schema& schema) {
  schema.type = StringMember(definition, "type");
  schema.format = StringMember(definition, "format");
  schema.pattern = StringMember(definition, "pattern");
  schema.nullable = BoolMember(definition, "nullable");
  schema.int_or_string = BoolMember(definition, "x-kubernetes-int-or-string");
  schema.preserve_unknown = BoolMember(definition, "x-kubernetes-preserve-unknown-fields");
  schema.atomic = StringMember(definition, "x-kubernetes-map-type") == "atomic";
  schema.list_type = StringMember(definition, "x-kubernetes-list-type");
  schema.list_keys = StringsMember(definition, "x-kubernetes-list-map-keys");
  schema.required = StringsMember(definition, "required");
  schema.minimum = IntegerMember(definition, "minimum");
  schema.maximum = IntegerMember(definition, "maximum");
  schema.min_length = IntegerMember(definition, "minLength");
  schema.max_length = IntegerMember(definition, "maxLength");
  schema.min_items = IntegerMember(definition, "minItems");
  schema.max_items = IntegerMember(definition, "maxItems");
  schema.min_properties = IntegerMember(definition, "minProperties");
  schema.max_properties = IntegerMember(definition, "maxProperties");
  if (const Json* value = Member(definition, "default")) schema.default_value = *value;
  if (const Json* list = Member(definition, "enum")) {
    schema.enumeration.assign(list->begin(), list->end());
  }
}

Outcome CheckKeywords(const Json& definition, const std::string& path) {
  for (const auto& [keyword, value] : definition.items()) {
    if (std::find(kKnownKeywords.begin(), kKnownKeywords.end(), keyword) == kKnownKeywords.end()) {
      return Problem(path, "keyword " + keyword + " is not supported");
    }
    if ((keyword.starts_with("min") || keyword.starts_with("max")) && !value.is_number_integer()) {
      return Problem(path, keyword + " must be an integer");
    }
  }
  return Ok();
}

Outcome Fill(const Json& definition, const std::string& path, Schema& schema);

Outcome FillChild(const Json& definition, const std::string& path, std::unique_ptr<Schema>& child) {
  child = std::make_unique<Schema>();
  return Fill(definition, path, *child);
}

Outcome FillChildren(const Json& definition, const std::string& path, Schema& schema) {
  if (const Json* properties = Member(definition, "properties")) {
    for (const auto& [name, property] : properties->items()) {
      if (auto done = FillChild(property, path + "." + name, schema.properties[name]); !done)
        return done;
    }
  }
  if (const Json* items = Member(definition, "items")) {
    if (auto done = FillChild(*items, path + "[]", schema.items); !done) return done;
  }
  const Json* additional = Member(definition, "additionalProperties");
  if (additional != nullptr && additional->is_object()) {
    if (auto done = FillChild(*additional, path + "{}", schema.additional); !done) return done;
  }
  return Ok();
}

Outcome FillRules(const Json& definition, const std::string& path, Schema& schema) {
  const Json* rules = Member(definition, "x-kubernetes-validations");
  if (rules == nullptr) return Ok();
  for (const Json& rule : *rules) {
    for (const auto& [keyword, value] : rule.items()) {
      if (keyword != "rule" && keyword != "message" && keyword != "reason" &&
          keyword != "fieldPath") {
        return Problem(path, "a validation rule's " + keyword + " is not supported");
      }
    }
    SchemaRule made;
    made.text = StringMember(rule, "rule");
    made.message = StringMember(rule, "message");
    made.field_path = StringMember(rule, "fieldPath");
    const auto reason = StringMember(rule, "reason");
    made.reason = reason.empty() ? std::string_view("FieldValueInvalid") : reason;
    if (made.message.empty()) made.message = "failed rule: " + made.text;
    auto compiled = CelRule::Compile(made.text, schema);
    if (!compiled) return compiled.error();
    made.rule = *compiled;
    schema.rules.push_back(std::move(made));
  }
  return Ok();
}

Outcome Fill(const Json& definition, const std::string& path, Schema& schema) {
  if (!definition.is_object()) return Problem(path, "a schema must be an object");
  if (auto known = CheckKeywords(definition, path); !known) return known;
  ReadScalars(definition, schema);
  if (!schema.pattern.empty()) {
    try {
      schema.compiled_pattern.emplace(schema.pattern,
                                      std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error& error) {
      return Problem(path, "pattern " + schema.pattern + ": " + error.what());
    }
  }
  if (auto done = FillChildren(definition, path, schema); !done) return done;
  return FillRules(definition, path, schema);
}

std::string ChildPath(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

bool IsMetadata(const std::string& path, const std::string& name) {
  return path.empty() && (name == "metadata" || name == "apiVersion" || name == "kind");
}

}  // namespace

const Schema* Schema::Property(std::string_view name) const {
  const auto found = properties.find(name);
  return found == properties.end() ? nullptr : found->second.get();
}

const Schema* Schema::Child(std::string_view name) const {
  const Schema* property = Property(name);
  return property != nullptr ? property : additional.get();
}

Result<std::unique_ptr<Schema>> CompileSchema(const Json& definition) {
  auto schema = std::make_unique<Schema>();
  if (auto done = Fill(definition, "", *schema); !done) return done.error();
  return schema;
}

void Prune(const Schema& schema, Json& value, const std::string& path,
           std::vector<std::string>& removed) {
  if (value.is_array()) {
    if (schema.items == nullptr) return;
    for (std::size_t i = 0; i < value.size(); ++i) {
      Prune(*schema.items, value[i], path + "[" + std::to_string(i) + "]", removed);
    }
    return;
  }
  if (!value.is_object()) return;
  for (auto it = value.begin(); it != value.end();) {
    const Schema* child = schema.Child(it.key());
    if (child != nullptr) Prune(*child, it.value(), ChildPath(path, it.key()), removed);
    if (child != nullptr || schema.preserve_unknown || IsMetadata(path, it.key())) {
      ++it;
      continue;
    }
    removed.push_back(ChildPath(path, it.key()));
    it = value.erase(it);
  }
}

void ApplyDefaults(const Schema& schema, Json& value) {
  if (value.is_array() && schema.items != nullptr) {
    for (Json& item : value) ApplyDefaults(*schema.items, item);
  }
  if (!value.is_object()) return;
  for (const auto& [name, property] : schema.properties) {
    Json* member = Member(value, name);
    const bool missing = member == nullptr || (member->is_null() && !property->nullable);
    if (missing && !property->default_value.is_null()) {
      value[name] = property->default_value;
      member = Member(value, name);
    }
    if (member == nullptr) continue;
    if (member->is_null() && !property->nullable) {
      value.erase(name);
    } else {
      ApplyDefaults(*property, *member);
    }
  }
}

const Json* FindByListKeys(const Schema& list, const Json& items, const Json& like) {
  if (!items.is_array() || list.list_keys.empty()) return nullptr;
  for (const Json& item : items) {
    const bool same =
        std::all_of(list.list_keys.begin(), list.list_keys.end(), [&](const auto& key) {
          const Json* a = Member(item, key);
          const Json* b = Member(like, key);
          return a != nullptr && b != nullptr ? *a == *b : a == b;
        });
    if (same) return &item;
  }
  return nullptr;
}

}  // namespace jobrun::api_model
