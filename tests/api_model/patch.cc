#include "tests/api_model/patch.h"

#include <algorithm>

namespace jobrun::api_model {
namespace {

// A `test` for null passes when the path is absent but its parent is there (evanphx/json-patch);
// RFC 6902 would refuse it.
bool TestsAbsence(const Json& live, const Json& operation) {
  if (StringMember(operation, "op") != "test") return false;
  const Json* value = Member(operation, "value");
  if (value == nullptr || !value->is_null()) return false;
  const Json::json_pointer pointer{std::string(StringMember(operation, "path"))};
  return !live.contains(pointer) && live.contains(pointer.parent_pointer());
}

// A `replace` of an absent member adds it, which RFC 6902 would refuse too.
bool ReplacesNothing(const Json& live, const Json& operation) {
  if (StringMember(operation, "op") != "replace") return false;
  const Json::json_pointer pointer{std::string(StringMember(operation, "path"))};
  return !live.contains(pointer) && live.contains(pointer.parent_pointer()) &&
         live.at(pointer.parent_pointer()).is_object();
}

// The library asserts that there are no members of a scalar.
bool AddsToScalar(const Json& live, const Json& operation) {
  const std::string_view op = StringMember(operation, "op");
  if (op != "add" && op != "copy" && op != "move") return false;
  const Json::json_pointer pointer{std::string(StringMember(operation, "path"))};
  if (pointer.empty()) return false;
  const Json::json_pointer parent = pointer.parent_pointer();
  return live.contains(parent) && !live.at(parent).is_structured();
}

Or<Json> ApplyJsonPatch(const Json& live, const Json& patch) {
  if (!patch.is_array()) return BadRequest("error decoding patch: it must be a list of operations");
  if (patch.size() > kJsonPatchOperationsMax) {
    return EntityTooLarge("The allowed maximum operations in a JSON patch is " +
                          std::to_string(kJsonPatchOperationsMax) + ", got " +
                          std::to_string(patch.size()));
  }
  Json patched = live;
  for (Json operation : patch) {
    try {
      if (TestsAbsence(patched, operation)) continue;
      if (ReplacesNothing(patched, operation)) operation["op"] = "add";
      if (AddsToScalar(patched, operation)) return UnprocessablePatch();
      patched.patch_inplace(Json::array({operation}));
    } catch (const Json::exception&) {
      return UnprocessablePatch();
    }
  }
  return patched;
}

void Strategic(const Schema* schema, Json& live, const Json& patch);

// Items are matched by the list's keys; {"$patch": "delete"} removes one.
void StrategicList(const Schema& schema, Json& live, const Json& patch) {
  for (const Json& item : patch) {
    if (const Json* known = FindByListKeys(schema, live, item)) {
      const auto at = live.begin() + (known - &live[0]);
      if (StringMember(item, "$patch") == "delete") {
        live.erase(at);
      } else {
        Strategic(schema.items.get(), *at, item);
      }
    } else if (StringMember(item, "$patch") != "delete") {
      live.push_back(item);
    }
  }
}

void Strategic(const Schema* schema, Json& live, const Json& patch) {
  if (!patch.is_object()) {
    live = patch;
    return;
  }
  if (!live.is_object() || StringMember(patch, "$patch") == "replace") live = Json::object();
  for (const auto& [key, value] : patch.items()) {
    if (key.starts_with("$")) continue;  // directives: order and retained keys don't matter here
    if (value.is_null()) {
      live.erase(key);
      continue;
    }
    const Schema* child = schema == nullptr ? nullptr : schema->Child(key);
    Json& member = live[key];
    if (value.is_object()) {
      Strategic(child, member, value);
    } else if (value.is_array() && member.is_array() && child != nullptr &&
               child->list_type == "map") {
      StrategicList(*child, member, value);
    } else {
      member = value;
    }
  }
}

}  // namespace

Or<Json> ApplyPatch(const ResourceType& type, PatchKind kind, const Json& live, const Json& patch) {
  if (kind == PatchKind::kJson) return ApplyJsonPatch(live, patch);
  if (!patch.is_object()) return BadRequest("error decoding patch: it must be an object");
  Json patched = live;
  if (kind == PatchKind::kStrategic) {
    Strategic(type.schema.get(), patched, patch);
  } else {
    patched.merge_patch(patch);
  }
  return patched;
}

}  // namespace jobrun::api_model
