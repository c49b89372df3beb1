// The watch of the JobRuns in one scope: brings what it is told into the engine's records.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/engine/collection_watch.h"
#include "controller/engine/departures.h"
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
    Departures& departures;
    EventDecoder& decoder;
  };
  RunWatch(Parts parts, WatchScope scope, std::uint8_t index, std::uint64_t seed);

  // Begins or ends to select, as configured. What that changes the next list tells.
  void OnSettings();

  // Hands on what arrived, then counts it, once a batch.
  void OnEvents(const StreamEvents& events) override;

 private:
  [[nodiscard]] bool AskOtherwise() override;
  StreamId Open(OpenStream stream) override;
  void OnListing() override;
  void OnReplaced() override;
  void OnEvent(const Event& event, bool initial) override;
  void OnListEnded(ListOutcome outcome) override;
  void OnStreamEnded(StreamEnd end) override;
  [[nodiscard]] std::optional<Nanos> ListAgainAfter() const override;

  [[nodiscard]] bool IsOfThePast(const Event& event, bool initial) const;
  void OnDeleted(const Event& event);
  void OnGone(Slot slot);
  [[nodiscard]] Slot ComesBack(const Uid& uid);
  void Select(bool selects);
  [[nodiscard]] bool Selects() const { return TheCore().runs_selected[index_]; }
  void NoteUndone(const ObservedRun& run);
  [[nodiscard]] bool ForgetUndone();

  Intake& intake_;
  Reaper& reaper_;
  Departures& departures_;
  std::uint8_t index_;
  std::string fields_;   // those of the scope, whatever else is selected
  bool refused_{false};  // the server can't select what is wanted
  RecentDeletions deletions_{};
  std::vector<Uid> undone_{};  // runs that are over, of which the list tells an older version
  bool went_back_{false};      // the last list proved that the store was given an old backup
  std::array<std::uint64_t, 6> events_by_type_{};
};

}  // namespace jobrun
