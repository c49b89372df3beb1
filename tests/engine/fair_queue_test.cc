#include "controller/engine/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace jobrun {
namespace {

using ::testing::ElementsAre;

std::vector<Slot> Drained(FairQueue& queue) {
  std::vector<Slot> slots;
  while (!queue.Empty()) {
    slots.push_back(queue.Front().slot);
    queue.Pop();
  }
  return slots;
}

TEST(FairQueueTest, OneNamespaceIsServedInOrder) {
  FairQueue queue;
  for (Slot slot = 1; slot <= 3; ++slot) queue.Push(0, {.slot = slot});
  EXPECT_EQ(queue.Size(), 3U);
  EXPECT_THAT(Drained(queue), ElementsAre(1, 2, 3));
  EXPECT_EQ(queue.Size(), 0U);
}

TEST(FairQueueTest, ASmallNamespaceNeedNotWaitForALargeOne) {
  FairQueue queue;
  for (Slot slot = 1; slot <= 5; ++slot) queue.Push(7, {.slot = slot});
  queue.Push(8, {.slot = 100});
  queue.Push(9, {.slot = 200});
  queue.Push(9, {.slot = 201});
  EXPECT_THAT(Drained(queue), ElementsAre(1, 100, 200, 2, 201, 3, 4, 5));
}

TEST(FairQueueTest, ANamespaceThatComesBackGoesToTheEnd) {
  FairQueue queue;
  queue.Push(1, {.slot = 10});
  queue.Push(2, {.slot = 20});
  queue.Pop();
  queue.Push(1, {.slot = 11});
  EXPECT_THAT(Drained(queue), ElementsAre(20, 11));
}

}  // namespace
}  // namespace jobrun
