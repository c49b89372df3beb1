#include "controller/wire/line_splitter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/random.h"
#include "tests/wire/recorded.h"

namespace jobrun {
namespace {

constexpr std::string_view kTooLong = "<too long>";

void Feed(LineSplitter& splitter, std::string_view chunk) {
  char* const place = splitter.Prepare(chunk.size());
  std::memcpy(place, chunk.data(), chunk.size());
  splitter.Commit(chunk.size());
}

void Drain(LineSplitter& splitter, std::vector<std::string>& lines) {
  std::string_view line;
  for (;;) {
    const LineSplitter::Found found = splitter.Next(line);
    if (found == LineSplitter::Found::kNeedMore) return;
    lines.emplace_back(found == LineSplitter::Found::kLine ? line : kTooLong);
  }
}

std::vector<std::string> Split(const std::vector<std::string_view>& chunks,
                               std::size_t line_bytes_max = kWatchLineBytesMax) {
  LineSplitter splitter(line_bytes_max);
  std::vector<std::string> lines;
  for (const std::string_view chunk : chunks) {
    Feed(splitter, chunk);
    Drain(splitter, lines);
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(LineSplitterTest, GivesLinesWithoutTheirEnds) {
  EXPECT_EQ(Split({"one\ntwo\r\nthree\n"}), (Lines{"one", "two", "three"}));
}

TEST(LineSplitterTest, PassesOverEmptyLines) {
  EXPECT_EQ(Split({"\n\r\n\none\n\n\r\n"}), (Lines{"one"}));
}

TEST(LineSplitterTest, KeepsACarriageReturnInsideALine) {
  EXPECT_EQ(Split({"o\rne\r\r\n"}), (Lines{"o\rne\r"}));
}

TEST(LineSplitterTest, WaitsForTheEndOfALine) {
  EXPECT_EQ(Split({"one"}), Lines{});
  EXPECT_EQ(Split({"one", "", "\r", "\n"}), Lines{"one"});
}

TEST(LineSplitterTest, TakesALineOfTheMaximumAndNoByteMore) {
  for (const std::string_view end : {"\n", "\r\n"}) {
    const std::string fits = "12345678" + std::string(end) + "next\n";
    const std::string long_one = "123456789" + std::string(end) + "next\n";
    EXPECT_EQ(Split({fits}, 8), (Lines{"12345678", "next"}));
    EXPECT_EQ(Split({long_one}, 8), (Lines{std::string(kTooLong), "next"}));
  }
}

TEST(LineSplitterTest, ReportsALongLineOnceHoweverItArrives) {
  const std::string text = "one\n" + std::string(100, 'x') + "\r\ntwo\n" + std::string(9, 'y') +
                           "\n12345678\r\n" + std::string(10, 'z') + "\r\nend\n";
  const std::string mark(kTooLong);
  const Lines expected = {"one", mark, "two", mark, "12345678", mark, "end"};
  EXPECT_EQ(Split({text}, 8), expected);
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      const std::string_view view = text;
      ASSERT_EQ(Split({view.substr(0, i), view.substr(i, j - i), view.substr(j)}, 8), expected)
          << "split at " << i << " and " << j;
    }
  }
}

TEST(LineSplitterTest, ARecordedStreamSplitAtEveryByteGivesTheSameLines) {
  const std::string stream = ReadRecorded("watch.jsonl");
  const Lines whole = Split({stream});
  ASSERT_GT(whole.size(), 10U);
  for (std::size_t i = 0; i <= stream.size(); ++i) {
    const std::string_view view = stream;
    ASSERT_EQ(Split({view.substr(0, i), view.substr(i)}), whole) << "split at " << i;
  }
}

TEST(LineSplitterTest, RandomChunksGiveTheSameLines) {
  const std::string stream = ReadRecorded("watch.jsonl");
  const Lines whole = Split({stream});
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const std::uint64_t largest = 1 + random.Below(seed % 2 == 0 ? 16 : 5000);
    std::vector<std::string_view> chunks;
    for (std::size_t at = 0; at < stream.size();) {
      chunks.push_back(std::string_view(stream).substr(at, random.Below(largest + 1)));
      at += chunks.back().size();
    }
    ASSERT_EQ(Split(chunks), whole) << "seed " << seed;
  }
}

TEST(LineSplitterTest, AnEndlessLineIsHeldInBoundedMemory) {
  constexpr std::size_t kMax = 1000;
  LineSplitter splitter(kMax);
  std::vector<std::string> lines;
  for (int i = 0; i < 10000; ++i) {
    Feed(splitter, std::string(100, 'x'));
    Drain(splitter, lines);
    ASSERT_LE(splitter.Capacity(), 2 * (kMax + 200 + LineSplitter::kPadding));
  }
  EXPECT_EQ(lines, Lines{std::string(kTooLong)});
}

TEST(LineSplitterTest, GivesBackWhatAGiantLineTook) {
  LineSplitter splitter;
  std::vector<std::string> lines;
  Feed(splitter, std::string(std::size_t{2} << 20U, 'x') + "\n");
  Drain(splitter, lines);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_GT(splitter.Capacity(), std::size_t{2} << 20U);
  Feed(splitter, "small\n");
  Drain(splitter, lines);
  EXPECT_EQ(lines.back(), "small");
  EXPECT_LT(splitter.Capacity(), std::size_t{1} << 20U);
}

// AddressSanitizer watches this read.
TEST(LineSplitterTest, EveryLineIsFollowedByReadableBytes) {
  LineSplitter splitter;
  Feed(splitter, "one\ntwo\n");
  std::string_view line;
  int sum = 0;
  while (splitter.Next(line) == LineSplitter::Found::kLine) {
    for (std::size_t i = 0; i < LineSplitter::kPadding; ++i)
      sum += *(line.data() + line.size() + i);
  }
  EXPECT_NE(sum, -1);
}

}  // namespace
}  // namespace jobrun
