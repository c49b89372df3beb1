// Where runs that are over are not watched: looks through all of them once in a while, page by page
// and without keeping them, for those that are to be deleted soon and those that were heard of
// after their end. The leader's alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/engine/core.h"
#include "controller/engine/departures.h"
#include "controller/engine/intake.h"
#include "controller/engine/outbox.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/targets.h"

namespace jobrun {

class FinishedList {
 public:
  // Taken in by one round, at most: what can be deleted until the next at rateLimit's default.
  static constexpr std::size_t kTakenMax = 30'000;

  struct Parts {
    Core& core;
    Intake& intake;
    Outbox& outbox;
    Departures& departures;
    EventDecoder& decoder;
  };
  FinishedList(const Parts& parts, std::vector<WatchScope> scopes);

  // Begins a round when it is time. Call at the end of each step.
  void Pump();
  // Another time to live may hold: a round comes soon.
  void OnSettings();
  // Nothing new is asked for from now on.
  void Stop() { stopping_ = true; }
  [[nodiscard]] bool Owns(RequestId id) const { return request_ == id && id != 0; }
  void OnResponse(const Response& response);
  [[nodiscard]] std::optional<Mono> NextWake() const;

 private:
  [[nodiscard]] bool IsNeeded() const;
  [[nodiscard]] Nanos FirstRound() const;
  [[nodiscard]] Nanos Every(std::size_t runs) const;
  void Begin();
  void RequestPage();
  void OnPage(const Response& response);
  void End();
  void GiveUp(const Response& response);
  void Take(const Event& event);
  void Adopt(const ObservedRun& run);
  void NoteDispute(PolicyId policy, const ObservedRun& run);

  Core& core_;
  Intake& intake_;
  Outbox& outbox_;
  Departures& departures_;
  EventDecoder& decoder_;
  std::vector<WatchScope> scopes_;
  std::optional<Mono> next_;  // the next round begins; nothing while none is needed
  // Of the round under way.
  RequestId request_{0};
  std::size_t scope_{0};
  std::string continue_{};
  ServerTime began_{};
  std::size_t seen_{0};
  std::size_t taken_{0};

  std::size_t seen_before_{0};   // by the last round
  ServerTime disputes_since_{};  // what was stamped earlier has been counted, or is not ours
  int failures_{0};              // rounds in a row
  int page_objects_{ListOptions{}.limit};  // fewer where they are very large
  bool stopping_{false};
};

}  // namespace jobrun
