// From socket bytes to the host's copy: recorded and made-up streams, cut at every byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/watch/reflector_harness.h"
#include "tests/wire/recorded.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// Hands bytes to a reflector the way a watch's connection does: whatever lines a read completed.
class Connection {
 public:
  explicit Connection(ReflectorHarness& reflector)
      : reflector_(reflector), stream_(reflector.Host().Stream()->id) {
    reflector_.Opened();
  }

  void Read(std::string_view bytes) {
    std::memcpy(splitter_.Prepare(bytes.size()), bytes.data(), bytes.size());
    splitter_.Commit(bytes.size());
    std::vector<Event> events;
    decoder_.Reset();
    std::string_view line;
    while (splitter_.Next(line) == LineSplitter::Found::kLine) {
      events.push_back(decoder_.DecodeLine(line));
    }
    if (events.empty()) return;
    reflector_.Machine().OnEvents({.id = stream_, .events = events}, reflector_.Time());
  }

 private:
  ReflectorHarness& reflector_;
  StreamId stream_;
  LineSplitter splitter_;
  EventDecoder decoder_;
};

Calls CallsOf(std::string_view stream, std::size_t chunk_bytes) {
  ReflectorHarness reflector;
  Connection connection(reflector);
  for (std::size_t at = 0; at < stream.size(); at += chunk_bytes) {
    connection.Read(stream.substr(at, chunk_bytes));
  }
  return reflector.Host().Calls();
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// ---- what a kube-apiserver sent ----

TEST(ReflectorRecordedTest, ARecordedWatchListTellsTheStory) {
  const std::string stream = ReadRecorded("watch.jsonl");
  ReflectorHarness reflector;
  Connection connection(reflector);
  connection.Read(stream);
  const Calls& calls = reflector.Host().Calls();
  ASSERT_EQ(calls.size(), 19U);
  EXPECT_EQ(calls.at(2), "replaced");
  EXPECT_EQ(calls.at(4), "added nightly-sync-7f3k2@295");
  EXPECT_TRUE(calls.back().starts_with("deleted nightly-sync-7f3k2@"));
  EXPECT_EQ(reflector.Host().Copy().size(), 3U);
  EXPECT_TRUE(reflector.Host().Copy().contains("extra-3"));
}

TEST(ReflectorRecordedTest, ARecordedWatchListIsTheSameInAnyChunks) {
  const std::string stream = ReadRecorded("watch.jsonl");
  const Calls whole = CallsOf(stream, stream.size());
  for (const std::size_t chunk_bytes : {1U, 2U, 7U, 64U, 1448U, 16384U}) {
    EXPECT_EQ(CallsOf(stream, chunk_bytes), whole) << chunk_bytes;
  }
}

TEST(ReflectorRecordedTest, ARecordedForgottenVersionLeadsToAList) {
  ReflectorHarness reflector;
  reflector.SyncByPages({}, 1);
  Connection connection(reflector);
  connection.Read(ReadRecorded("watch_too_old.jsonl"));
  EXPECT_EQ(reflector.Host().Calls(), (Calls{"close", "stream expired", "listing", "list"}));
}

TEST(ReflectorRecordedTest, ARecordedPageIsFollowedByTheNext) {
  ReflectorHarness reflector;
  reflector.Ended(400);
  reflector.Answer(200, ReadRecorded("page.json"));
  EXPECT_EQ(reflector.Host().Copy().size(), 2U);
  EXPECT_NE(Parameter(reflector.Host().Asked()->target, "continue"), "");
  EXPECT_FALSE(reflector.Machine().Synced());
}

// ---- cut at every byte ----

// The initial events, then live ones; short, so that every cut can be tried.
const std::vector<std::string> kInitial = {Added({"a", 3}), Added({"b", 2}), InitialEventsEnd(7)};
const std::vector<std::pair<std::uint64_t, std::string>> kLive = {
    {8, Modified({"a", 8})},  {9, "garbage"},     {9, Added({"c", 9})},
    {10, Deleted({"b", 10})}, {11, Bookmark(11)}, {12, Added({"b", 12})},
    {13, Deleted({"c", 13})}};
const Copy kAtTheEnd = {{"a", 8}, {"b", 12}};

std::string LiveAfter(std::uint64_t version) {
  std::string text;
  for (const auto& [of, line] : kLive) {
    if (of > version) text += line + "\n";
  }
  return text;
}

TEST(ReflectorRecordedTest, TheStoryIsTheSameWhereverTheStreamIsCutInTwoReads) {
  const std::string stream =
      Joined(kInitial) + LiveAfter(0) + ErrorLine(410) + "\n" + Added({"late", 14}) + "\n";
  const Calls whole = CallsOf(stream, stream.size());
  EXPECT_EQ(whole.back(), "open initial");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    ReflectorHarness reflector;
    Connection connection(reflector);
    connection.Read(std::string_view(stream).substr(0, cut));
    connection.Read(std::string_view(stream).substr(cut));
    ASSERT_EQ(reflector.Host().Calls(), whole) << cut;
  }
}

TEST(ReflectorRecordedTest, NothingIsLostWhereverTheConnectionBreaks) {
  const std::string stream = Joined(kInitial) + LiveAfter(0);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    ReflectorHarness reflector;
    Connection(reflector).Read(std::string_view(stream).substr(0, cut));
    reflector.Ended(0);
    reflector.PassWait();
    if (reflector.Host().Asked()) reflector.Answer(200, PageText(7, {{"a", 3}, {"b", 2}}));
    const std::string from = Parameter(reflector.Host().Stream()->target, "resourceVersion");
    ASSERT_FALSE(from.empty()) << cut;
    Connection(reflector).Read(LiveAfter(std::stoul(from)));
    ASSERT_EQ(reflector.Host().Copy(), kAtTheEnd) << cut;
  }
}

}  // namespace
}  // namespace jobrun
