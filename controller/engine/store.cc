#include "controller/engine/store.h"

#include <cassert>

namespace jobrun {
namespace {

constexpr std::size_t kIndexStart = 1024;

// Uids are random, except those that an attacker or a test made up.
std::size_t Mix(Uid uid) {
  std::uint64_t x = uid.low ^ (uid.high * 0x9e3779b97f4a7c15U);
  x ^= x >> 32U;
  x *= 0xd6e8feb86659fd93U;
  x ^= x >> 32U;
  return static_cast<std::size_t>(x);
}

}  // namespace

Store::Store() : index_(kIndexStart, kNoSlot) {}

std::size_t Store::PlaceOf(Uid uid) const {
  const std::size_t mask = index_.size() - 1;
  std::size_t place = Mix(uid) & mask;
  while (index_[place] != kNoSlot && At(index_[place]).uid != uid) place = (place + 1) & mask;
  return place;
}

void Store::PrefetchPlace(Uid uid) const {
  __builtin_prefetch(&index_[Mix(uid) & (index_.size() - 1)]);
}

void Store::PrefetchRecord(Uid uid) const {
  const Slot slot = index_[Mix(uid) & (index_.size() - 1)];
  if (slot == kNoSlot) return;
  const char* const record = reinterpret_cast<const char*>(&At(slot));
  __builtin_prefetch(record, 1);
  __builtin_prefetch(record + 64, 1);
}

Slot Store::Find(Uid uid) const { return index_[PlaceOf(uid)]; }

Slot Store::Insert(Uid uid, std::string_view name) {
  assert(!uid.IsNone() && Find(uid) == kNoSlot);
  if ((size_ + 1) * 3 > index_.size() * 2) Grow();
  Slot slot = used_;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else {
    if (used_ % kBlock == 0) blocks_.push_back(std::make_unique<RunRecord[]>(kBlock));
    ++used_;
  }
  index_[PlaceOf(uid)] = slot;
  ++size_;
  RunRecord& record = At(slot);
  record.uid = uid;
  record.name = names_.Add(name);
  return slot;
}

void Store::Erase(Slot slot) {
  const std::size_t mask = index_.size() - 1;
  std::size_t hole = PlaceOf(At(slot).uid);
  // Close the gap, so that no search ends before its goal.
  for (std::size_t next = (hole + 1) & mask; index_[next] != kNoSlot; next = (next + 1) & mask) {
    const std::size_t home = Mix(At(index_[next]).uid) & mask;
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      index_[hole] = index_[next];
      hole = next;
    }
  }
  index_[hole] = kNoSlot;
  names_.Remove(At(slot).name);
  At(slot) = RunRecord{};
  free_.push_back(slot);
  --size_;
}

void Store::Grow() {
  std::vector<Slot> old(index_.size() * 2, kNoSlot);
  old.swap(index_);
  for (const Slot slot : old) {
    if (slot != kNoSlot) index_[PlaceOf(At(slot).uid)] = slot;
  }
}

}  // namespace jobrun
