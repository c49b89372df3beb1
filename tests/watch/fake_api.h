// A very small API server for the reflector's soak: versions, compaction, lists that keep their
// snapshot, watches that start in the past. It answers in text; what goes wrong with the answers is
// the test's business.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/random.h"
#include "tests/watch/watch_text.h"

namespace jobrun {

class FakeApi {
 public:
  explicit FakeApi(Random& random) : random_(random) {
    for (const char* const name : kKept) Put(name);
  }

  // Always there, and at the beginning, the middle and the end of every list.
  static constexpr const char* kKept[] = {"a-kept", "run-5-kept", "z-kept"};

  [[nodiscard]] const std::map<std::string, std::uint64_t>& Objects() const { return objects_; }
  [[nodiscard]] std::uint64_t Version() const { return version_; }

  // Creates, changes or deletes an object.
  void Write() {
    const std::string name = "run-" + std::to_string(random_.Below(12));
    if (random_.Below(8) == 0) return Put(kKept[random_.Below(3)]);
    if (!objects_.contains(name) || random_.Below(3) > 0) return Put(name);
    objects_.erase(name);
    ++version_;
    history_.push_back({version_, Deleted({name, version_})});
  }

  // Forgets the past, all of it or up to some version of late.
  void Compact() {
    compacted_ = std::max(compacted_, version_ - random_.Below(6));
    std::erase_if(history_, [this](const auto& event) { return event.version <= compacted_; });
    std::erase_if(snapshots_,
                  [this](const auto& entry) { return entry.second.version < compacted_; });
  }

  // False: this version can't be watched from.
  [[nodiscard]] bool Remembers(std::uint64_t version) const { return version >= compacted_; }

  struct Change {
    std::uint64_t version;
    std::string line;
  };
  // At most `most` changes after `version`, the oldest first.
  [[nodiscard]] std::vector<Change> After(std::uint64_t version, std::size_t most) const {
    std::vector<Change> changes;
    for (const Change& change : history_) {
      if (change.version > version && changes.size() < most) changes.push_back(change);
    }
    return changes;
  }

  [[nodiscard]] std::vector<Item> Snapshot() const {
    std::vector<Item> items;
    for (const auto& [name, version] : objects_) items.push_back({name, version});
    return items;
  }

  // A page of at most three objects; empty when its token has expired.
  [[nodiscard]] std::string Page(const std::string& token) {
    Pages pages{version_, Snapshot()};
    if (!token.empty()) {
      const auto found = snapshots_.find(token);
      if (found == snapshots_.end()) return {};
      pages = found->second;
    }
    const auto count = std::min<std::size_t>(pages.left.size(), 3);
    const auto end = pages.left.begin() + static_cast<std::ptrdiff_t>(count);
    const std::vector<Item> page(pages.left.begin(), end);
    pages.left.erase(pages.left.begin(), end);
    if (pages.left.empty()) return PageText(pages.version, page);
    const std::string next = "t" + std::to_string(++tokens_);
    const std::uint64_t version = pages.version;
    snapshots_.emplace(next, std::move(pages));
    return PageText(version, page, next);
  }

 private:
  struct Pages {
    std::uint64_t version;
    std::vector<Item> left;
  };

  void Put(const std::string& name) {
    ++version_;
    const bool is_new = objects_.insert_or_assign(name, version_).second;
    const Item item{name, version_};
    history_.push_back({version_, is_new ? Added(item) : Modified(item)});
  }

  Random& random_;
  std::uint64_t version_{100};
  std::uint64_t compacted_{0};
  std::uint64_t tokens_{0};
  std::map<std::string, std::uint64_t> objects_;
  std::deque<Change> history_;
  std::map<std::string, Pages> snapshots_;  // by continue token
};

}  // namespace jobrun
