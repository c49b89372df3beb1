// The watch of the JobRuns in one scope: brings what it is told into the engine's records.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "controller/engine/collection_watch.h"
#include "controller/engine/intake.h"
#include "controller/engine/reaper.h"
#include "controller/engine/recent_deletions.h"

namespace jobrun {

class RunWatch final : public CollectionWatch {
 public:
  struct Parts {
    Core& core;
    Intake& intake;
    Reaper& reaper;
    EventDecoder& decoder;
  };
  RunWatch(Parts parts, WatchScope scope, std::uint8_t index, std::uint64_t seed);

  // Hands on what arrived, then counts it, once a batch.
  void OnEvents(const StreamEvents& events) override;

 private:
  [[nodiscard]] bool IsCanary(const ObservedRun& run) const;
  StreamId Open(OpenStream stream) override;
  void OnListing() override;
  void OnReplaced() override;
  void OnEvent(const Event& event, bool initial) override;
  void OnListEnded(ListOutcome outcome) override;
  void OnStreamEnded(StreamEnd end) override;
  [[nodiscard]] std::optional<Nanos> ListAgainAfter() const override;

  [[nodiscard]] bool IsOfThePast(const Event& event, bool initial) const;
  void OnDeleted(const Event& event);
  void NoteUndone(const ObservedRun& run);
  [[nodiscard]] bool ForgetUndone();

  Intake& intake_;
  Reaper& reaper_;
  std::uint8_t index_;
  RecentDeletions deletions_{};
  std::vector<Uid> undone_{};  // runs that are over, of which the list tells an older version
  bool went_back_{false};      // the last list proved that the store was given an old backup
  std::array<std::uint64_t, 6> events_by_type_{};
};

}  // namespace jobrun
