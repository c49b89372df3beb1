#include "controller/engine/timers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "controller/base/random.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

Mono At(Nanos time) { return Mono(time); }

struct TimersTest : ::testing::Test {
  Slot Run(std::uint64_t number) { return store.Insert({.high = 1, .low = number}, "a"); }

  Store store;
  Timers timers{store};
};

TEST_F(TimersTest, ATimerIsDueAtItsTimeAndNotBefore) {
  const Slot run = Run(1);
  timers.Arm(run, At(10s));
  EXPECT_EQ(timers.PopDue(At(10s - 1ns)), std::nullopt);
  EXPECT_EQ(timers.PopDue(At(10s)), run);
}

TEST_F(TimersTest, ATimerFiresOnce) {
  const Slot run = Run(1);
  timers.Arm(run, At(10s));
  EXPECT_EQ(timers.PopDue(At(20s)), run);
  EXPECT_EQ(store.At(run).timer, Mono::max());
  EXPECT_EQ(timers.PopDue(At(20s)), std::nullopt);
}

TEST_F(TimersTest, TheEarliestComesFirst) {
  const Slot late = Run(1);
  const Slot early = Run(2);
  timers.Arm(late, At(11s));
  timers.Arm(early, At(10s));
  EXPECT_EQ(timers.Next(), At(10s));
  EXPECT_EQ(timers.PopDue(At(20s)), early);
  EXPECT_EQ(timers.PopDue(At(20s)), late);
}

TEST_F(TimersTest, AnEarlierTimeTakesThePlaceOfALaterOne) {
  const Slot run = Run(1);
  timers.Arm(run, At(10s));
  timers.Arm(run, At(5s));
  EXPECT_EQ(timers.PopDue(At(5s)), run);
  EXPECT_EQ(timers.PopDue(At(20s)), std::nullopt);
}

TEST_F(TimersTest, ALaterTimeChangesNothing) {
  const Slot run = Run(1);
  timers.Arm(run, At(10s));
  timers.Arm(run, At(15s));
  timers.Arm(run, At(10s));
  EXPECT_EQ(timers.Size(), 1U);
  EXPECT_EQ(timers.PopDue(At(10s)), run);
}

TEST_F(TimersTest, NeverIsNoTime) {
  timers.Arm(Run(1), Mono::max());
  EXPECT_EQ(timers.Size(), 0U);
  EXPECT_EQ(timers.Next(), std::nullopt);
}

TEST_F(TimersTest, AnErasedRunHasNoTimer) {
  const Slot run = Run(1);
  timers.Arm(run, At(10s));
  store.Erase(run);
  EXPECT_EQ(timers.PopDue(At(20s)), std::nullopt);
}

TEST_F(TimersTest, ASlotsNextRunDoesNotInheritTheTimer) {
  const Slot run = Run(1);
  timers.Arm(run, At(10s));
  store.Erase(run);
  ASSERT_EQ(Run(2), run);
  timers.Arm(run, At(30s));
  EXPECT_EQ(timers.PopDue(At(20s)), std::nullopt);
  EXPECT_EQ(timers.PopDue(At(30s)), run);
}

TEST_F(TimersTest, ATimerInThePastIsDue) {
  const Slot run = Run(1);
  timers.Arm(run, Mono::min());
  EXPECT_EQ(timers.PopDue(At(0s)), run);
}

// What the engine does for a run that beats: the timer fires, the run is due later, it is armed
// anew.
TEST_F(TimersTest, RearmingWhatFiredDoesNotAddUp) {
  const Slot run = Run(1);
  for (int i = 1; i <= 10000; ++i) {
    timers.Arm(run, At(i * 150s));
    ASSERT_EQ(timers.PopDue(At(i * 150s)), run);
  }
  EXPECT_EQ(timers.Size(), 0U);
}

TEST_F(TimersTest, StaleEntriesAreBounded) {
  std::size_t most = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const Slot run = Run(i + 1);
    for (int earlier = 0; earlier < 5; ++earlier) {
      timers.Arm(run, At(1h - earlier * 1s + Nanos(i)));
      most = std::max(most, timers.Size());
    }
    if (i >= 100) store.Erase(store.Find({.high = 1, .low = i - 99}));
  }
  EXPECT_LE(most, 1024U + 2U * 101U + 1U);
}

TEST_F(TimersTest, DroppingStaleEntriesLosesNoTimer) {
  std::set<Slot> armed;
  for (std::uint64_t i = 0; i < 500; ++i) armed.insert(Run(i + 1));
  for (int earlier = 0; earlier < 20; ++earlier) {
    for (const Slot run : armed) timers.Arm(run, At(1h - earlier * 1s));
  }
  EXPECT_LT(timers.Size(), 3000U);
  std::set<Slot> fired;
  while (const std::optional<Slot> run = timers.PopDue(At(1h))) fired.insert(*run);
  EXPECT_EQ(fired, armed);
}

// ---- against a model ----

// The earliest due time of each slot, and nothing else.
using Model = std::map<Slot, Mono>;

std::set<Slot> TakeDue(Model& model, Mono now) {
  std::set<Slot> due;
  for (const auto& [slot, at] : model) {
    if (at <= now) due.insert(slot);
  }
  for (const Slot slot : due) model.erase(slot);
  return due;
}

TEST_F(TimersTest, RandomOperationsAgreeWithASearchThroughAll) {
  Random random(1);
  Model model;
  Mono now = At(0s);
  for (int step = 0; step < 50000; ++step) {
    const std::uint64_t number = 1 + random.Below(60);
    Slot run = store.Find({.high = 1, .low = number});
    if (run == kNoSlot) run = Run(number);
    if (random.Below(10) == 0) {
      store.Erase(run);
      model.erase(run);
    } else {
      const Mono due = now + std::chrono::milliseconds(random.Below(200));
      timers.Arm(run, due);
      const auto [entry, is_new] = model.emplace(run, due);
      if (!is_new) entry->second = std::min(entry->second, due);
    }
    if (random.Below(5) > 0) continue;
    now += std::chrono::milliseconds(random.Below(60));
    std::set<Slot> fired;
    while (const std::optional<Slot> due = timers.PopDue(now)) {
      ASSERT_TRUE(fired.insert(*due).second);
    }
    ASSERT_EQ(fired, TakeDue(model, now)) << step;
    for (const auto& [slot, at] : model) ASSERT_LE(timers.Next(), at);
  }
}

}  // namespace
}  // namespace jobrun
