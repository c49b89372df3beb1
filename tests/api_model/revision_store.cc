#include "tests/api_model/revision_store.h"

#include <algorithm>
#include <cassert>

namespace jobrun::api_model {

RevisionStore::RevisionStore(std::size_t collections, std::size_t changes_max, Revision start)
    : objects_(collections),
      changes_max_(std::max<std::size_t>(changes_max, 1)),
      revision_(start),
      compacted_(start) {}

VersionPtr RevisionStore::Seal(std::string key, Revision revision, Json value) {
  auto version = std::make_shared<Version>();
  version->key = std::move(key);
  version->revision = revision;
  version->value = std::move(value);
  version->value["metadata"]["resourceVersion"] = std::to_string(revision);
  version->text = Dump(version->value);
  return version;
}

void RevisionStore::Log(Change change) {
  log_.push_back(std::move(change));
  if (log_.size() > changes_max_) {
    compacted_ = log_.front().revision;
    log_.pop_front();
  }
}

void RevisionStore::Compact(Revision revision) {
  while (!log_.empty() && log_.front().revision <= revision) {
    compacted_ = log_.front().revision;
    log_.pop_front();
  }
}

VersionPtr RevisionStore::Get(Collection collection, std::string_view key) const {
  const auto& objects = objects_.at(collection);
  const auto found = objects.find(key);
  return found == objects.end() ? nullptr : found->second;
}

VersionPtr RevisionStore::Put(Collection collection, const std::string& key, Json value) {
  VersionPtr version = Seal(key, ++revision_, std::move(value));
  VersionPtr& slot = objects_.at(collection)[key];
  const ChangeKind kind = slot == nullptr ? ChangeKind::kAdded : ChangeKind::kModified;
  Log({.revision = revision_,
       .collection = collection,
       .kind = kind,
       .object = version,
       .previous = slot});
  slot = version;
  return version;
}

VersionPtr RevisionStore::Delete(Collection collection, std::string_view key) {
  auto& objects = objects_.at(collection);
  const auto found = objects.find(key);
  if (found == objects.end()) return nullptr;
  const VersionPtr previous = found->second;
  VersionPtr last = Seal(previous->key, ++revision_, previous->value);
  objects.erase(found);
  Log({.revision = revision_,
       .collection = collection,
       .kind = ChangeKind::kDeleted,
       .object = last,
       .previous = previous});
  return last;
}

RevisionStore::Objects RevisionStore::Undo(Collection collection, Revision at) const {
  Objects undo;
  for (auto it = log_.rbegin(); it != log_.rend() && it->revision > at; ++it) {
    if (it->collection == collection) undo[it->object->key] = it->previous;
  }
  return undo;
}

void RevisionStore::Visit(Collection collection, Revision at, std::string_view prefix,
                          std::string_view from,
                          const std::function<bool(const VersionPtr&)>& visit) const {
  assert(at >= compacted_ && at <= revision_);
  const Objects& objects = objects_.at(collection);
  const Objects undo = Undo(collection, at);
  const std::string_view first = std::max(prefix, from);
  auto now = objects.lower_bound(first);
  auto then = undo.lower_bound(first);
  while (now != objects.end() || then != undo.end()) {
    const bool take_then =
        then != undo.end() && (now == objects.end() || then->first <= now->first);
    const std::string& key = take_then ? then->first : now->first;
    if (!std::string_view(key).starts_with(prefix)) return;
    const VersionPtr& version = take_then ? then->second : now->second;
    if (version != nullptr && !visit(version)) return;
    if (now != objects.end() && now->first == key) ++now;
    if (take_then) ++then;
  }
}

const Change* RevisionStore::ChangeAfter(Revision revision) const {
  assert(revision >= compacted_);
  if (revision >= revision_) return nullptr;
  return &log_[revision - compacted_];
}

}  // namespace jobrun::api_model
