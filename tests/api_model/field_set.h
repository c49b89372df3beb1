// Sets of fields, as metadata.managedFields records them (fieldsV1), and the difference of two
// objects in such sets, as structured-merge-diff computes it.
#pragma once

#include <map>
#include <string>

#include "tests/api_model/json.h"
#include "tests/api_model/schema.h"

namespace jobrun::api_model {

// A tree over path elements ("f:spec", "k:{\"type\":\"Stuck\"}", "v:3"); `here` tells that the path
// itself is in the set.
struct FieldSet {
  bool here = false;
  std::map<std::string, FieldSet> kids{};

  [[nodiscard]] bool empty() const { return !here && kids.empty(); }
  void Add(const FieldSet& other);
  void Remove(const FieldSet& other);
  [[nodiscard]] FieldSet Intersection(const FieldSet& other) const;

  static FieldSet FromJson(const Json& fields_v1);
  [[nodiscard]] Json ToJson() const;
};

struct FieldDiff {
  FieldSet changed{};  // added or modified
  FieldSet removed{};
};

// What differs between two objects, without what the server itself keeps in metadata.
[[nodiscard]] FieldDiff DiffFields(const Schema& schema, const Json& before, const Json& after);

// Every field that an applied configuration sets.
[[nodiscard]] FieldSet FieldsOf(const Schema& schema, const Json& object);

// The path element of an item in a list-map or set.
[[nodiscard]] std::string ItemElement(const Schema& list, const Json& item);

// The schema that ObjectMeta has for field ownership.
[[nodiscard]] const Schema& MetadataFields();

}  // namespace jobrun::api_model
