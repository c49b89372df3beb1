// Runs about which something was told of late, so many at most.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_set>

#include "controller/model/uid.h"

namespace jobrun {

class RecentUids {
 public:
  // Disputes are few: this is far more than a bad hour has.
  static constexpr std::size_t kMax = 4096;

  // False: it is among them already.
  [[nodiscard]] bool Add(Uid uid) {
    if (!known_.insert(uid).second) return false;
    order_.push_back(uid);
    if (order_.size() <= kMax) return true;
    known_.erase(order_.front());
    order_.pop_front();
    return true;
  }

 private:
  std::deque<Uid> order_{};
  std::unordered_set<Uid, UidHash> known_{};
};

}  // namespace jobrun
