// Virtual time: what is to happen, in the order of when and, at the same time, of who came first.
#pragma once

#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "controller/base/time.h"

namespace jobrun::simulation {

class Scheduler {
 public:
  [[nodiscard]] Nanos Now() const { return now_; }

  void At(Nanos when, std::function<void()> what) {
    events_.push({std::max(when, now_), next_++, std::move(what)});
  }
  void In(Nanos wait, std::function<void()> what) { At(now_ + wait, std::move(what)); }

  // Lets the next thing happen; false when none is left before `end`.
  bool RunNext(Nanos end) {
    if (events_.empty() || events_.top().when > end) {
      now_ = std::max(now_, end);
      return false;
    }
    const auto what = std::move(const_cast<Planned&>(events_.top()).what);
    now_ = events_.top().when;
    events_.pop();
    what();
    return true;
  }

 private:
  struct Planned {
    Nanos when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Planned& other) const {
      return std::tie(other.when, other.order) < std::tie(when, order);
    }
  };

  Nanos now_{};
  std::uint64_t next_{0};
  std::priority_queue<Planned> events_{};
};

}  // namespace jobrun::simulation
