#include "worker/session/claim_queue.h"

#include <iterator>

namespace jobrun {

void ClaimQueue::Listing() {
  ++listing_;
  left_out_ = false;
}

void ClaimQueue::Replaced() {
  for (auto entry = runs_.begin(); entry != runs_.end();) {
    const auto next = std::next(entry);
    if (entry->second.listing != listing_) Erase(entry);
    entry = next;
  }
}

void ClaimQueue::Add(PendingRun run) {
  const Key key = KeyOf(run);
  if (runs_.size() >= kRunsMax && !keys_.contains(run.uid)) {
    left_out_ = true;
    const auto newest = std::prev(runs_.end());
    if (newest->first < key) return;
    Erase(newest);
  }
  keys_[run.uid] = key;
  runs_.insert_or_assign(key, Entry{std::move(run), listing_});
}

void ClaimQueue::Remove(Uid uid) {
  const auto known = keys_.find(uid);
  if (known != keys_.end()) Erase(runs_.find(known->second));
}

std::optional<PendingRun> ClaimQueue::Take(Random& random) {
  if (runs_.empty()) return std::nullopt;
  const std::size_t among = std::min(window_, runs_.size());
  const auto entry = std::next(runs_.begin(), static_cast<std::ptrdiff_t>(random.Below(among)));
  PendingRun run = entry->second.run;
  Erase(entry);
  return run;
}

void ClaimQueue::Erase(std::map<Key, Entry>::iterator entry) {
  keys_.erase(entry->second.run.uid);
  runs_.erase(entry);
}

}  // namespace jobrun
