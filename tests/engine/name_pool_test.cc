#include "controller/engine/name_pool.h"

#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "controller/base/random.h"

namespace jobrun {
namespace {

TEST(NamePoolTest, KeepsNamesOfEveryLength) {
  NamePool pool;
  std::map<const char*, std::string> kept;
  for (std::size_t length = 0; length < 40'000; length += length < 300 ? 1 : 9000) {
    const std::string name(length, static_cast<char>('a' + length % 26));
    ASSERT_TRUE(kept.emplace(pool.Add(name), name).second) << length;
  }
  for (const auto& [room, name] : kept) ASSERT_STREQ(room, name.c_str());
}

TEST(NamePoolTest, UsesARoomAgainForANameOfItsSize) {
  NamePool pool;
  const char* const first = pool.Add("run-0000001");
  const char* const second = pool.Add("run-0000002");
  pool.Remove(first);
  pool.Remove(second);
  EXPECT_NE(pool.Add("a-name-that-needs-a-larger-room"), first);
  const std::set<const char*> again = {pool.Add("run-0000003"), pool.Add("another-one")};
  EXPECT_EQ(again, (std::set<const char*>{first, second}));
}

TEST(NamePoolTest, KeepsThemApartWhileTheyComeAndGo) {
  NamePool pool;
  Random random(1);
  std::map<const char*, std::string> kept;
  for (int step = 0; step < 50'000; ++step) {
    if (kept.size() > 300) {
      const auto removed = std::next(kept.begin(), static_cast<std::ptrdiff_t>(random.Below(300)));
      ASSERT_STREQ(removed->first, removed->second.c_str());
      pool.Remove(removed->first);
      kept.erase(removed);
    }
    std::string name = std::to_string(step) + std::string(random.Below(60), 'n');
    const char* const room = pool.Add(name);
    ASSERT_TRUE(kept.emplace(room, std::move(name)).second);
  }
  for (const auto& [room, name] : kept) ASSERT_STREQ(room, name.c_str());
}

}  // namespace
}  // namespace jobrun
