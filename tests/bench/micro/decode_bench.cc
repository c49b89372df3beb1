// What the watch path costs per event, on recorded ones (tests/wire/testdata).
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "controller/wire/event_decoder.h"
#include "controller/wire/line_splitter.h"
#include "controller/wire/status_patch.h"
#include "tests/wire/recorded.h"

namespace jobrun {
namespace {

// The line with the decoder's padding behind it.
std::string Padded(const std::string& line) {
  return line + std::string(LineSplitter::kPadding, '\0');
}

// A heartbeat of a run that no kubectl applied: managedFields of two managers, no annotations.
std::string PlainHeartbeat() {
  std::string line = RecordedLines("watch.jsonl").at(8);
  const std::size_t start = line.find("\"annotations\":");
  const std::size_t end = line.find("\"creationTimestamp\"");
  return line.erase(start, end - start);
}

void Decode(benchmark::State& state, const std::string& line) {
  const std::string padded = Padded(line);
  EventDecoder decoder;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder.DecodeLine(std::string_view(padded).substr(0, line.size())));
    decoder.Reset();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * line.size()));
  state.SetLabel(std::to_string(line.size()) + " bytes");
}

void DecodePlainHeartbeat(benchmark::State& state) { Decode(state, PlainHeartbeat()); }
BENCHMARK(DecodePlainHeartbeat);

// With an annotation, a payload and three managers.
void DecodeFullHeartbeat(benchmark::State& state) {
  Decode(state, RecordedLines("watch.jsonl").at(6));
}
BENCHMARK(DecodeFullHeartbeat);

// From socket bytes to events, in reads of 64 KiB.
void SplitAndDecode(benchmark::State& state) {
  constexpr std::size_t kRead = std::size_t{64} << 10U;
  const std::string line = PlainHeartbeat() + "\n";
  std::string stream;
  while (stream.size() < (std::size_t{4} << 20U)) stream += line;
  LineSplitter splitter;
  EventDecoder decoder;
  std::int64_t events = 0;
  for (auto _ : state) {
    for (std::size_t at = 0; at < stream.size(); at += kRead) {
      const std::string_view chunk = std::string_view(stream).substr(at, kRead);
      std::memcpy(splitter.Prepare(chunk.size()), chunk.data(), chunk.size());
      splitter.Commit(chunk.size());
      std::string_view text;
      while (splitter.Next(text) == LineSplitter::Found::kLine) {
        benchmark::DoNotOptimize(decoder.DecodeLine(text));
        ++events;
      }
      decoder.Reset();
    }
  }
  state.SetItemsProcessed(events);
}
BENCHMARK(SplitAndDecode);

// A page of 500 runs, read in place.
void DecodePage(benchmark::State& state) {
  const std::string line = PlainHeartbeat();
  const std::size_t start = line.find("\"object\":") + 9;
  const std::string object = line.substr(start, line.size() - 1 - start);
  std::string page = R"({"metadata":{"resourceVersion":"1"},"items":[)" + object;
  for (int i = 1; i < 500; ++i) page.append(",").append(object);
  page.append("]}").reserve(page.size() + LineSplitter::kPadding);
  EventDecoder decoder;
  std::int64_t items = 0;
  for (auto _ : state) {
    const auto result = decoder.DecodePage(page, [&](const Event&) { ++items; }, page.capacity());
    if (!result.ok()) state.SkipWithError("the page was refused");
  }
  state.SetItemsProcessed(items);
}
BENCHMARK(DecodePage);

void DecodeThresholds(benchmark::State& state) {
  const std::string line = Padded(RecordedLines("watch.jsonl").at(6));
  EventDecoder decoder;
  const Event event =
      decoder.DecodeLine(std::string_view(line).substr(0, line.size() - LineSplitter::kPadding));
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder.DecodeThresholds(event.run.spec_json));
  }
}
BENCHMARK(DecodeThresholds);

void WriteVerdict(benchmark::State& state) {
  const VerdictPatch patch{.resource_version = 221,
                           .generation = 1,
                           .reason = Reason::kHeartbeatTimeout,
                           .message = "no heartbeat for 1m30s",
                           .verdict_id = "6d1f5f0a-1"};
  for (auto _ : state) benchmark::DoNotOptimize(WriteVerdictPatch(patch));
}
BENCHMARK(WriteVerdict);

}  // namespace
}  // namespace jobrun
