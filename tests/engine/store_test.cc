#include "controller/engine/store.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/random.h"

namespace jobrun {
namespace {

Uid Number(std::uint64_t n) { return {.high = 7, .low = n}; }
std::string NameOf(std::uint64_t n) { return "run-" + std::to_string(n); }

TEST(StoreTest, FindsWhatWasInserted) {
  Store store;
  const Slot slot = store.Insert(Number(1), "a");
  EXPECT_EQ(store.Find(Number(1)), slot);
  EXPECT_EQ(store.Find(Number(2)), kNoSlot);
  EXPECT_EQ(store.Size(), 1U);
}

TEST(StoreTest, TellsUidsApartByEitherHalf) {
  Store store;
  const Slot one = store.Insert({.high = 1, .low = 1}, "a");
  const Slot other = store.Insert({.high = 2, .low = 1}, "b");
  EXPECT_EQ(store.Find({.high = 1, .low = 1}), one);
  EXPECT_EQ(store.Find({.high = 2, .low = 1}), other);
  EXPECT_EQ(store.Find({.high = 1, .low = 2}), kNoSlot);
}

TEST(StoreTest, KeepsTheNameItself) {
  Store store;
  std::string name(253, 'x');
  const Slot slot = store.Insert(Number(1), std::string_view(name).substr(0, 200));
  name.assign(253, 'y');
  EXPECT_STREQ(store.At(slot).name, std::string(200, 'x').c_str());
}

TEST(StoreTest, AnErasedRunIsForgotten) {
  Store store;
  const Slot slot = store.Insert(Number(1), "a");
  store.Erase(slot);
  EXPECT_EQ(store.Find(Number(1)), kNoSlot);
  EXPECT_EQ(store.Size(), 0U);
  EXPECT_FALSE(store.Holds(slot, Number(1)));
}

TEST(StoreTest, ASlotIsReusedWithNothingOfItsLastRun) {
  Store store;
  const Slot slot = store.Insert(Number(1), "a");
  RunRecord& record = store.At(slot);
  record.resource_version = 9;
  record.timer = Mono{};
  record.phase = Phase::kRunning;
  record.queued = record.busy = record.has_beaten = true;
  store.Erase(slot);
  ASSERT_EQ(store.Insert(Number(2), "b"), slot);
  EXPECT_EQ(record.resource_version, 0U);
  EXPECT_EQ(record.timer, Mono::max());
  EXPECT_EQ(record.phase, Phase::kPending);
  EXPECT_FALSE(record.queued || record.busy || record.has_beaten);
  EXPECT_TRUE(store.Holds(slot, Number(2)));
  EXPECT_FALSE(store.Holds(slot, Number(1)));
}

TEST(StoreTest, SlotsAndRecordsStayWhereTheyAreWhileItGrows) {
  Store store;
  std::vector<std::pair<Slot, const RunRecord*>> places;
  for (std::uint64_t n = 1; n <= 5000; ++n) {
    const Slot slot = store.Insert(Number(n), NameOf(n));
    places.emplace_back(slot, &store.At(slot));
  }
  for (std::uint64_t n = 1; n <= 5000; ++n) {
    const auto& [slot, record] = places[n - 1];
    ASSERT_EQ(store.Find(Number(n)), slot);
    ASSERT_EQ(&store.At(slot), record);
    ASSERT_EQ(NameOf(n), record->name);
  }
}

TEST(StoreTest, MemoryIsReusedNotAdded) {
  Store store;
  Slot highest = 0;
  for (std::uint64_t n = 1; n <= 10000; ++n) {
    const Slot slot = store.Insert(Number(n), "a");
    highest = std::max(highest, slot);
    if (n > 10) store.Erase(store.Find(Number(n - 10)));
  }
  EXPECT_LE(highest, 10U);
}

TEST(StoreTest, ForEachVisitsEveryRunOnce) {
  Store store;
  for (std::uint64_t n = 1; n <= 2000; ++n) static_cast<void>(store.Insert(Number(n), "a"));
  for (std::uint64_t n = 1; n <= 2000; n += 2) store.Erase(store.Find(Number(n)));
  std::set<std::uint64_t> seen;
  std::as_const(store).ForEach([&](Slot slot, const RunRecord& record) {
    EXPECT_EQ(store.Find(record.uid), slot);
    EXPECT_TRUE(seen.insert(record.uid.low).second);
    EXPECT_EQ(record.uid.low % 2, 0U);
  });
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(StoreTest, ForEachMayEraseWhatItIsGiven) {
  Store store;
  for (std::uint64_t n = 1; n <= 2000; ++n) static_cast<void>(store.Insert(Number(n), "a"));
  int visits = 0;
  store.ForEach([&](Slot slot, const RunRecord& record) {
    ++visits;
    if (record.uid.low % 3 == 0) store.Erase(slot);
  });
  EXPECT_EQ(visits, 2000);
  EXPECT_EQ(store.Size(), 1334U);
  for (std::uint64_t n = 1; n <= 2000; ++n) {
    EXPECT_EQ(store.Find(Number(n)) == kNoSlot, n % 3 == 0) << n;
  }
}

// ---- against a model ----

using Model = std::map<std::uint64_t, Slot>;

void CheckAgainst(const Store& store, const Model& model, std::uint64_t uids) {
  ASSERT_EQ(store.Size(), model.size());
  for (std::uint64_t n = 1; n <= uids; ++n) {
    const auto found = model.find(n);
    const Slot slot = store.Find(Number(n));
    ASSERT_EQ(slot, found == model.end() ? kNoSlot : found->second) << n;
    if (slot == kNoSlot) continue;
    ASSERT_TRUE(store.Holds(slot, Number(n)));
    ASSERT_EQ(NameOf(n), store.At(slot).name);
  }
  std::size_t visits = 0;
  store.ForEach([&](Slot slot, const RunRecord& record) {
    ++visits;
    ASSERT_EQ(model.at(record.uid.low), slot);
  });
  ASSERT_EQ(visits, model.size());
}

// Few enough uids that runs come back, enough that the index is as full as it may be.
TEST(StoreTest, RandomOperationsAgreeWithAMap) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    Store store;
    Model model;
    const std::uint64_t uids = seed % 2 == 0 ? 900 : 3000;
    for (int step = 0; step < 20000; ++step) {
      const std::uint64_t n = 1 + random.Below(uids);
      const auto found = model.find(n);
      if (found == model.end()) {
        model.emplace(n, store.Insert(Number(n), NameOf(n)));
      } else if (random.Below(4) == 0) {
        store.Erase(found->second);
        model.erase(found);
      }
      if (step % 2000 == 0) CheckAgainst(store, model, uids);
      if (HasFatalFailure()) return;
    }
    CheckAgainst(store, model, uids);
  }
}

}  // namespace
}  // namespace jobrun
