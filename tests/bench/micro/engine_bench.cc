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
#include "tests/bench/loadserver/run_text.h"

namespace jobrun {
namespace {

using bench::RunFields;
using bench::RunText;

const ServerTime kStart = *ParseRfc3339("2026-11-22T12:00:00Z");
constexpr std::uint64_t kFirstVersion = 1'000'000'000;
// As many events as come in one read of the watch.
constexpr std::size_t kBatch = 40;

// An engine in step with `runs` runs that all beat, and the means to beat them.
class LoadedEngine {
 public:
  explicit LoadedEngine(std::uint32_t runs)
      : text_({.interval_seconds = 30, .timeout_seconds = 150}, kStart - std::chrono::minutes(1)),
        engine_({.process_id = "bench"}, clocks_) {
    Give(Woke{});
    Give(StreamOpened{
        .id = stream_, .date = kStart, .sent_at = clocks_.mono, .received_at = clocks_.mono});
    uids_.reserve(runs);
    for (std::uint32_t i = 0; i < runs; ++i) {
      Tell(R"({"type":"ADDED","object":)" + text_.Object(FieldsOf(i)) + "}");
    }
    Tell(R"({"type":"BOOKMARK","object":{"kind":"JobRun","metadata":{"resourceVersion":")" +
         std::to_string(version_) + R"(","annotations":{"k8s.io/initial-events-end":"true"}}}})");
  }

  [[nodiscard]] std::uint32_t Runs() const { return static_cast<std::uint32_t>(uids_.size()); }
  [[nodiscard]] std::uint32_t AnyRun() {
    return static_cast<std::uint32_t>(random_.Below(uids_.size()));
  }
  [[nodiscard]] Uid UidOf(std::uint32_t run) const { return uids_[run]; }
  [[nodiscard]] std::uint64_t NextVersion() { return ++version_; }

  // The chunk of a heartbeat of this run, now.
  void AppendHeartbeat(std::uint32_t run, std::string& out) {
    text_.AppendChunk(RunText::Event::kModified, FieldsOf(run), out);
  }

  void Give(const Input& input) {
    engine_.Step(clocks_, input, effects_);
    for (const Effect& effect : effects_) {
      if (const auto* open = std::get_if<OpenStream>(&effect)) stream_ = open->id;
    }
    effects_.clear();
  }
  void GiveEvents(const std::vector<Event>& events) {
    Give(StreamEvents{.id = stream_, .events = events});
  }
  void Pass(Nanos time) { clocks_ = {clocks_.mono + time, clocks_.boot + time}; }

 private:
  RunFields FieldsOf(std::uint32_t run) {
    const auto since =
        std::chrono::duration_cast<std::chrono::microseconds>(clocks_.mono.time_since_epoch());
    ++version_;
    return {.number = run,
            .version = version_,
            .heartbeat = kStart + since + std::chrono::microseconds(version_ - kFirstVersion)};
  }
  void Tell(std::string line) {
    const std::size_t size = line.size();
    line.append(LineSplitter::kPadding, '\0');
    const std::vector<Event> events = {decoder_.DecodeLine(std::string_view(line).substr(0, size))};
    if (events[0].type == EventType::kAdded) uids_.push_back(events[0].run.uid);
    GiveEvents(events);
    decoder_.Reset();
  }

  Clocks clocks_{};
  RunText text_;
  Engine engine_;
  EventDecoder decoder_;
  Effects effects_;
  StreamId stream_{0};
  std::uint64_t version_{kFirstVersion};
  std::vector<Uid> uids_;
  Random random_{1};
};

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
  EventDecoder decoder;
  const auto beat_all = [&] {
    std::string chunk;
    for (std::uint32_t run = 0; run < engine.Runs(); ++run) {
      chunk.clear();
      engine.AppendHeartbeat(run, chunk);
      const std::size_t start = chunk.find('{');
      const std::size_t size = chunk.find('\n') - start;
      chunk.append(LineSplitter::kPadding, '\0');
      engine.GiveEvents({decoder.DecodeLine(std::string_view(chunk).substr(start, size))});
      decoder.Reset();
    }
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
