// The write half of the ApiServer.
#include <nlohmann/json.hpp>

#include "controller/base/rfc3339.h"
#include "tests/simulation/api_server.h"
#include "tests/simulation/run_rules.h"

namespace jobrun::simulation {
namespace {

using Json = nlohmann::json;

Reply Refuse(int code, std::string_view reason, std::string_view message) {
  return {code, StatusText(code, reason, message)};
}
Reply Modified() {
  return Refuse(409, "Conflict",
                "the object has been modified; please apply your changes to the "
                "latest version and try again");
}

std::string MakeUid(Random& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string uid = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
  std::uint64_t bits = 0;
  int left = 0;
  for (char& c : uid) {
    if (c != 'x') continue;
    if (left == 0) {
      bits = random.Next();
      left = 16;
    }
    c = kDigits[bits & 15U];
    bits >>= 4U;
    --left;
  }
  return uid;
}

const Json* At(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}
std::string TextAt(const Json& object, const char* name) {
  const Json* value = At(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

// RFC 7396, one level as text and what is below as JSON.
void Merge(Fields& fields, const Json& patch) {
  for (const auto& [name, value] : patch.items()) {
    if (value.is_null()) {
      fields.erase(name);
      continue;
    }
    const auto known = fields.find(name);
    if (!value.is_object() || known == fields.end() || known->second.front() != '{') {
      Json plain = value.is_object() ? Json::object() : value;
      if (value.is_object()) plain.merge_patch(value);
      fields[name] = plain.dump();
      continue;
    }
    Json merged = Json::parse(known->second);
    merged.merge_patch(value);
    known->second = merged.dump();
  }
}

// What a JSON patch of the status may hold here: tests, and additions to the status.
class JsonPatch {
 public:
  explicit JsonPatch(Object& object) : object_(object), whole_(Json::parse(object.text)) {}

  // False when a test fails.
  bool Apply(const Json& operations) {
    for (const Json& operation : operations) {
      const std::string path = operation.at("path");
      if (operation.at("op") == "test") {
        if (!Holds(path, operation.at("value"))) return false;
      } else if (!Add(path, operation.at("value"))) {
        return false;
      }
    }
    return true;
  }

 private:
  bool Holds(const std::string& path, const Json& value) const {
    const Json::json_pointer pointer(path);
    if (!whole_.contains(pointer)) return value.is_null();
    return whole_.at(pointer) == value;
  }
  bool Add(const std::string& path, const Json& value) {
    constexpr std::string_view kStatus = "/status/";
    if (!path.starts_with(kStatus)) return false;
    const std::string field = path.substr(kStatus.size());
    if (field != "conditions/-") {
      object_.status[field] = value.dump();
      return true;
    }
    const auto known = object_.status.find("conditions");
    if (known == object_.status.end()) return false;
    Json list = Json::parse(known->second);
    list.push_back(value);
    known->second = list.dump();
    return true;
  }

  Object& object_;
  Json whole_;
};

std::vector<std::string> Changed(const Fields& before, const Fields& after) {
  std::vector<std::string> changed;
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old == before.end() || old->second != value) changed.push_back(name);
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) changed.push_back(name);
  }
  return changed;
}

Fields FieldsOf(const Json* object) {
  Fields fields;
  if (object == nullptr) return fields;
  for (const auto& [name, value] : object->items()) fields[name] = value.dump();
  return fields;
}

void MergeMetadata(Object& object, const Json& metadata) {
  Json kept = Json::object();
  for (const char* name : {"labels", "annotations", "finalizers", "ownerReferences"}) {
    const auto found = metadata.find(name);
    if (found != metadata.end()) kept[name] = *found;
  }
  if (kept.empty()) return;
  Fields fields = *object.metadata;
  Merge(fields, kept);
  std::erase_if(fields, [](const auto& field) { return field.second == "[]"; });
  object.metadata = std::make_shared<Fields>(std::move(fields));
}

}  // namespace

Reply ApiServer::Put(ObjectPtr before, Object next, Nanos at) {
  next.version = ++version_;
  next.Render();
  auto stored = std::make_shared<const Object>(std::move(next));
  Objects(stored->kind)[stored->Key()] = stored;
  const ChangeType type = before == nullptr ? ChangeType::kAdded : ChangeType::kModified;
  Record({.version = version_, .type = type, .object = stored, .before = before, .at = at});
  return {before == nullptr ? 201 : 200, stored->text};
}

void ApiServer::Remove(const ObjectPtr& object, Nanos at) {
  Object last = *object;
  last.version = ++version_;
  last.Render();
  Objects(object->kind).erase(object->Key());
  Record({.version = version_,
          .type = ChangeType::kDeleted,
          .object = std::make_shared<const Object>(std::move(last)),
          .before = object,
          .at = at});
}

Reply ApiServer::Create(const Place& place, const Call& call, Nanos at) {
  const Json body = Json::parse(call.body, nullptr, false);
  if (!body.is_object() || At(body, "metadata") == nullptr) {
    return Refuse(400, "BadRequest", "unreadable");
  }
  Object object{.kind = place.kind, .name_space = std::string(place.name_space)};
  object.name = TextAt(body.at("metadata"), "name");
  if (Find(place.kind, object.Key()) != nullptr) {
    return Refuse(409, "AlreadyExists",
                  "jobruns.jobrun.dev \"" + object.name + "\" already exists");
  }
  if (quota_ && place.kind == Kind::kRun) {
    return Refuse(403, "Forbidden", "exceeded quota: runs, requested: 1, limited: 0");
  }
  object.metadata = std::make_shared<Fields>();
  MergeMetadata(object, body.at("metadata"));
  Fields spec = FieldsOf(At(body, "spec"));
  if (place.kind == Kind::kRun && !spec.contains("lane")) spec["lane"] = "\"default\"";
  object.spec = std::make_shared<Fields>(std::move(spec));
  if (place.kind != Kind::kRun) object.status = FieldsOf(At(body, "status"));
  object.uid = MakeUid(random_);
  object.created = std::chrono::floor<std::chrono::seconds>(TimeAt(at));
  return Put(nullptr, std::move(object), at);
}

Reply ApiServer::Patch(const Place& place, const Call& call, Nanos at) {
  const std::string key = std::string(place.name_space) + "/" + std::string(place.name);
  const ObjectPtr live = Find(place.kind, key);
  if (live == nullptr) return Refuse(404, "NotFound", key + " not found");
  const Json body = Json::parse(call.body, nullptr, false);
  Object next = *live;
  if (body.is_array()) {
    if (!JsonPatch(next).Apply(body)) return Refuse(422, "Invalid", "testing value failed");
  } else {
    if (!body.is_object()) return Refuse(400, "BadRequest", "unreadable");
    if (const Json* metadata = At(body, "metadata")) {
      const std::string version = TextAt(*metadata, "resourceVersion");
      if (!version.empty() && version != "0" && version != std::to_string(live->version)) {
        return Modified();
      }
      if (!place.status) MergeMetadata(next, *metadata);
    }
    const Json* spec = At(body, "spec");
    if (spec != nullptr && !place.status) {
      Fields merged = *next.spec;
      Merge(merged, *spec);
      if (merged != *next.spec) next.spec = std::make_shared<Fields>(std::move(merged));
    }
    const Json* status = At(body, "status");
    if (status != nullptr && (place.status || place.kind == Kind::kLease)) {
      Merge(next.status, *status);
    }
  }
  if (place.kind == Kind::kRun) {
    auto refused = RefusedStatus(live->status, next.status);
    if (!refused && next.spec != live->spec) refused = RefusedSpec(*live->spec, *next.spec);
    if (refused) return Refuse(422, "Invalid", *refused);
    if (next.spec != live->spec) ++next.generation;
    const std::vector<std::string> changed = Changed(live->status, next.status);
    if (!changed.empty()) next.Own(call.manager, FormatTime(TimeAt(at)), changed);
  }
  const bool same =
      next.status == live->status && *next.spec == *live->spec && *next.metadata == *live->metadata;
  if (same) return {200, live->text};
  if (next.deleted_at && !next.HasFinalizer()) {
    Remove(live, at);
    return {200, live->text};
  }
  return Put(live, std::move(next), at);
}

Reply ApiServer::Delete(const Place& place, const Call& call, Nanos at) {
  const std::string key = std::string(place.name_space) + "/" + std::string(place.name);
  const ObjectPtr live = Find(place.kind, key);
  if (live == nullptr) return Refuse(404, "NotFound", key + " not found");
  const Json body = Json::parse(call.body.empty() ? "{}" : call.body, nullptr, false);
  if (const Json* conditions = At(body, "preconditions")) {
    const std::string uid = TextAt(*conditions, "uid");
    const std::string version = TextAt(*conditions, "resourceVersion");
    if (!uid.empty() && uid != live->uid) return Modified();
    if (!version.empty() && version != std::to_string(live->version)) return Modified();
  }
  if (!live->HasFinalizer()) {
    Remove(live, at);
    return {200, R"({"kind":"Status","apiVersion":"v1","status":"Success"})"};
  }
  if (live->deleted_at) return {200, live->text};
  Object next = *live;
  next.deleted_at = std::chrono::floor<std::chrono::seconds>(TimeAt(at));
  ++next.generation;
  return Put(live, std::move(next), at);
}

}  // namespace jobrun::simulation
