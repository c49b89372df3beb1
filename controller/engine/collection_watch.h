// One watched collection in one scope: connects a Reflector with the network, through effects, and
// tells of its troubles. What the objects mean is the subclass's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "controller/engine/core.h"
#include "controller/watch/reflector.h"
#include "controller/wire/targets.h"

namespace jobrun {

class CollectionWatch : protected ReflectorHost {
 public:
  struct Parts {
    Core& core;
    EventDecoder& decoder;
  };
  CollectionWatch(Parts parts, WatchScope scope, const ReflectorOptions& options,
                  std::uint64_t seed);

  [[nodiscard]] Reflector& Machine() { return reflector_; }
  [[nodiscard]] const Reflector& Machine() const { return reflector_; }
  // Why it makes no progress; empty when it does.
  [[nodiscard]] const std::string& Problem() const { return problem_; }

  // Hands on what arrived.
  virtual void OnEvents(const StreamEvents& events);
  // Logs whether it is in trouble where that had to wait. Call once in a step.
  void TellLate();
  // Closes its stream; nothing is watched any more.
  void Stop();

 protected:
  [[nodiscard]] std::string ListTarget(const ListOptions& options) const override;
  [[nodiscard]] std::string WatchTarget(const WatchOptions& options) const override;
  [[nodiscard]] Result<EventDecoder::Page> ReadPage(const std::string& body) override;
  RequestId Send(Request request) override;
  StreamId Open(OpenStream stream) override;
  void Close(StreamId stream) override;
  void OnListing() override { ++epoch_; }
  void OnListEnded(ListOutcome) override {}
  void OnStreamEnded(StreamEnd) override {}
  [[nodiscard]] std::optional<Nanos> ListAgainAfter() const override;
  void OnProblem(std::string_view problem) override;

  [[nodiscard]] Core& TheCore() const { return core_; }
  [[nodiscard]] const WatchScope& Scope() const { return scope_; }
  // What the next list, and what watches after it, ask for.
  void SelectFields(std::string fields) { scope_.field_selector = std::move(fields); }
  // Of the list that is under way or was the last: what a complete one did not have is gone.
  [[nodiscard]] std::uint16_t Epoch() const { return epoch_; }

 private:
  void LogProblem();

  Core& core_;
  EventDecoder& decoder_;
  WatchScope scope_;
  std::uint16_t epoch_{0};
  StreamId stream_{0};
  std::string problem_{};
  bool told_troubled_{false};  // what the log says
  Mono next_error_{};          // no line before
  Mono next_recovery_{};
  Reflector reflector_;
};

}  // namespace jobrun
