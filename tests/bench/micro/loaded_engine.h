// An engine in step with many runs, without a network: for what is measured or counted of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "controller/base/random.h"
#include "controller/base/rfc3339.h"
#include "controller/engine/engine.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/line_splitter.h"
#include "tests/bench/loadserver/run_text.h"

namespace jobrun::bench {

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

  // One heartbeat of this run, now, decoded and taken in.
  void Beat(std::uint32_t run) {
    chunk_.clear();
    AppendHeartbeat(run, chunk_);
    const std::size_t start = chunk_.find('{');
    const std::size_t size = chunk_.find('\n', start) - start;
    chunk_.append(LineSplitter::kPadding, '\0');
    GiveEvents({decoder_.DecodeLine(std::string_view(chunk_).substr(start, size))});
    decoder_.Reset();
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
  static inline const ServerTime kStart = *ParseRfc3339("2026-11-22T12:00:00Z");
  static constexpr std::uint64_t kFirstVersion = 1'000'000'000;

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
  std::string chunk_;
  StreamId stream_{0};
  std::uint64_t version_{kFirstVersion};
  std::vector<Uid> uids_;
  Random random_{1};
};

}  // namespace jobrun::bench
