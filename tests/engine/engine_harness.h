// Drives the production Engine from memory, in virtual time: what it asks for is collected, what it
// is told goes through the real decoder.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "controller/engine/engine.h"
#include "controller/model/reason.h"
#include "controller/wire/event_decoder.h"
#include "tests/engine/run_text.h"

namespace jobrun {

class EngineHarness {
 public:
  explicit EngineHarness(Settings settings = {})
      : EngineHarness(OptionsWith(std::move(settings))) {}
  explicit EngineHarness(EngineOptions options) { Restart(std::move(options)); }

  // Another process: what the last one asked for and knew is gone; what it counted and logged
  // stays.
  void Restart(EngineOptions options) {
    requests_.clear();
    wake_.reset();
    stream_ = canary_stream_ = 0;
    last_stream_ = {};
    witness_streams_.clear();
    engine_.emplace(std::move(options), clocks_);
    Give(Woke{});
  }

  static EngineOptions OptionsWith(Settings settings) {
    EngineOptions options;
    options.process_id = "proc";
    options.settings = Patient(std::move(settings));
    return options;
  }
  // Tests that let an hour pass have no list in mind, neither of all runs nor of the finished ones,
  // unless they say how often.
  static Settings Patient(Settings settings) {
    if (settings.watch.relist == RunWatchSettings{}.relist) {
      settings.watch = {.relist = kSeldom, .finished = true};
    }
    return settings;
  }
  static constexpr Seconds kSeldom = std::chrono::hours(24);

  // ---- what the engine is told ----

  void Give(const Input& input) {
    Effects effects;
    if (const auto* loaded = std::get_if<ConfigLoaded>(&input)) {
      engine_->Step(clocks_, ConfigLoaded{Patient(loaded->settings)}, effects);
    } else {
      engine_->Step(clocks_, input, effects);
    }
    for (Effect& effect : effects) std::visit([this](auto& e) { Note(e); }, effect);
  }

  // The first sync, as a WatchList, or a later one.
  static std::string InitialEventsEnd(std::uint64_t version = 1) {
    return R"({"type":"BOOKMARK","object":{"kind":"JobRun","metadata":{"resourceVersion":")" +
           std::to_string(version) + R"(","annotations":{"k8s.io/initial-events-end":"true"}}}})";
  }
  void Sync(const std::vector<RunText>& runs, std::uint64_t version = 1) {
    Opened();
    std::vector<std::string> lines;
    for (const RunText& run : runs) lines.push_back(run.Line("ADDED"));
    lines.push_back(InitialEventsEnd(version));
    Lines(lines);
  }
  void EndInitialEvents() { Lines({InitialEventsEnd()}); }
  void Opened() {
    Give(StreamOpened{
        .id = stream_, .date = ServerNow(), .sent_at = clocks_.mono, .received_at = clocks_.mono});
  }
  void Watch(const RunText& run, std::string_view type = "MODIFIED") { Lines({run.Line(type)}); }
  void Lines(const std::vector<std::string>& lines) { Tell(stream_, Watched::kJobRuns, lines); }

  // The same for what tells of runs from the outside.
  void SyncWitnesses(Watched watched, std::vector<std::string> lines) {
    Give(StreamOpened{.id = witness_streams_.at(watched),
                      .date = ServerNow(),
                      .sent_at = clocks_.mono,
                      .received_at = clocks_.mono});
    lines.push_back(
        R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"100","annotations":{"k8s.io/initial-events-end":"true"}}}})");
    Tell(witness_streams_.at(watched), watched, lines);
  }
  void Witness(Watched watched, const std::string& line) {
    Tell(witness_streams_.at(watched), watched, {line});
  }
  // And for the canaries.
  void SyncCanaries(const std::vector<RunText>& canaries) {
    Give(StreamOpened{.id = canary_stream_,
                      .date = ServerNow(),
                      .sent_at = clocks_.mono,
                      .received_at = clocks_.mono});
    std::vector<std::string> lines;
    for (const RunText& canary : canaries) lines.push_back(canary.Line("ADDED"));
    lines.push_back(
        R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"100","annotations":{"k8s.io/initial-events-end":"true"}}}})");
    Tell(canary_stream_, Watched::kJobRuns, lines);
  }
  void Canary(const RunText& canary, std::string_view type = "MODIFIED") {
    Tell(canary_stream_, Watched::kJobRuns, {canary.Line(type)});
  }
  void CutCanaries(int status = 0) { Give(StreamClosed{.id = canary_stream_, .status = status}); }
  [[nodiscard]] bool WatchesCanaries() const { return canary_stream_ != 0; }

  void CutWitnesses(Watched watched, int status) {
    Give(StreamClosed{.id = witness_streams_.at(watched), .status = status, .detail = "no"});
  }

  void Tell(StreamId stream, Watched watched, const std::vector<std::string>& lines) {
    std::vector<std::string> padded = lines;
    std::vector<Event> events;
    decoder_.Reset();
    for (std::string& line : padded) {
      const std::size_t size = line.size();
      line.append(128, ' ');
      events.push_back(decoder_.DecodeLine(std::string_view(line).substr(0, size), watched));
    }
    Give(StreamEvents{.id = stream, .events = events});
  }
  void CutStream(int status = 0) { Give(StreamClosed{.id = stream_, .status = status}); }

  // Answers the oldest open request.
  Request Answer(int status, std::string body = {}, std::optional<Seconds> retry_after = {}) {
    if (requests_.empty()) {
      ADD_FAILURE() << "nothing was asked for";
      return {};
    }
    const Request request = requests_.front();
    requests_.erase(requests_.begin());
    Give(Response{.id = request.id,
                  .status = status,
                  .date = status == 0 ? std::nullopt : std::optional(ServerNow()),
                  .retry_after = retry_after,
                  .sent_at = clocks_.mono,
                  .received_at = clocks_.mono,
                  .body = std::move(body),
                  .detail = status == 0 ? "no answer" : ""});
    return request;
  }

  // Answers one of the open requests.
  // More came to the first request than is accepted.
  void AnswerTooLarge() {
    ASSERT_FALSE(requests_.empty());
    const RequestId id = requests_.front().id;
    requests_.erase(requests_.begin());
    Give(Response{.id = id, .too_large = true, .detail = "too large"});
  }
  void AnswerTo(RequestId id, int status, std::string body = {}) {
    std::erase_if(requests_, [id](const Request& request) { return request.id == id; });
    Give(Response{.id = id,
                  .status = status,
                  .date = status == 0 ? std::nullopt : std::optional(ServerNow()),
                  .sent_at = clocks_.mono,
                  .received_at = clocks_.mono,
                  .body = std::move(body),
                  .detail = status == 0 ? "no answer" : ""});
  }

  // Lets time pass; the engine is woken whenever it asked to be.
  void Pass(Nanos time) {
    const Mono until = clocks_.mono + time;
    while (wake_ && *wake_ <= until) {
      SetTime(std::max(clocks_.mono, *std::exchange(wake_, std::nullopt)));
      Give(Woke{});
    }
    SetTime(until);
    Give(Woke{});
  }

  // The same up to the first wake, and without one that was not asked for.
  void PassTo(Mono until) {
    const bool wakes = wake_ && *wake_ <= until;
    SetTime(wakes ? std::max(clocks_.mono, *std::exchange(wake_, std::nullopt)) : until);
    if (wakes) Give(Woke{});
  }

  // The process does not run for so long: it is woken too late.
  void Hang(Nanos time) {
    SetTime(clocks_.mono + time);
    wake_.reset();
    Give(Woke{});
  }
  // The same, and what wakes it is what is told next.
  void Freeze(Nanos time) {
    SetTime(clocks_.mono + time);
    wake_.reset();
  }
  // The machine is suspended for so long.
  void Sleep(Nanos time) {
    slept_ += time;
    SetTime(clocks_.mono);
    Give(Woke{});
  }

  // ---- what the engine asked for ----

  [[nodiscard]] const std::vector<Request>& Requests() const { return requests_; }
  // All open requests; who takes them answers them with Give.
  [[nodiscard]] std::vector<Request> TakeRequests() { return std::exchange(requests_, {}); }
  // The counter's value; all lanes together.
  [[nodiscard]] double Counted(Metric metric, std::uint8_t label = 0) const {
    const auto found = counts_.find({metric, label});
    return found == counts_.end() ? 0 : found->second;
  }
  // The last value that a histogram was given, seconds.
  [[nodiscard]] double Observed(Metric metric) { return observed_[metric]; }
  // Reaps, finalized runs and retries, by the names of lane and label.
  using LaneCounts = std::map<std::pair<std::string, std::string>, double>;
  [[nodiscard]] const LaneCounts& CountedByLane(Metric metric) { return by_lane_[metric]; }
  [[nodiscard]] double Reaps(Reason reason) const {
    return Counted(Metric::kReaps, static_cast<std::uint8_t>(reason));
  }
  [[nodiscard]] double Suppressed(Suppression cause) const {
    return Counted(Metric::kSuppressed, static_cast<std::uint8_t>(cause));
  }
  [[nodiscard]] const std::vector<LogLine>& Log() const { return log_; }
  [[nodiscard]] const std::vector<EmitEvent>& Events() const { return events_; }
  [[nodiscard]] Snapshot Scrape() {
    Give(ScrapeAsked{1});
    return snapshot_;
  }
  [[nodiscard]] std::optional<Explanation> Explain(const std::string& name_space,
                                                   const std::string& name) {
    Give(ExplainAsked{.id = 2, .name_space = name_space, .name = name});
    return explanation_;
  }
  [[nodiscard]] Health CheckHealth() const { return engine_->CheckHealth(); }
  [[nodiscard]] bool Exited() const { return exited_.has_value(); }
  [[nodiscard]] std::optional<ExitCause> ExitedFor() const { return exited_; }
  [[nodiscard]] int StreamsOpened() const { return streams_opened_; }
  [[nodiscard]] std::optional<Mono> Wake() const { return wake_; }
  [[nodiscard]] Mono Time() const { return clocks_.mono; }
  [[nodiscard]] const OpenStream& LastStream() const { return last_stream_; }
  // The target of the last watch opened; empty when there was none.
  [[nodiscard]] std::string WitnessTarget(Watched watched) { return witness_targets_[watched]; }
  [[nodiscard]] bool WatchesWitnesses(Watched watched) const {
    const auto found = witness_streams_.find(watched);
    return found != witness_streams_.end() &&
           std::ranges::find(closed_, found->second) == closed_.end();
  }
  [[nodiscard]] ServerTime ServerNow() const {
    // A `Date` header is cut to the second.
    return kServerStart + std::chrono::floor<Seconds>(clocks_.boot.time_since_epoch());
  }

 private:
  void SetTime(Mono mono) { clocks_ = {mono, Boot(mono.time_since_epoch() + slept_)}; }

  void Note(OpenStream& open) {
    if (open.watched != Watched::kJobRuns) {
      witness_streams_[open.watched] = open.id;
      witness_targets_[open.watched] = open.target;
      return;
    }
    if (open.target.find("jobrun-canary") != std::string::npos) {
      canary_stream_ = open.id;
      return;
    }
    ++streams_opened_;
    stream_ = open.id;
    last_stream_ = open;
  }
  void Note(CloseStream& close) { closed_.push_back(close.id); }
  void Note(SendRequest& request) { requests_.push_back(std::move(request)); }
  void Note(WakeAt& wake) { wake_ = wake.at; }
  void Note(Count& count) {
    const bool observed = count.metric == Metric::kDetectionLag ||
                          count.metric == Metric::kCanaryRoundTrip ||
                          count.metric == Metric::kQueueWait || count.metric == Metric::kWork;
    if (observed) observed_[count.metric] = count.value;
    counts_[{count.metric, count.label}] += observed ? 1 : count.value;
    std::string_view label;
    if (count.metric == Metric::kReaps) label = kReasons.at(count.label).name;
    if (count.metric == Metric::kFinalized) label = "FinalizedByController";
    if (count.metric == Metric::kRetries) label = kRetryResultNames.at(count.label);
    if (label.empty()) return;
    by_lane_[count.metric][{engine_->LaneNames().at(count.lane), std::string(label)}] +=
        count.value;
  }
  void Note(EmitEvent& event) { events_.push_back(std::move(event)); }
  void Note(LogLine& line) { log_.push_back(std::move(line)); }
  void Note(jobrun::Answer& answer) {
    if (answer.id == 2) {
      explanation_ = std::move(answer.explanation);
    } else {
      snapshot_ = std::move(answer.snapshot);
    }
  }
  void Note(Exit& exit) { exited_ = exit.cause; }

  Clocks clocks_{};
  Nanos slept_{};
  std::optional<Engine> engine_;
  EventDecoder decoder_;
  StreamId stream_{0};
  OpenStream last_stream_{};
  std::map<Watched, StreamId> witness_streams_;
  std::map<Watched, std::string> witness_targets_;
  std::vector<StreamId> closed_;
  StreamId canary_stream_{0};
  int streams_opened_{0};
  std::vector<Request> requests_;
  std::map<std::pair<Metric, std::uint8_t>, double> counts_;
  std::map<Metric, double> observed_;
  std::map<Metric, LaneCounts> by_lane_;
  std::vector<LogLine> log_;
  std::vector<EmitEvent> events_;
  Snapshot snapshot_;
  std::optional<Explanation> explanation_;
  std::optional<Mono> wake_;
  std::optional<ExitCause> exited_;
};

}  // namespace jobrun
