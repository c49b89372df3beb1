// Structural schemas, as CustomResourceDefinitions write them: pruning, defaults and validation
// with the real server's messages. The built-in types are described in the same form
// (builtin.yaml).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "tests/api_model/cel.h"
#include "tests/api_model/json.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

// One x-kubernetes-validations entry.
struct SchemaRule {
  CelRule rule{};
  std::string text{};
  std::string message{};
  std::string reason{};      // "FieldValueInvalid" unless the rule names another
  std::string field_path{};  // ".x", appended to the path of the value; may be empty
};

// One node. Immutable once compiled; its rules point into it, so it is neither copied nor moved.
struct Schema {
  Schema() = default;
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  std::string type{};
  std::string format{};
  bool preserve_unknown = false;
  bool nullable = false;
  bool int_or_string = false;
  bool atomic = false;   // x-kubernetes-map-type: atomic
  Json default_value{};  // null: none
  std::vector<Json> enumeration{};
  std::optional<std::int64_t> minimum{}, maximum{};
  std::optional<std::int64_t> min_length{}, max_length{};
  std::optional<std::int64_t> min_items{}, max_items{};
  std::optional<std::int64_t> min_properties{}, max_properties{};
  std::string pattern{};
  std::optional<std::regex> compiled_pattern{};
  std::vector<std::string> required{};
  std::map<std::string, std::unique_ptr<Schema>, std::less<>> properties{};
  std::unique_ptr<Schema> items{};
  std::unique_ptr<Schema> additional{};
  std::string list_type{};  // atomic (also when empty), set or map
  std::vector<std::string> list_keys{};
  std::vector<SchemaRule> rules{};

  [[nodiscard]] const Schema* Property(std::string_view name) const;
  // The schema of member `name`: the property, or what additionalProperties says.
  [[nodiscard]] const Schema* Child(std::string_view name) const;
};

// Fails on any keyword, pattern or CEL rule that is not understood: a rule must never be skipped
// silently.
Result<std::unique_ptr<Schema>> CompileSchema(const Json& definition);

// Removes what the schema does not know; adds the paths of what went to `removed` ("spec.foo").
void Prune(const Schema& schema, Json& value, const std::string& path,
           std::vector<std::string>& removed);

// Adds defaults of absent members, and of null ones that are not nullable; other such nulls are
// removed.
void ApplyDefaults(const Schema& schema, Json& value);

// `errors` (what was found elsewhere) and every complaint about the whole object `value`. With
// `old`, also those of the transition rules. CEL rules are skipped, with a complaint, when
// something blocks them.
[[nodiscard]] FieldErrors Validate(const Schema& schema, const Json& value, const Json* old,
                                   FieldErrors errors = {});

// Only types, bounds, formats and list keys; no CEL rules.
void ValidateStructure(const Schema& schema, const Json& value, const std::string& path,
                       FieldErrors& errors);

// The item of a list-map whose keys equal those of `like`; nullptr when there is none.
[[nodiscard]] const Json* FindByListKeys(const Schema& list, const Json& items, const Json& like);

}  // namespace jobrun::api_model
