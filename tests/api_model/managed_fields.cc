#include "tests/api_model/managed_fields.h"

#include <algorithm>

#include "controller/base/rfc3339.h"

namespace jobrun::api_model {
namespace {

constexpr const char* kAncient = "ancient-changes";

struct Entry {
  std::string manager{}, operation{}, api_version{}, subresource{}, time{};
  FieldSet fields{};

  bool IsSame(const Entry& other) const {
    return manager == other.manager && operation == other.operation &&
           subresource == other.subresource &&
           (operation == "Apply" || api_version == other.api_version);
  }
};

std::vector<Entry> ReadEntries(const Json& object) {
  std::vector<Entry> entries;
  const Json* list = MemberAt(object, {"metadata", "managedFields"});
  if (list == nullptr || !list->is_array()) return entries;
  for (const Json& each : *list) {
    Entry entry;
    entry.manager = StringMember(each, "manager");
    entry.operation = StringMember(each, "operation");
    entry.api_version = StringMember(each, "apiVersion");
    entry.subresource = StringMember(each, "subresource");
    entry.time = StringMember(each, "time");
    if (const Json* fields = Member(each, "fieldsV1")) entry.fields = FieldSet::FromJson(*fields);
    entries.push_back(std::move(entry));
  }
  return entries;
}

// Merges the oldest Update entries when there are too many.
void Cap(std::vector<Entry>& entries) {
  std::vector<Entry*> updates;
  for (Entry& entry : entries) {
    if (entry.operation == "Update") updates.push_back(&entry);
  }
  if (updates.size() <= kUpdateManagersMax) return;
  std::stable_sort(updates.begin(), updates.end(),
                   [](const Entry* a, const Entry* b) { return a->time < b->time; });
  Entry bucket = *updates[0];
  bucket.manager = kAncient;
  bucket.subresource.clear();
  for (std::size_t i = 0; i <= updates.size() - kUpdateManagersMax; ++i) {
    bucket.fields.Add(updates[i]->fields);
    bucket.time = updates[i]->time;
    updates[i]->fields = {};
  }
  entries.push_back(std::move(bucket));
  std::erase_if(entries, [](const Entry& entry) { return entry.fields.empty(); });
}

// Applied entries first, then by time and manager, as the real server sorts them.
void WriteEntries(std::vector<Entry> entries, Json& object) {
  Cap(entries);
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const auto key = [](const Entry& e) {
      return std::make_tuple(e.operation != "Apply", std::cref(e.time), std::cref(e.manager),
                             std::cref(e.api_version), std::cref(e.subresource));
    };
    return key(a) < key(b);
  });
  Json list = Json::array();
  for (const Entry& entry : entries) {
    if (entry.fields.empty()) continue;
    Json made = {{"manager", entry.manager},
                 {"operation", entry.operation},
                 {"apiVersion", entry.api_version},
                 {"fieldsType", "FieldsV1"},
                 {"fieldsV1", entry.fields.ToJson()}};
    if (!entry.time.empty()) made["time"] = entry.time;
    if (!entry.subresource.empty()) made["subresource"] = entry.subresource;
    list.push_back(std::move(made));
  }
  if (list.empty()) {
    object["metadata"].erase("managedFields");
  } else {
    object["metadata"]["managedFields"] = std::move(list);
  }
}

Entry& FindOrAdd(std::vector<Entry>& entries, Entry like) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.IsSame(like); });
  if (found != entries.end()) return *found;
  entries.push_back(std::move(like));
  return entries.back();
}

Entry EntryFor(const ResourceType& type, const Writer& writer, const char* operation) {
  Entry entry;
  entry.manager = writer.manager;
  entry.operation = operation;
  entry.api_version = type.ApiVersion();
  entry.subresource = writer.subresource;
  return entry;
}

// The same merge for objects, list-maps and sets; everything else is replaced.
void MergeApplied(const Schema* schema, Json& live, const Json& applied) {
  if (live.is_object() && applied.is_object() && (schema == nullptr || !schema->atomic)) {
    for (const auto& [key, value] : applied.items()) {
      Json* mine = Member(live, key);
      const Schema* child = schema == nullptr ? nullptr : schema->Child(key);
      if (mine == nullptr) {
        live[key] = value;
      } else {
        MergeApplied(child, *mine, value);
      }
    }
    return;
  }
  const bool keyed =
      schema != nullptr && (schema->list_type == "map" || schema->list_type == "set");
  if (!keyed || !live.is_array() || !applied.is_array()) {
    live = applied;
    return;
  }
  for (const Json& item : applied) {
    const std::string element = ItemElement(*schema, item);
    const auto mine = std::find_if(live.begin(), live.end(), [&](const Json& each) {
      return ItemElement(*schema, each) == element;
    });
    if (mine == live.end()) {
      live.push_back(item);
    } else {
      MergeApplied(schema->items.get(), *mine, item);
    }
  }
}

// Deletes the fields of `set` from `value`.
void Drop(const Schema* schema, Json& value, const FieldSet& set) {
  if (value.is_object()) {
    for (const auto& [element, kid] : set.kids) {
      if (!element.starts_with("f:")) continue;
      const std::string key = element.substr(2);
      Json* member = Member(value, key);
      if (member == nullptr) continue;
      Drop(schema == nullptr ? nullptr : schema->Child(key), *member, kid);
      if (kid.here && (kid.kids.empty() || member->empty())) value.erase(key);
    }
  } else if (value.is_array() && schema != nullptr) {
    for (const auto& [element, kid] : set.kids) {
      const auto at = std::find_if(value.begin(), value.end(), [&](const Json& item) {
        return ItemElement(*schema, item) == element;
      });
      if (at == value.end()) continue;
      if (kid.here) {
        value.erase(at);
      } else {
        Drop(schema->items.get(), *at, kid);
      }
    }
  }
}

void ListPaths(const FieldSet& set, const std::string& path, std::vector<std::string>& paths) {
  if (set.here) paths.push_back(path);
  for (const auto& [element, kid] : set.kids) {
    const bool field = element.starts_with("f:");
    ListPaths(kid, path + (field ? "." + element.substr(2) : "[" + element.substr(2) + "]"), paths);
  }
}

Refusal ApplyConflict(const std::vector<std::pair<std::string, FieldSet>>& conflicts) {
  Json causes = Json::array();
  std::string text;
  for (const auto& [manager, set] : conflicts) {
    std::vector<std::string> paths;
    ListPaths(set, "", paths);
    for (const std::string& path : paths) {
      causes.push_back({{"reason", "FieldManagerConflict"},
                        {"message", "conflict with " + Quote(manager)},
                        {"field", path}});
      text +=
          (text.empty() ? "" : ", ") + std::string("conflict with ") + Quote(manager) + ": " + path;
    }
  }
  const std::string count = std::to_string(causes.size());
  Refusal refusal = Conflict({}, "");
  refusal.body["message"] =
      "Apply failed with " + count + (causes.size() == 1 ? " conflict: " : " conflicts: ") + text;
  refusal.body["details"] = {{"causes", std::move(causes)}};
  return refusal;
}

}  // namespace

void TrackUpdate(const ResourceType& type, const Writer& writer, const Json& before, Json& after,
                 ServerTime now) {
  const FieldDiff diff = DiffFields(*type.schema, before, after);
  std::vector<Entry> entries = ReadEntries(before);
  Entry self = EntryFor(type, writer, "Update");
  for (Entry& entry : entries) {
    entry.fields.Remove(diff.removed);
    if (!entry.IsSame(self)) entry.fields.Remove(diff.changed);
  }
  if (!diff.changed.empty()) {
    Entry& mine = FindOrAdd(entries, std::move(self));
    mine.fields.Add(diff.changed);
    mine.time = FormatTime(now);
  }
  WriteEntries(std::move(entries), after);
}

Or<Json> Apply(const ResourceType& type, const Writer& writer, const Json& live,
               const Json& applied, ServerTime now) {
  const Schema& schema = *type.schema;
  std::vector<Entry> entries = ReadEntries(live);
  Entry self = EntryFor(type, writer, "Apply");
  const FieldSet set = FieldsOf(schema, applied);
  Json merged = live;
  MergeApplied(&schema, merged, applied);

  Entry& mine = FindOrAdd(entries, self);
  FieldSet orphans = mine.fields;
  orphans.Remove(set);
  const FieldSet changed = DiffFields(schema, live, merged).changed;
  std::vector<std::pair<std::string, FieldSet>> conflicts;
  for (Entry& entry : entries) {
    if (&entry == &mine) continue;
    orphans.Remove(entry.fields);
    FieldSet conflict = entry.fields.Intersection(changed);
    if (conflict.empty()) continue;
    if (writer.force) entry.fields.Remove(conflict);
    conflicts.emplace_back(entry.manager, std::move(conflict));
  }
  if (!conflicts.empty() && !writer.force) return ApplyConflict(conflicts);
  Drop(&schema, merged, orphans);
  const bool same = mine.fields.ToJson() == set.ToJson() && changed.empty() && orphans.empty();
  mine.fields = set;
  mine.api_version = type.ApiVersion();
  if (!same || mine.time.empty()) mine.time = FormatTime(now);
  if (same) return live;
  WriteEntries(std::move(entries), merged);
  return merged;
}

}  // namespace jobrun::api_model
