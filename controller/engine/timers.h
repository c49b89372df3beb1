// When to look at a run again. A heartbeat moves no timer: it only makes the run due later, and the
// timer that fires early finds that out and is set anew.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
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
    heap_.emplace_back(due, slot);
    std::push_heap(heap_.begin(), heap_.end(), Later);
    if (heap_.size() > kSlack + 2 * store_.Size()) DropStale();
  }

  // The next slot due at `now`, disarmed.
  [[nodiscard]] std::optional<Slot> PopDue(Mono now) {
    while (!heap_.empty() && heap_.front().Due() <= now) {
      const Entry entry = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end(), Later);
      heap_.pop_back();
      RunRecord& record = store_.At(entry.slot);
      if (record.timer != entry.Due()) continue;
      record.timer = Mono::max();
      return entry.slot;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Mono> Next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().Due();
  }

  [[nodiscard]] std::size_t Size() const { return heap_.size(); }

 private:
  // 12 bytes: with the time in one piece it would be 16.
  class Entry {
   public:
    Entry(Mono due, Slot of)
        : slot(of), due_(std::bit_cast<Halves>(due.time_since_epoch().count())) {}
    [[nodiscard]] Mono Due() const { return Mono(Nanos(std::bit_cast<Nanos::rep>(due_))); }
    Slot slot;

   private:
    using Halves = std::array<std::uint32_t, 2>;
    Halves due_;
  };
  static_assert(sizeof(Entry) == 12);
  // Stale pairs beyond this many are not worth their memory.
  static constexpr std::size_t kSlack = 1024;

  static bool Later(const Entry& a, const Entry& b) { return a.Due() > b.Due(); }

  void DropStale() {
    std::erase_if(heap_, [this](const Entry& e) { return store_.At(e.slot).timer != e.Due(); });
    std::make_heap(heap_.begin(), heap_.end(), Later);
  }

  Store& store_;
  std::vector<Entry> heap_;
};

}  // namespace jobrun
