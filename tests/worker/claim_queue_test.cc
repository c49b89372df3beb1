#include "worker/session/claim_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace jobrun {
namespace {

PendingRun Pending(std::uint64_t number, std::uint64_t version = 1) {
  return {.name_space = "ns",
          .name = "r" + std::to_string(number),
          .uid = {1, number},
          .resource_version = version,
          .created = ServerTime(std::chrono::seconds(1000 + number))};
}

std::set<std::string> Empty(ClaimQueue& queue, Random& random) {
  std::set<std::string> names;
  while (const auto run = queue.Take(random)) EXPECT_TRUE(names.insert(run->name).second);
  return names;
}

TEST(ClaimQueueTest, GivesEachRunOnce) {
  ClaimQueue queue;
  Random random(1);
  for (std::uint64_t number = 0; number < 50; ++number) queue.Add(Pending(number));
  EXPECT_EQ(Empty(queue, random).size(), 50U);
  EXPECT_EQ(queue.Size(), 0U);
}

TEST(ClaimQueueTest, GivesTheVersionThatWasSeenLast) {
  ClaimQueue queue;
  Random random(1);
  queue.Add(Pending(1, 5));
  queue.Add(Pending(1, 7));
  EXPECT_EQ(queue.Size(), 1U);
  EXPECT_EQ(queue.Take(random)->resource_version, 7U);
}

TEST(ClaimQueueTest, WhatIsRemovedIsNotGiven) {
  ClaimQueue queue;
  Random random(1);
  queue.Add(Pending(1));
  queue.Add(Pending(2));
  queue.Remove(Pending(1).uid);
  queue.Remove(Pending(3).uid);
  EXPECT_EQ(Empty(queue, random), std::set<std::string>{"r2"});
}

TEST(ClaimQueueTest, WhatACompleteListDoesNotHaveIsGone) {
  ClaimQueue queue;
  Random random(1);
  queue.Listing();
  queue.Add(Pending(1));
  queue.Add(Pending(2));
  queue.Replaced();
  queue.Listing();
  queue.Add(Pending(2));
  EXPECT_EQ(queue.Size(), 2U) << "until the list is complete";
  queue.Replaced();
  EXPECT_EQ(Empty(queue, random), std::set<std::string>{"r2"});
}

TEST(ClaimQueueTest, TheOldestComeFirst) {
  ClaimQueue queue;
  Random random(7);
  for (std::uint64_t number = 0; number < 100; ++number) queue.Add(Pending(99 - number));
  for (int turn = 0; turn < 20; ++turn) {
    const std::string name = queue.Take(random)->name;
    EXPECT_LT(std::stoi(name.substr(1)), turn + 4) << "one of the four oldest";
  }
}

TEST(ClaimQueueTest, TwoWorkersSeldomTryTheSameRunOnceTheyHaveLost) {
  constexpr int kTurns = 200;
  const auto collisions = [](int losses) {
    int same = 0;
    for (std::uint64_t turn = 0; turn < kTurns; ++turn) {
      ClaimQueue one;
      ClaimQueue other;
      for (std::uint64_t number = 0; number < 500; ++number) {
        one.Add(Pending(number));
        other.Add(Pending(number));
      }
      for (int lost = 0; lost < losses; ++lost) {
        one.Lost();
        other.Lost();
      }
      Random random(turn);
      Random another(turn + 1'000'000);
      same += one.Take(random)->name == other.Take(another)->name ? 1 : 0;
    }
    return same;
  };
  EXPECT_GT(collisions(0), kTurns / 8) << "of four";
  EXPECT_LT(collisions(6), kTurns / 20) << "of 256";
}

TEST(ClaimQueueTest, WhoWinsGoesBackToTheOldest) {
  ClaimQueue queue;
  Random random(3);
  for (std::uint64_t number = 0; number < 2000; ++number) queue.Add(Pending(number));
  for (int i = 0; i < 20; ++i) queue.Lost();
  for (int i = 0; i < 1100; ++i) queue.Won();
  for (int turn = 0; turn < 20; ++turn) {
    EXPECT_LT(std::stoi(queue.Take(random)->name.substr(1)), turn + 4);
  }
}

TEST(ClaimQueueTest, KeepsTheOldestOfTooMany) {
  ClaimQueue queue;
  Random random(1);
  queue.Listing();
  for (std::uint64_t number = 0; number < ClaimQueue::kRunsMax; ++number)
    queue.Add(Pending(number + 1));
  EXPECT_FALSE(queue.LeftOut());
  queue.Add(Pending(ClaimQueue::kRunsMax + 1));
  EXPECT_TRUE(queue.LeftOut());
  queue.Add(Pending(0));
  EXPECT_EQ(queue.Size(), ClaimQueue::kRunsMax);
  const std::set<std::string> kept = Empty(queue, random);
  EXPECT_TRUE(kept.contains("r0"));
  EXPECT_FALSE(kept.contains("r" + std::to_string(ClaimQueue::kRunsMax)));
  queue.Listing();
  EXPECT_FALSE(queue.LeftOut()) << "they are asked for again";
}

TEST(ClaimQueueTest, RandomOperationsAgreeWithANaiveModel) {
  ClaimQueue queue;
  Random random(11);
  std::map<std::string, std::uint64_t> model;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t number = random.Below(40);
    const PendingRun run = Pending(number, static_cast<std::uint64_t>(step));
    switch (random.Below(3)) {
      case 0:
        queue.Add(run);
        model[run.name] = run.resource_version;
        break;
      case 1:
        queue.Remove(run.uid);
        model.erase(run.name);
        break;
      default:
        if (const auto taken = queue.Take(random)) {
          ASSERT_TRUE(model.contains(taken->name));
          EXPECT_EQ(model.at(taken->name), taken->resource_version);
          model.erase(taken->name);
        } else {
          ASSERT_TRUE(model.empty());
        }
    }
    ASSERT_EQ(queue.Size(), model.size());
  }
}

}  // namespace
}  // namespace jobrun
