// The versions at which runs were deleted of late, so many at most: what a watch tells of them
// again, or late, is older.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "controller/model/uid.h"

namespace jobrun {

class RecentDeletions {
 public:
  // What comes late is moments old: this is the deletions of a busy minute.
  static constexpr std::size_t kMax = 1024;

  void Note(Uid uid, std::uint64_t resource_version) {
    const auto [known, is_new] = versions_.try_emplace(uid, resource_version);
    if (resource_version > known->second) known->second = resource_version;
    if (!is_new) return;
    order_.push_back(uid);
    if (order_.size() <= kMax) return;
    versions_.erase(order_.front());
    order_.pop_front();
  }
  // Whether the run was deleted at this version or a later one. News of a run that a selector had
  // lost sight of, which the watch tells as a deletion, are not.
  [[nodiscard]] bool Overtook(Uid uid, std::uint64_t resource_version) const {
    if (versions_.empty()) return false;
    const auto known = versions_.find(uid);
    return known != versions_.end() && resource_version <= known->second;
  }
  void Clear() {
    versions_.clear();
    order_.clear();
  }

 private:
  std::deque<Uid> order_{};
  std::unordered_map<Uid, std::uint64_t, UidHash> versions_{};
};

}  // namespace jobrun
