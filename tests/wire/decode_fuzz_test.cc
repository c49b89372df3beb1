// Recorded texts, cut and damaged in every way a deterministic generator comes up with. The
// sanitizers judge memory; these tests judge that what comes back keeps the decoder's promises.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "controller/base/random.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/managed_fields.h"
#include "controller/wire/status_patch.h"
#include "tests/wire/lines.h"
#include "tests/wire/recorded.h"

namespace jobrun {
namespace {

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = RecordedLines("watch.jsonl");
  seeds.push_back(RecordedLines("watch_too_old.jsonl").front());
  seeds.push_back(
      Replaced(R"("reason":"Why")",
               R"("reason":"\"\u00fc\ud83d\ude80","conditions":[{"type":"S\u0074uck"}])"));
  return seeds;
}

// Reads every byte of the views, for AddressSanitizer.
std::size_t Touch(const ObservedRun& run) {
  std::size_t sum = 0;
  for (const std::string_view text :
       {run.name_space, run.name, run.lane, run.spec_json, run.claimed_at, run.last_heartbeat_at,
        run.start_time, run.reason, run.verdict_id, run.managed_fields}) {
    for (const char c : text) sum += static_cast<unsigned char>(c);
  }
  return sum;
}

bool KeepsPromises(const Event& event) {
  Touch(event.run);
  switch (event.type) {
    case EventType::kAdded:
    case EventType::kModified:
    case EventType::kDeleted:
      return !event.run.name.empty() && !event.run.name_space.empty() && !event.run.uid.IsNone() &&
             event.run.resource_version > 0;
    case EventType::kBookmark:
      return event.resource_version > 0;
    case EventType::kError:
      return event.status_code >= 0 && event.status_code <= 999;
    case EventType::kInvalid:
      return event.message.find("expected") != std::string_view::npos;
  }
  return false;
}

// Damages one to four places: bytes changed, removed, doubled, or replaced by what JSON is made of.
std::string Damaged(std::string text, Random& random) {
  constexpr std::string_view kStructure = "{}[]:,\"\\ \n0n-.\x80";
  for (std::uint64_t i = 0, count = 1 + random.Below(4); i < count && !text.empty(); ++i) {
    const std::size_t at = random.Below(text.size());
    const std::size_t length = 1 + random.Below(8);
    switch (random.Below(5)) {
      case 0:
        text[at] = static_cast<char>(random.Next());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(random.Below(text.size()), length));
        break;
      default:
        text[at] = kStructure[random.Below(kStructure.size())];
        break;
    }
  }
  return text;
}

TEST(DecodeFuzzTest, ALineCutAnywhereIsInvalid) {
  EventDecoder decoder;
  for (const std::string& seed : Seeds()) {
    for (std::size_t size = 0; size < seed.size(); ++size) {
      const PaddedText line(std::string_view(seed).substr(0, size));
      const Event event = decoder.DecodeLine(line.View());
      ASSERT_EQ(event.type, EventType::kInvalid) << line.View();
      ASSERT_TRUE(KeepsPromises(event)) << line.View();
      decoder.Reset();
    }
  }
}

TEST(DecodeFuzzTest, ALineWithoutItsBeginningIsInvalid) {
  EventDecoder decoder;
  for (const std::string& seed : Seeds()) {
    for (std::size_t start = 1; start < seed.size(); ++start) {
      const PaddedText line(std::string_view(seed).substr(start));
      ASSERT_EQ(decoder.DecodeLine(line.View()).type, EventType::kInvalid) << line.View();
    }
  }
}

TEST(DecodeFuzzTest, AnyByteMayBeAnother) {
  EventDecoder decoder;
  Random random(1);
  for (const std::string& seed : Seeds()) {
    for (std::size_t at = 0; at < seed.size(); ++at) {
      for (const char byte : {'"', '}', '\\', static_cast<char>(random.Next())}) {
        std::string text = seed;
        text[at] = byte;
        const PaddedText line(text);
        ASSERT_TRUE(KeepsPromises(decoder.DecodeLine(line.View()))) << text;
        decoder.Reset();
      }
    }
  }
}

TEST(DecodeFuzzTest, DamagedLinesDoNoHarm) {
  EventDecoder decoder;
  const std::vector<std::string> seeds = Seeds();
  for (std::uint64_t seed = 1; seed <= 30000; ++seed) {
    Random random(seed);
    const std::string text = Damaged(seeds[random.Below(seeds.size())], random);
    const PaddedText line(text);
    ASSERT_TRUE(KeepsPromises(decoder.DecodeLine(line.View()))) << "seed " << seed;
    decoder.Reset();
  }
}

TEST(DecodeFuzzTest, DamagedPagesDoNoHarm) {
  EventDecoder decoder;
  const std::string pages[] = {ReadRecorded("page.json"), ReadRecorded("page_pretty.json")};
  for (std::uint64_t seed = 1; seed <= 10000; ++seed) {
    Random random(seed);
    const PaddedText text(Damaged(pages[random.Below(2)], random));
    bool promises_kept = true;
    const auto page = decoder.DecodePage(
        text.View(), [&](const Event& event) { promises_kept &= KeepsPromises(event); },
        text.View().size() + 64);
    ASSERT_TRUE(promises_kept) << "seed " << seed;
    ASSERT_TRUE(!page.ok() || !page->resource_version.empty()) << "seed " << seed;
  }
}

TEST(DecodeFuzzTest, DamagedObjectsDoNoHarm) {
  EventDecoder decoder;
  const std::vector<std::string> seeds = Seeds();
  for (std::uint64_t seed = 1; seed <= 10000; ++seed) {
    Random random(seed);
    const std::string& line = seeds[random.Below(seeds.size())];
    const std::size_t start = line.find("\"object\":") + 9;
    const std::string text = Damaged(line.substr(start, line.size() - 1 - start), random);
    const Event event = decoder.DecodeObject(text);
    ASSERT_TRUE(KeepsPromises(event)) << "seed " << seed;
    const auto thresholds = decoder.DecodeThresholds(event.run.spec_json);
    ASSERT_TRUE(thresholds.ok() || thresholds.error().code == Code::kInvalid) << "seed " << seed;
    if (HeartbeatStamp(event.run.managed_fields)) {
      ASSERT_NE(text.find("f:lastHeartbeatAt"), std::string::npos) << "seed " << seed;
    }
    const auto conditions = ForeignConditions(text);
    if (conditions.ok() && !conditions->empty()) {
      ASSERT_EQ(conditions->front(), '{') << "seed " << seed;
      ASSERT_EQ(conditions->back(), '}') << "seed " << seed;
    }
    ASSERT_LE(DecodeStatus(text).code, 999) << "seed " << seed;
  }
}

}  // namespace
}  // namespace jobrun
