// One watched scope of JobRuns: connects a Reflector with the engine's records.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "controller/engine/core.h"
#include "controller/engine/intake.h"
#include "controller/engine/reaper.h"
#include "controller/watch/reflector.h"
#include "controller/wire/targets.h"

namespace jobrun {

class RunWatch final : private ReflectorHost {
 public:
  struct Parts {
    Core& core;
    Intake& intake;
    Reaper& reaper;
    EventDecoder& decoder;
  };
  RunWatch(Parts parts, WatchScope scope, std::uint8_t index, std::uint64_t seed);

  [[nodiscard]] Reflector& Machine() { return reflector_; }
  [[nodiscard]] const Reflector& Machine() const { return reflector_; }
  // Why it makes no progress; empty when it does.
  [[nodiscard]] const std::string& Problem() const { return problem_; }

  // Hands on what arrived, then counts it, once a batch.
  void OnEvents(const StreamEvents& events);
  // Logs whether it is in trouble where that had to wait. Call once in a step.
  void TellLate();
  // Closes its stream; nothing is watched any more.
  void Stop();

 private:
  [[nodiscard]] std::string ListTarget(const ListOptions& options) const override;
  [[nodiscard]] std::string WatchTarget(const WatchOptions& options) const override;
  [[nodiscard]] Result<EventDecoder::Page> ReadPage(const std::string& body) override;
  RequestId Send(Request request) override;
  StreamId Open(OpenStream stream) override;
  void Close(StreamId stream) override;
  void OnListing() override;
  void OnReplaced() override;
  void OnEvent(const Event& event, bool initial) override;
  void OnListEnded(ListOutcome outcome) override;
  void OnStreamEnded(StreamEnd end) override;
  void OnProblem(std::string_view problem) override;

  void OnDeleted(const Event& event);
  void LogProblem();

  Parts parts_;
  WatchScope scope_;
  std::uint8_t index_;
  std::uint16_t epoch_{0};
  StreamId stream_{0};
  std::string problem_{};
  bool told_troubled_{false};  // what the log says
  Mono next_error_{};          // no line before
  Mono next_recovery_{};
  std::array<std::uint64_t, 6> events_by_type_{};
  Reflector reflector_;
};

}  // namespace jobrun
