#include "controller/app/lru_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "controller/base/random.h"

namespace jobrun {
namespace {

TEST(LruMapTest, ForgetsWhatWasNotUsedForLongest) {
  LruMap<int, char> map(2);
  map.Add(1, 'a');
  EXPECT_EQ(map.NextToGo(), nullptr);
  map.Add(2, 'b');
  EXPECT_EQ(*map.NextToGo(), 'a');
  EXPECT_EQ(*map.Use(1), 'a');
  EXPECT_EQ(*map.NextToGo(), 'b');
  map.Add(3, 'c');
  EXPECT_EQ(map.Use(2), nullptr);
  EXPECT_EQ(*map.Use(1), 'a');
  EXPECT_EQ(map.Size(), 2U);
}

TEST(LruMapTest, ErasedOnesMakeRoom) {
  LruMap<int, char> map(1);
  map.Add(1, 'a');
  map.Erase(1);
  map.Erase(7);
  EXPECT_EQ(map.NextToGo(), nullptr);
  EXPECT_EQ(map.Use(1), nullptr);
}

TEST(LruMapTest, AgreesWithAListThatIsSearched) {
  LruMap<int, int> map(8);
  std::vector<int> model;  // the last used one at the end
  Random random(1);
  for (int step = 0; step < 10000; ++step) {
    const int key = static_cast<int>(random.Below(16));
    const auto found = std::ranges::find(model, key);
    const bool there = found != model.end();
    if (there) model.erase(found);
    if (random.Below(4) == 0) {
      map.Erase(key);
      continue;
    }
    const int* value = map.Use(key);
    ASSERT_EQ(value != nullptr, there);
    if (there) {
      ASSERT_EQ(*value, key);
    } else {
      map.Add(key, key);
      if (model.size() == 8) model.erase(model.begin());
    }
    model.push_back(key);
    ASSERT_EQ(map.Size(), model.size());
  }
}

}  // namespace
}  // namespace jobrun
