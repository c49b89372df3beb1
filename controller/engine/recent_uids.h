// The uids that were noted last, so many at most: a uid is never given twice, so what comes late
// about one that is gone can be told from news.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_set>

#include "controller/model/uid.h"

namespace jobrun {

class RecentUids {
 public:
  // What a watch brings again is moments old: this is the deletions of a busy minute.
  static constexpr std::size_t kMax = 1024;

  void Note(Uid uid) {
    if (!known_.insert(uid).second) return;
    order_.push_back(uid);
    if (order_.size() <= kMax) return;
    known_.erase(order_.front());
    order_.pop_front();
  }
  [[nodiscard]] bool Has(Uid uid) const { return known_.contains(uid); }
  [[nodiscard]] bool Empty() const { return order_.empty(); }
  void Clear() {
    known_.clear();
    order_.clear();
  }

 private:
  std::deque<Uid> order_{};
  std::unordered_set<Uid, UidHash> known_{};
};

}  // namespace jobrun
