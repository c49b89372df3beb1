// The watch of testdata/README.md, from socket bytes to events.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/rfc3339.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/line_splitter.h"
#include "controller/wire/managed_fields.h"
#include "tests/wire/recorded.h"

namespace jobrun {
namespace {

constexpr const char* kTypeNames[] = {"added",    "modified", "deleted",
                                      "bookmark", "error",    "invalid"};

// One line per event: type, name, phase, heartbeat, reason, conditions.
std::string Summary(const Event& event) {
  std::string text = kTypeNames[static_cast<std::size_t>(event.type)];
  if (event.type == EventType::kBookmark) return text + (event.initial_events_end ? " end" : "");
  const ObservedRun& run = event.run;
  text.append(" ").append(run.name_space).append("/").append(run.name).append(" ");
  text.append(PhaseName(run.phase));
  if (run.being_deleted) text += " deleting";
  if (!run.last_heartbeat_at.empty()) text.append(" beat ").append(run.last_heartbeat_at);
  if (!run.reason.empty()) text.append(" for ").append(run.reason);
  if (run.has_foreign_conditions) text += " foreign";
  return text;
}

// The whole stream through splitter and decoder, in chunks as a socket may give them.
std::vector<std::string> Summaries(const std::string& stream, std::size_t chunk_bytes) {
  LineSplitter splitter;
  EventDecoder decoder;
  std::vector<std::string> summaries;
  for (std::size_t at = 0; at < stream.size(); at += chunk_bytes) {
    const std::string_view chunk = std::string_view(stream).substr(at, chunk_bytes);
    std::memcpy(splitter.Prepare(chunk.size()), chunk.data(), chunk.size());
    splitter.Commit(chunk.size());
    std::string_view line;
    while (splitter.Next(line) == LineSplitter::Found::kLine) {
      summaries.push_back(Summary(decoder.DecodeLine(line)));
    }
    decoder.Reset();
  }
  return summaries;
}

TEST(DecodeRecordedTest, TellsTheStoryOfTheRuns) {
  const std::string run = " teams-etl/nightly-sync-7f3k2 ";
  const std::string third_beat = "beat 2026-11-22T01:03:33.123456Z";
  const std::vector<std::string> story = {
      "bookmark end",
      "added" + run + "Pending",
      "added default/plain Pending",
      "modified" + run + "Running",
      "modified" + run + "Running beat 2026-11-22T01:01:33.123456Z",
      "modified" + run + "Running beat 2026-11-22T01:02:33.123456Z",
      "modified" + run + "Running " + third_beat,
      "modified" + run + "Running " + third_beat + " foreign",
      "modified default/plain Running",
      "modified" + run + "Stuck " + third_beat + " for HeartbeatTimeout foreign",
      "modified default/plain Running deleting",
      "deleted default/plain Running deleting",
      "added default/extra-1 Pending",
      "added default/extra-2 Pending",
      "added default/extra-3 Pending",
      "deleted" + run + "Stuck " + third_beat + " for HeartbeatTimeout foreign",
      "bookmark"};
  const std::string stream = ReadRecorded("watch.jsonl");
  for (const std::size_t chunk_bytes :
       {std::size_t{1}, std::size_t{7}, std::size_t{1448}, stream.size()}) {
    EXPECT_EQ(Summaries(stream, chunk_bytes), story) << chunk_bytes;
  }
}

// The server wrote these times while the worker's clock stood an hour behind.
TEST(DecodeRecordedTest, TellsWhenTheServerTookTheHeartbeats) {
  const auto at = [](std::string_view text) { return ParseRfc3339(text); };
  const std::vector<std::pair<std::optional<ServerTime>, std::optional<ServerTime>>> stamps = {
      {std::nullopt, std::nullopt},                              // created
      {std::nullopt, at("2026-11-22T01:52:40Z")},                // claimed
      {at("2026-11-22T01:52:41Z"), at("2026-11-22T01:52:41Z")},  // a beat, by the same manager
      {at("2026-11-22T01:52:43Z"), at("2026-11-22T01:52:43Z")},
      {at("2026-11-22T01:52:44Z"), at("2026-11-22T01:52:44Z")}};
  EventDecoder decoder;
  std::size_t seen = 0;
  for (std::string line : RecordedLines("watch.jsonl")) {
    const std::size_t size = line.size();
    line.append(LineSplitter::kPadding, '\0');
    const Event event = decoder.DecodeLine(std::string_view(line).substr(0, size));
    if (event.run.name != "nightly-sync-7f3k2" || seen == stamps.size()) continue;
    EXPECT_EQ(HeartbeatStamp(event.run.managed_fields), stamps[seen].first) << seen;
    EXPECT_EQ(ClaimStamp(event.run.managed_fields), stamps[seen].second) << seen;
    ++seen;
  }
  EXPECT_EQ(seen, stamps.size());
}

TEST(DecodeRecordedTest, ReadsTheFieldsOfARealObject) {
  EventDecoder decoder;
  std::string line = RecordedLines("watch.jsonl").at(6);
  const std::size_t size = line.size();
  line.append(LineSplitter::kPadding, '\0');
  const Event event = decoder.DecodeLine(std::string_view(line).substr(0, size));
  ASSERT_EQ(event.type, EventType::kModified) << event.message;
  EXPECT_FALSE(event.run.uid.IsNone());
  EXPECT_NE(line.find(FormatUid(event.run.uid)), std::string::npos);
  EXPECT_EQ(event.run.generation, 1U);
  EXPECT_NE(line.find(FormatTime(event.run.created)), std::string::npos);
  EXPECT_EQ(event.run.lane, "etl");
  EXPECT_EQ(event.run.claimed_at, "2026-11-22T01:02:03.000004Z");
  const auto thresholds = decoder.DecodeThresholds(event.run.spec_json);
  ASSERT_TRUE(thresholds.ok());
  EXPECT_EQ(*thresholds, (Thresholds{.deadline = Seconds(3600),
                                     .claim_ttl = Seconds(600),
                                     .heartbeat_mode = HeartbeatMode::kRequired,
                                     .heartbeat_interval = Seconds(30),
                                     .heartbeat_timeout = Seconds(90),
                                     .first_timeout = Seconds(120),
                                     .retry = {.max_attempts = 3, .backoff = Seconds(30)}}));
}

TEST(DecodeRecordedTest, AWatchFromACompactedVersionEndsWithGone) {
  EventDecoder decoder;
  std::string line = RecordedLines("watch_too_old.jsonl").at(0);
  const std::size_t size = line.size();
  line.append(LineSplitter::kPadding, '\0');
  const Event event = decoder.DecodeLine(std::string_view(line).substr(0, size));
  EXPECT_EQ(event.type, EventType::kError);
  EXPECT_EQ(event.status_code, 410);
  EXPECT_EQ(event.message, "too old resource version: 1 (207)");
}

}  // namespace
}  // namespace jobrun
