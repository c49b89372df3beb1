#include "tests/api_model/field_set.h"

namespace jobrun::api_model {
namespace {

// The difference is computed by walking both values at once; null stands for absent.
class Differ {
 public:
  explicit Differ(FieldDiff& diff) : diff_(diff) {}

  void Walk(const Schema* schema, const Json* before, const Json* after) {
    const Json& shape = after != nullptr ? *after : *before;
    const bool same_shape =
        before == nullptr || after == nullptr || before->type() == after->type();
    if (same_shape && shape.is_object() && (schema == nullptr || !schema->atomic)) {
      Object(schema, before, after);
    } else if (same_shape && shape.is_array() && schema != nullptr &&
               (schema->list_type == "map" || schema->list_type == "set")) {
      List(*schema, before, after);
    } else {
      Mark(before, after, before != nullptr && after != nullptr && *before != *after);
      return;
    }
    Mark(before, after, false);
  }

  void Object(const Schema* schema, const Json* before, const Json* after) {
    for (const Json* side : {before, after}) {
      if (side == nullptr) continue;
      for (const auto& [key, value] : side->items()) {
        const Json* other = side == before ? (after == nullptr ? nullptr : Member(*after, key))
                                           : (before == nullptr ? nullptr : Member(*before, key));
        if (side == after && other != nullptr) continue;  // done from the other side
        if (other != nullptr && *other == value) continue;
        const Schema* child = schema == nullptr ? nullptr : schema->Child(key);
        Step("f:" + key, child, side == before ? &value : nullptr, side == before ? other : &value);
      }
    }
  }

  void Step(std::string element, const Schema* schema, const Json* before, const Json* after) {
    path_.push_back(std::move(element));
    Walk(schema, before, after);
    path_.pop_back();
  }

 private:
  void List(const Schema& schema, const Json* before, const Json* after) {
    std::map<std::string, std::pair<const Json*, const Json*>> items;
    for (const Json* side : {before, after}) {
      if (side == nullptr) continue;
      for (const Json& item : *side) {
        auto& pair = items[ItemElement(schema, item)];
        (side == before ? pair.first : pair.second) = &item;
      }
    }
    for (const auto& [element, pair] : items) {
      if (pair.first != nullptr && pair.second != nullptr && *pair.first == *pair.second) continue;
      Step(element, schema.items.get(), pair.first, pair.second);
    }
  }

  void Mark(const Json* before, const Json* after, bool modified) {
    if (path_.empty()) return;
    if (before == nullptr || modified) Insert(diff_.changed);
    if (after == nullptr) Insert(diff_.removed);
  }

  void Insert(FieldSet& set) {
    FieldSet* at = &set;
    for (const std::string& element : path_) at = &at->kids[element];
    at->here = true;
  }

  FieldDiff& diff_;
  std::vector<std::string> path_{};
};

// Of an applied value: objects and lists are there through what is in them; items of list-maps also
// by themselves.
FieldSet SetOf(const Schema* schema, const Json& value) {
  FieldSet set;
  if (value.is_object() && !value.empty() && (schema == nullptr || !schema->atomic)) {
    for (const auto& [key, member] : value.items()) {
      set.kids["f:" + key] = SetOf(schema == nullptr ? nullptr : schema->Child(key), member);
    }
    return set;
  }
  const bool keyed =
      schema != nullptr && (schema->list_type == "map" || schema->list_type == "set");
  if (value.is_array() && !value.empty() && keyed) {
    for (const Json& item : value) {
      FieldSet kid = schema->list_type == "map" ? SetOf(schema->items.get(), item) : FieldSet{};
      kid.here = true;
      set.kids[ItemElement(*schema, item)] = std::move(kid);
    }
    return set;
  }
  set.here = true;
  return set;
}

// What the server manages itself and therefore nobody owns.
bool ServerKept(const std::string& key) {
  return key == "name" || key == "namespace" || key == "creationTimestamp" || key == "selfLink" ||
         key == "uid" || key == "generation" || key == "managedFields" || key == "resourceVersion";
}

FieldSet MetadataOf(const Json& metadata) {
  Json kept = Json::object();
  for (const auto& [key, value] : metadata.items()) {
    if (!ServerKept(key)) kept[key] = value;
  }
  return kept.empty() ? FieldSet{} : SetOf(&MetadataFields(), kept);
}

void WalkMetadata(Differ& differ, const Json* before, const Json* after) {
  const auto strip = [](const Json* metadata) {
    Json kept = Json::object();
    if (metadata == nullptr || !metadata->is_object()) return kept;
    for (const auto& [key, value] : metadata->items()) {
      if (!ServerKept(key)) kept[key] = value;
    }
    return kept;
  };
  const Json old_kept = strip(before);
  const Json new_kept = strip(after);
  // "metadata" itself is never owned: compare as if both sides had it.
  if (old_kept != new_kept) differ.Step("f:metadata", &MetadataFields(), &old_kept, &new_kept);
}

}  // namespace

const Schema& MetadataFields() {
  static const std::unique_ptr<Schema> kSchema = [] {
    auto schema = std::make_unique<Schema>();
    auto& owners = schema->properties["ownerReferences"] = std::make_unique<Schema>();
    owners->list_type = "map";
    owners->list_keys = {"uid"};
    owners->items = std::make_unique<Schema>();
    owners->items->atomic = true;
    auto& finalizers = schema->properties["finalizers"] = std::make_unique<Schema>();
    finalizers->list_type = "set";
    return schema;
  }();
  return *kSchema;
}

std::string ItemElement(const Schema& list, const Json& item) {
  if (list.list_type == "set") return "v:" + Dump(item);
  Json keys = Json::object();
  for (const std::string& key : list.list_keys) {
    if (const Json* value = Member(item, key)) keys[key] = *value;
  }
  return "k:" + Dump(keys);
}

void FieldSet::Add(const FieldSet& other) {
  here = here || other.here;
  for (const auto& [element, kid] : other.kids) kids[element].Add(kid);
}

void FieldSet::Remove(const FieldSet& other) {
  if (other.here) here = false;
  for (const auto& [element, kid] : other.kids) {
    const auto mine = kids.find(element);
    if (mine == kids.end()) continue;
    mine->second.Remove(kid);
    if (mine->second.empty()) kids.erase(mine);
  }
}

FieldSet FieldSet::Intersection(const FieldSet& other) const {
  FieldSet both;
  both.here = here && other.here;
  for (const auto& [element, kid] : kids) {
    const auto theirs = other.kids.find(element);
    if (theirs == other.kids.end()) continue;
    FieldSet common = kid.Intersection(theirs->second);
    if (!common.empty()) both.kids[element] = std::move(common);
  }
  return both;
}

FieldSet FieldSet::FromJson(const Json& fields_v1) {
  FieldSet set;
  if (!fields_v1.is_object()) return set;
  for (const auto& [element, value] : fields_v1.items()) {
    if (element == ".") {
      set.here = true;
      continue;
    }
    FieldSet kid = FromJson(value);
    if (kid.empty()) kid.here = true;
    set.kids[element] = std::move(kid);
  }
  return set;
}

Json FieldSet::ToJson() const {
  Json fields = Json::object();
  if (here && !kids.empty()) fields["."] = Json::object();
  for (const auto& [element, kid] : kids) fields[element] = kid.ToJson();
  return fields;
}

FieldDiff DiffFields(const Schema& schema, const Json& before, const Json& after) {
  FieldDiff diff;
  Differ differ(diff);
  const auto without = [](const Json& object, const char* key) {
    return std::string_view(key) == "metadata" || std::string_view(key) == "apiVersion" ||
           std::string_view(key) == "kind" || object.is_null();
  };
  for (const Json* side : {&before, &after}) {
    if (!side->is_object()) continue;
    for (const auto& [key, value] : side->items()) {
      if (without(*side, key.c_str())) continue;
      const Json* old_value = Member(before, key);
      const Json* new_value = Member(after, key);
      if (side == &after && old_value != nullptr) continue;
      if (old_value != nullptr && new_value != nullptr && *old_value == *new_value) continue;
      differ.Step("f:" + key, schema.Child(key), old_value, new_value);
    }
  }
  WalkMetadata(differ, Member(before, "metadata"), Member(after, "metadata"));
  return diff;
}

FieldSet FieldsOf(const Schema& schema, const Json& object) {
  FieldSet set;
  for (const auto& [key, value] : object.items()) {
    if (key == "apiVersion" || key == "kind") continue;
    FieldSet kid = key == "metadata" ? MetadataOf(value) : SetOf(schema.Child(key), value);
    if (!kid.empty()) set.kids["f:" + key] = std::move(kid);
  }
  return set;
}

}  // namespace jobrun::api_model
