// The model's etcd: objects by key with one revision counter over all of them, a bounded log of
// what happened, and reads at any revision that the log still reaches. It knows nothing of
// Kubernetes but where an object keeps its resourceVersion. Single-threaded; no clock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/api_model/json.h"

namespace jobrun::api_model {

using Revision = std::uint64_t;
using Collection = std::uint32_t;  // index of a kind of object

// One version of an object; immutable and shared by the store, its log and whoever reads it.
struct Version {
  std::string key{};  // "namespace/name", or "name" in collections without namespaces
  Revision revision = 0;
  Json value{};
  std::string text{};  // `value` serialized once
};
using VersionPtr = std::shared_ptr<const Version>;

enum class ChangeKind : std::uint8_t { kAdded, kModified, kDeleted };

// One entry of the log. For a deletion `object` is the last content with the deletion's revision.
struct Change {
  Revision revision = 0;
  Collection collection = 0;
  ChangeKind kind{ChangeKind::kAdded};
  VersionPtr object{};
  VersionPtr previous{};  // null when added
};

class RevisionStore {
 public:
  // The log keeps the newest `changes_max` (at least 1) changes; older revisions are compacted.
  // The first change gets the revision after `start`; all before it count as compacted.
  RevisionStore(std::size_t collections, std::size_t changes_max, Revision start = 1);

  // Of the newest change.
  [[nodiscard]] Revision revision() const { return revision_; }
  // Reads at or watches from a revision below this one are impossible.
  [[nodiscard]] Revision compacted() const { return compacted_; }
  // Forgets all changes up to and including `revision`.
  void Compact(Revision revision);

  // Null when there is no such object.
  [[nodiscard]] VersionPtr Get(Collection collection, std::string_view key) const;
  // Creates or replaces; sets metadata.resourceVersion in `value`.
  VersionPtr Put(Collection collection, const std::string& key, Json value);
  // The last content with the revision of the deletion; null when there was no such object.
  VersionPtr Delete(Collection collection, std::string_view key);

  // Calls `visit` for the objects that existed at `at` (compacted() <= at <= revision()), in the
  // order of their keys, from the first key not below `from`, among those that start with `prefix`;
  // stops when it returns false.
  void Visit(Collection collection, Revision at, std::string_view prefix, std::string_view from,
             const std::function<bool(const VersionPtr&)>& visit) const;

  // The first change after `revision` (not below compacted()); null when it is the newest.
  [[nodiscard]] const Change* ChangeAfter(Revision revision) const;
  // How many objects of the collection there are now.
  [[nodiscard]] std::size_t Count(Collection collection) const {
    return objects_[collection].size();
  }

 private:
  using Objects = std::map<std::string, VersionPtr, std::less<>>;
  // What has to be put back to see a collection as of `at`: null for keys that did not exist.
  Objects Undo(Collection collection, Revision at) const;
  void Log(Change change);
  static VersionPtr Seal(std::string key, Revision revision, Json value);

  std::vector<Objects> objects_;
  std::deque<Change> log_{};
  std::size_t changes_max_;
  Revision revision_;
  Revision compacted_;
};

}  // namespace jobrun::api_model
