// When to look at a run again. A heartbeat moves no timer: it only makes the run due later, and the
// timer that fires early finds that out and is set anew.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "controller/engine/store.h"

namespace jobrun {

// A heap of (due, slot) pairs over a Store. RunRecord::timer is the truth; a pair that does not
// agree with it is stale and dropped when it surfaces.
class Timers {
 public:
  explicit Timers(Store& store) : store_(store) {}

  // Sees to it that `slot` is judged at `due` or before.
  void Arm(Slot slot, Mono due) {
    RunRecord& record = store_.At(slot);
    if (record.timer <= due) return;
    record.timer = due;
    heap_.push_back({due, slot});
    std::push_heap(heap_.begin(), heap_.end(), Later);
    if (heap_.size() > kSlack + 2 * store_.Size()) DropStale();
  }

  // The next slot due at `now`, disarmed.
  [[nodiscard]] std::optional<Slot> PopDue(Mono now) {
    while (!heap_.empty() && heap_.front().due <= now) {
      const Entry entry = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end(), Later);
      heap_.pop_back();
      RunRecord& record = store_.At(entry.slot);
      if (record.timer != entry.due) continue;
      record.timer = Mono::max();
      return entry.slot;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Mono> Next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().due;
  }

  [[nodiscard]] std::size_t Size() const { return heap_.size(); }

 private:
  struct Entry {
    Mono due;
    Slot slot;
  };
  // Stale pairs beyond this many are not worth their memory.
  static constexpr std::size_t kSlack = 1024;

  static bool Later(const Entry& a, const Entry& b) { return a.due > b.due; }

  void DropStale() {
    std::erase_if(heap_, [this](const Entry& e) { return store_.At(e.slot).timer != e.due; });
    std::make_heap(heap_.begin(), heap_.end(), Later);
  }

  Store& store_;
  std::vector<Entry> heap_;
};

}  // namespace jobrun
