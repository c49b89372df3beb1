#include "controller/wire/scratch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "controller/base/random.h"

namespace jobrun {
namespace {

TEST(ScratchTest, WhatWasAddedStaysUntilReset) {
  Scratch scratch;
  Random random(1);
  std::vector<std::string> texts;
  std::vector<std::string_view> kept;
  for (int i = 0; i < 2000; ++i) {
    texts.emplace_back(random.Below(200), static_cast<char>('a' + i % 26));
    kept.push_back(scratch.Add(texts.back()));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(kept[i], texts[i]);
}

TEST(ScratchTest, TheSameBatchAgainTakesNoMoreMemory) {
  Scratch scratch;
  std::size_t first = 0;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 500; ++i) EXPECT_EQ(scratch.Add("some text").size(), 9U);
    if (round == 0) first = scratch.Capacity();
    EXPECT_EQ(scratch.Capacity(), first);
    scratch.Reset();
  }
  EXPECT_EQ(first, Scratch::kChunkBytes);
}

TEST(ScratchTest, ATextLargerThanAChunkFits) {
  Scratch scratch;
  const std::string text(Scratch::kChunkBytes + 1, 'x');
  EXPECT_EQ(scratch.Add("a"), "a");
  EXPECT_EQ(scratch.Add(text), text);
  EXPECT_EQ(scratch.Add("b"), "b");
  EXPECT_EQ(scratch.Add(""), "");
}

TEST(ScratchTest, KeepsALittleAndGivesBackMore) {
  Scratch scratch;
  EXPECT_EQ(scratch.Add(std::string(Scratch::kKeptBytesMax, 'x')).size(), Scratch::kKeptBytesMax);
  scratch.Reset();
  EXPECT_EQ(scratch.Capacity(), Scratch::kKeptBytesMax);
  EXPECT_EQ(scratch.Add(std::string(Scratch::kKeptBytesMax + 1, 'x')).front(), 'x');
  scratch.Reset();
  EXPECT_EQ(scratch.Capacity(), 0U);
}

}  // namespace
}  // namespace jobrun
