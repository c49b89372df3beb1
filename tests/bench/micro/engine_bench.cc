// What a heartbeat costs once its bytes are decrypted: framing, decoding, Engine::Step; and what
// timers cost.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "controller/base/random.h"
#include "controller/base/rfc3339.h"
#include "controller/engine/engine.h"
#include "controller/engine/timers.h"
#include "controller/kube/chunk_reader.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/line_splitter.h"
#include "tests/bench/micro/loaded_engine.h"

namespace jobrun {
namespace {

using bench::LoadedEngine;

// As many events as come in one read of the watch.
constexpr std::size_t kBatch = 40;

// From the bytes of the stream, as TLS hands them over, to the engine's answer.
void HeartbeatFromBytes(benchmark::State& state) {
  LoadedEngine engine(static_cast<std::uint32_t>(state.range(0)));
  std::string bytes;
  ChunkReader chunks;
  LineSplitter splitter;
  EventDecoder decoder;
  std::vector<Event> events;
  std::int64_t size = 0;
  for (auto _ : state) {
    state.PauseTiming();
    bytes.clear();
    for (std::size_t i = 0; i < kBatch; ++i) engine.AppendHeartbeat(engine.AnyRun(), bytes);
    engine.Pass(std::chrono::milliseconds(4));
    size += static_cast<std::int64_t>(bytes.size());
    state.ResumeTiming();
    char* const into = splitter.Prepare(bytes.size());
    std::memcpy(into, bytes.data(), bytes.size());
    splitter.Commit(chunks.Strip(into, bytes.size()));
    events.clear();
    std::string_view line;
    while (splitter.Next(line) == LineSplitter::Found::kLine)
      events.push_back(decoder.DecodeLine(line));
    engine.GiveEvents(events);
    decoder.Reset();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
  state.SetBytesProcessed(size);
}
BENCHMARK(HeartbeatFromBytes)->Arg(1'000)->Arg(100'000);

// Engine::Step alone: batches of decoded heartbeats of runs picked at random.
void StepHeartbeats(benchmark::State& state) {
  LoadedEngine engine(static_cast<std::uint32_t>(state.range(0)));
  std::vector<std::string> lines(kBatch);
  std::vector<Event> events;
  EventDecoder decoder;
  for (std::string& line : lines) {
    std::string chunk;
    engine.AppendHeartbeat(engine.AnyRun(), chunk);
    line = chunk.substr(chunk.find('{'));
    const std::size_t size = line.find('\n');
    line.append(LineSplitter::kPadding, '\0');
    events.push_back(decoder.DecodeLine(std::string_view(line).substr(0, size)));
  }
  std::string beat(bench::MicroTimeText::kBytes, '0');
  std::uint64_t beats = 0;
  for (auto _ : state) {
    ++beats;
    std::memcpy(beat.data(), &beats, sizeof beats);
    for (Event& event : events) {
      event.run.uid = engine.UidOf(engine.AnyRun());
      event.run.resource_version = engine.NextVersion();
      event.run.last_heartbeat_at = beat;
    }
    engine.GiveEvents(events);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
}
BENCHMARK(StepHeartbeats)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

// A heartbeat moves no timer, so each run's fires once a timeout, finds it alive and is set anew.
void LookAgain(benchmark::State& state) {
  LoadedEngine engine(static_cast<std::uint32_t>(state.range(0)));
  const std::int64_t runs = engine.Runs();
  const auto beat_all = [&] {
    for (std::uint32_t run = 0; run < engine.Runs(); ++run) engine.Beat(run);
  };
  engine.Pass(std::chrono::seconds(75));
  for (auto _ : state) {
    state.PauseTiming();
    beat_all();
    engine.Pass(std::chrono::seconds(76));
    state.ResumeTiming();
    engine.Give(Woke{});
    state.PauseTiming();
    beat_all();
    engine.Pass(std::chrono::seconds(76));
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * runs);
}
BENCHMARK(LookAgain)->Arg(100'000)->Unit(benchmark::kMillisecond)->Iterations(5);

// The heap alone: every run due once a second, popped and armed again.
void Timers(benchmark::State& state) {
  Store store;
  jobrun::Timers timers(store);
  Random random(1);
  const auto runs = static_cast<std::uint32_t>(state.range(0));
  for (std::uint32_t i = 0; i < runs; ++i) {
    const Slot slot = store.Insert({random.Next(), random.Next()}, "run");
    timers.Arm(slot, Mono(Nanos(static_cast<Nanos::rep>(random.Below(1'000'000'000)))));
  }
  Mono now{};
  for (auto _ : state) {
    now = *timers.Next();
    const std::optional<Slot> slot = timers.PopDue(now);
    timers.Arm(*slot, now + std::chrono::seconds(1));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Timers)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace jobrun
