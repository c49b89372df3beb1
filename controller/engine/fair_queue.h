// Runs that wait to be written, by namespace: each namespace gets its turn, however many runs
// another one has waiting.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_map>

#include "controller/base/time.h"
#include "controller/engine/store.h"

namespace jobrun {

class FairQueue {
 public:
  struct Waiting {
    Slot slot{kNoSlot};
    Mono since{};
  };

  void Push(NamespaceId name_space, Waiting waiting) {
    std::deque<Waiting>& line = lines_[name_space];
    if (line.empty()) turns_.push_back(name_space);
    line.push_back(waiting);
    ++size_;
  }

  // Not when empty.
  [[nodiscard]] Waiting Front() const { return lines_.at(turns_.front()).front(); }
  void Pop() {
    const NamespaceId name_space = turns_.front();
    turns_.pop_front();
    const auto line = lines_.find(name_space);
    line->second.pop_front();
    --size_;
    if (line->second.empty()) {
      lines_.erase(line);
    } else {
      turns_.push_back(name_space);
    }
  }

  [[nodiscard]] bool Empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t Size() const { return size_; }

 private:
  std::unordered_map<NamespaceId, std::deque<Waiting>> lines_;  // none is empty
  std::deque<NamespaceId> turns_;                               // each once
  std::size_t size_{0};
};

}  // namespace jobrun
