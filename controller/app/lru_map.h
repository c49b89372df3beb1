// A map of bounded size that forgets what was not used for longest.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>

namespace jobrun {

// Values stay where they are until they are erased or forgotten.
template <class Key, class Value, class Hash = std::hash<Key>>
class LruMap {
 public:
  explicit LruMap(std::size_t max) : max_(max) {}

  // The value of a key, which counts as a use; null when there is none.
  [[nodiscard]] Value* Use(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  // What the next Add will forget; null as long as there is room.
  [[nodiscard]] Value* NextToGo() {
    return entries_.size() < max_ ? nullptr : &entries_.back().second;
  }

  // The key must not be there yet.
  Value& Add(const Key& key, Value value) {
    if (entries_.size() >= max_) {
      places_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, std::move(value));
    places_.emplace(key, entries_.begin());
    return entries_.front().second;
  }

  void Erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    entries_.erase(found->second);
    places_.erase(found);
  }

  [[nodiscard]] std::size_t Size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;

  std::size_t max_;
  Entries entries_;  // the last used one first
  std::unordered_map<Key, typename Entries::iterator, Hash> places_;
};

}  // namespace jobrun
