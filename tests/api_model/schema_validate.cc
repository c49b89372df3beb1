// Validation against structural schemas. The texts are those of kube-openapi and of apiextensions.
#include <algorithm>
#include <set>

#include "controller/base/rfc3339.h"
#include "tests/api_model/schema.h"

namespace jobrun::api_model {
namespace {

// Patterns run on a backtracking engine that recurses: what is longer is refused unseen.
constexpr std::size_t kPatternTextMax = 4096;

std::string TypeName(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "boolean";
  if (value.is_string()) return "string";
  if (value.is_array()) return "array";
  if (value.is_object()) return "object";
  return value.is_number_float() ? "number" : "integer";
}

// Six digits of fraction, as Kubernetes' MicroTime wants them.
bool IsMicroTime(const std::string& text) {
  constexpr std::size_t kDot = 19;
  return ParseRfc3339(text) && text.size() > kDot + 7 && text[kDot] == '.' &&
         text.find_first_not_of("0123456789", kDot + 1) == kDot + 7;
}

std::string Named(const std::string& path) { return path.empty() ? "<nil>" : path; }

std::int64_t Characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

// Numbers that don't fit an int64 are kept as doubles or unsigned by the parser.
bool TypeMatches(const Schema& schema, const Json& value) {
  const std::string& type = schema.type;
  if (schema.int_or_string) return value.is_string() || value.is_number_integer();
  if (type.empty()) return true;
  if (value.is_null()) return schema.nullable;
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "number") return value.is_number();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    return number >= -9.2e18 && number <= 9.2e18 &&
           number == static_cast<double>(static_cast<std::int64_t>(number));
  }
  return value.is_number_integer();
}

Json KeysOf(const Schema& schema, const Json& item) {
  Json keys = Json::object();
  for (const std::string& key : schema.list_keys) {
    if (const Json* value = Member(item, key)) keys[key] = *value;
  }
  return keys;
}

// Types, bounds, formats and list keys of one value.
class StructureCheck {
 public:
  // On updates the real server names only the last part of a path in its sentences.
  StructureCheck(FieldErrors& errors, bool is_update) : errors_(errors), is_update_(is_update) {}

  void Check(const Schema& schema, const Json& value, const std::string& path);

 private:
  void CheckNumber(const Schema& schema, const Json& value, const std::string& path);
  void CheckString(const Schema& schema, const Json& value, const std::string& path);
  void CheckEnum(const Schema& schema, const Json& value, const std::string& path);
  void CheckObject(const Schema& schema, const Json& value, const std::string& path);
  void CheckArray(const Schema& schema, const Json& value, const std::string& path);
  [[nodiscard]] std::string LastName(const std::string& path) const {
    const auto dot = is_update_ ? path.rfind('.') : std::string::npos;
    return dot == std::string::npos ? path : path.substr(dot + 1);
  }
  [[nodiscard]] std::string InBody(const std::string& path) const {
    return LastName(path) + " in body";
  }

  FieldErrors& errors_;
  bool is_update_;
};

void StructureCheck::CheckNumber(const Schema& schema, const Json& value, const std::string& path) {
  const bool huge =
      value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX};
  const std::int64_t number = huge ? INT64_MAX : value.get<std::int64_t>();
  const bool overflow =
      huge || (schema.format == "int32" && (number > INT32_MAX || number < INT32_MIN));
  if (schema.type == "integer" && overflow) {
    const std::string format =
        schema.format.empty() ? " (default format) in " : " with format " + schema.format + " in ";
    const auto dot = is_update_ ? path.rfind('.') : std::string::npos;
    errors_.push_back(
        InvalidField(dot == std::string::npos ? "<nil>" : path.substr(0, dot), "",
                     "Checked value must be of type integer" + format + LastName(path)));
  }
  const std::string in_body = InBody(path) + " should be ";
  if (schema.minimum && number < *schema.minimum) {
    errors_.push_back(InvalidField(
        path, value, in_body + "greater than or equal to " + std::to_string(*schema.minimum)));
  }
  if (schema.maximum && number > *schema.maximum) {
    errors_.push_back(InvalidField(
        path, value, in_body + "less than or equal to " + std::to_string(*schema.maximum)));
  }
}

void StructureCheck::CheckString(const Schema& schema, const Json& value, const std::string& path) {
  const auto& text = value.get_ref<const std::string&>();
  const std::int64_t length = Characters(text);
  if (schema.max_length && length > *schema.max_length) {
    errors_.push_back(TooLongField(path, *schema.max_length));
  }
  if (schema.min_length && length < *schema.min_length) {
    errors_.push_back(InvalidField(path, value,
                                   InBody(path) + " should be at least " +
                                       std::to_string(*schema.min_length) + " chars long"));
  }
  if (schema.compiled_pattern &&
      (text.size() > kPatternTextMax || !std::regex_search(text, *schema.compiled_pattern))) {
    errors_.push_back(
        InvalidField(path, value, InBody(path) + " should match '" + schema.pattern + "'"));
  }
  if (schema.format == "micro-time" && !IsMicroTime(text)) {
    errors_.push_back(WrongTypeField(
        path, value,
        "parsing time " + Quote(text) + " as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse"));
  }
  if (schema.format == "date-time" && !ParseRfc3339(text)) {
    errors_.push_back(
        WrongTypeField(path, value, InBody(path) + " must be of type date-time: " + Quote(text)));
  }
}

void StructureCheck::CheckEnum(const Schema& schema, const Json& value, const std::string& path) {
  const auto& allowed = schema.enumeration;
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  std::vector<std::string> texts;
  for (const Json& each : allowed)
    texts.push_back(each.is_string() ? each.get<std::string>() : Dump(each));
  errors_.push_back(UnsupportedField(path, value, texts));
}

void StructureCheck::CheckObject(const Schema& schema, const Json& value, const std::string& path) {
  const auto child_path = [&](const std::string& name) {
    return path.empty() ? name : path + "." + name;
  };
  for (const std::string& name : schema.required) {
    if (!value.contains(name)) errors_.push_back(RequiredField(child_path(name)));
  }
  if (schema.max_properties && std::cmp_greater(value.size(), *schema.max_properties)) {
    errors_.push_back(TooManyField(Named(path), value.size(), *schema.max_properties));
  }
  for (const auto& [name, member] : value.items()) {
    const Schema* child = schema.Child(name);
    if (child != nullptr) Check(*child, member, child_path(name));
  }
}

void StructureCheck::CheckArray(const Schema& schema, const Json& value, const std::string& path) {
  if (schema.max_items && std::cmp_greater(value.size(), *schema.max_items)) {
    errors_.push_back(TooManyField(path, value.size(), *schema.max_items));
  }
  if (schema.min_items && std::cmp_less(value.size(), *schema.min_items)) {
    errors_.push_back(InvalidField(
        path, value.size(),
        InBody(path) + " should have at least " + std::to_string(*schema.min_items) + " items"));
  }
  std::set<Json> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string item_path = path + "[" + std::to_string(i) + "]";
    if (schema.items != nullptr) Check(*schema.items, value[i], item_path);
    if (schema.list_type != "map" && schema.list_type != "set") continue;
    const Json identity = schema.list_type == "map" ? KeysOf(schema, value[i]) : value[i];
    if (!seen.insert(identity).second) errors_.push_back(DuplicateField(item_path, identity));
  }
}

void StructureCheck::Check(const Schema& schema, const Json& value, const std::string& path) {
  if (!TypeMatches(schema, value)) {
    const std::string wanted = schema.int_or_string ? "int-or-string" : schema.type;
    errors_.push_back(WrongTypeField(
        Named(path), TypeName(value),
        InBody(path) + " must be of type " + wanted + ": " + Quote(TypeName(value))));
    if (is_update_) CheckEnum(schema, value, path);
    return;
  }
  CheckEnum(schema, value, path);
  if (value.is_number()) CheckNumber(schema, value, path);
  if (value.is_string()) CheckString(schema, value, path);
  if (value.is_object()) CheckObject(schema, value, path);
  if (value.is_array()) CheckArray(schema, value, path);
}

bool Blocks(const FieldError& error) {
  return error.type == "FieldValueNotSupported" || error.type == "FieldValueRequired" ||
         error.type == "FieldValueTooLong" || error.type == "FieldValueTooMany" ||
         error.type == "FieldValueTypeInvalid";
}

void RunRules(const Schema& schema, const Json& value, const Json* old, const std::string& path,
              FieldErrors& errors) {
  for (const SchemaRule& rule : schema.rules) {
    if (rule.rule.is_transition() && old == nullptr) continue;
    const CelVerdict verdict = rule.rule.Evaluate(value, old);
    if (verdict == CelVerdict::kHolds) continue;
    const std::string detail =
        verdict == CelVerdict::kFails ? rule.message : "evaluation error in rule: " + rule.text;
    const std::string at = Named(path) + rule.field_path;
    FieldError error =
        value.is_structured() ? InvalidFieldNoValue(at, detail) : InvalidField(at, value, detail);
    error.type = rule.reason;
    if (rule.reason == "FieldValueForbidden") error = ForbiddenField(at, detail);
    errors.push_back(std::move(error));
  }
}

// Rules of a node run before those of its children; items are matched with their old selves by list
// keys.
void ValidateRules(const Schema& schema, const Json& value, const Json* old,
                   const std::string& path, FieldErrors& errors) {
  RunRules(schema, value, old, path, errors);
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      const Schema* child = schema.Child(name);
      if (child == nullptr || member.is_null()) continue;
      const Json* old_member = old == nullptr ? nullptr : Member(*old, name);
      ValidateRules(*child, member, old_member, path.empty() ? name : path + "." + name, errors);
    }
  } else if (value.is_array() && schema.items != nullptr) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Json* old_item = old == nullptr ? nullptr : FindByListKeys(schema, *old, value[i]);
      ValidateRules(*schema.items, value[i], old_item, path + "[" + std::to_string(i) + "]",
                    errors);
    }
  }
}

bool HasRules(const Schema& schema) {
  const auto below = [](const auto& child) { return child != nullptr && HasRules(*child); };
  return !schema.rules.empty() || below(schema.items) || below(schema.additional) ||
         std::ranges::any_of(schema.properties,
                             [&](const auto& property) { return below(property.second); });
}

}  // namespace

void ValidateStructure(const Schema& schema, const Json& value, const std::string& path,
                       FieldErrors& errors) {
  StructureCheck(errors, false).Check(schema, value, path);
}

FieldErrors Validate(const Schema& schema, const Json& value, const Json* old, FieldErrors errors) {
  StructureCheck(errors, old != nullptr).Check(schema, value, "");
  if (!HasRules(schema)) return errors;
  if (std::any_of(errors.begin(), errors.end(), Blocks)) {
    errors.push_back(
        InvalidField("<nil>", nullptr,
                     "some validation rules were not checked because the object was invalid; "
                     "correct the existing errors to complete validation"));
    return errors;
  }
  ValidateRules(schema, value, old, "", errors);
  return errors;
}

}  // namespace jobrun::api_model
