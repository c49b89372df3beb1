// From what is observed of a run to its record: when its present heartbeat was first seen, when it
// started, which policy holds.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>

#include "controller/engine/core.h"
#include "controller/engine/recent_uids.h"
#include "controller/wire/event_decoder.h"

namespace jobrun {

// How an object came to be seen; what may be concluded from it differs.
enum class Source : std::uint8_t {
  kList,   // it was so before we looked: ages are unknown
  kWatch,  // it has just become so
  kRead,   // a live read or the answer to a write: as kWatch, and newer than the watch may be
};

class Intake {
 public:
  Intake(Core& core, EventDecoder& decoder) : core_(core), decoder_(decoder) {}

  struct Seen {
    Slot slot{kNoSlot};
    bool judge{false};            // what it is judged by has changed: judge it now
    bool became_terminal{false};  // it was active (or unknown) before
    Slot forgotten{kNoSlot};      // where the run was until this object, which can't be judged
  };
  // Updates the record or makes one. No slot: the object can't be judged, or is older than what is
  // known.
  [[nodiscard]] Seen Observe(const ObservedRun& run, Source source, std::uint8_t scope,
                             std::uint16_t epoch);

  // Drops the record.
  void Forget(Slot slot);

  // The run was heard of after its end: counted once while it is remembered.
  void CountDispute(const RunRecord& record, const ObservedRun& run);

  // An object that can't be decoded: counted, and reported once.
  void Invalid(const ObservedRun& run, std::string_view why);

  // The policies were resolved anew; `before` holds the old ones. Runs whose limits became shorter
  // get two intervals from now. Every run is to be judged again. True: some take their heartbeats
  // from elsewhere now, and what they say of their workers must be told again.
  [[nodiscard]] bool OnPoliciesReloaded(const std::vector<Policy>& before);

 private:
  [[nodiscard]] bool SetPolicy(Slot slot, const ObservedRun& run);
  void NoteStart(RunRecord& record, const ObservedRun& run, bool seen_live);
  void NoteHeartbeat(RunRecord& record, const ObservedRun& run, bool first, bool listed);
  [[nodiscard]] Silence MarkOfBeat(const ObservedRun& run) const;
  void NoteGap(const RunRecord& record, Nanos gap);
  void NoteSkew(const RunRecord& record, const ObservedRun& run);
  void Recount(const RunRecord& record, std::int64_t by);
  [[nodiscard]] bool NoteDetails(RunRecord& record, const ObservedRun& run);
  void NoteProgress(RunDetails& details, std::string_view progress);
  void DropDetails(RunRecord& record);
  void NoteDispute(RunRecord& record, const ObservedRun& run, bool is_new);
  void NoteLane(const ObservedRun& run);
  void EaseIn(RunRecord& record, const Policy& before);
  void Ease(Silence& since, std::optional<Seconds> before, std::optional<Seconds> limit, Nanos by);

  Core& core_;
  EventDecoder& decoder_;
  RecentUids disputed_;
  std::unordered_set<std::uint64_t> reported_;        // hashes of names, at most kReportedMax
  std::unordered_set<std::uint64_t> reported_lanes_;  // the same
};

}  // namespace jobrun
