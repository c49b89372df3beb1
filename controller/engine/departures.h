// Runs of which their watch tells no more while something about them is open: a verdict or the end
// of a retry that was sent and may have committed, or their deletion, if it is due soon. A watch
// with a selection says that a run has left it, and not how; so these are read live until it is
// known. Also on a standby, which counts what it wrote when it led; nothing is written here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "controller/engine/core.h"
#include "controller/engine/intake.h"
#include "controller/engine/outbox.h"
#include "controller/engine/reaper.h"

namespace jobrun {

class Departures {
 public:
  // Runs that are followed to their deletion. The others are found when the finished runs are next
  // looked through (finished_list.h), as those are that live longer than this.
  static constexpr Seconds kFollowed{600};
  static constexpr std::size_t kFollowedMax = 10'000;

  struct Parts {
    Core& core;
    Intake& intake;
    Reaper& reaper;
    Outbox& outbox;
    EventDecoder& decoder;
  };
  explicit Departures(const Parts& parts);

  // Its watch tells of the run no more. Where nothing is open it is forgotten at once.
  void Leave(Slot slot);
  // Keeps a run that is over, of which no watch tells, until it is deleted.
  void Keep(Slot slot);

  // Reads what is due. Call at the end of each step.
  void Pump();
  [[nodiscard]] bool Owns(RequestId id) const { return in_flight_.contains(id); }
  void OnResponse(const Response& response);
  [[nodiscard]] std::optional<Mono> NextWake() const;
  [[nodiscard]] std::size_t Size() const { return runs_.size(); }

 private:
  struct Departed {
    bool settled{false};  // how it ended is known
    bool kept{false};     // as long as the Outbox has work with it
    int failures{0};      // of reads, in a row
  };

  void LookAgain(Uid uid, Nanos in) { due_.emplace(core_.now.mono + in, uid); }
  void Look(Uid uid);
  void Read(Uid uid, const RunRecord& record);
  void TakeIn(Uid uid, Slot slot, const Response& response);
  void Forget(Uid uid, Slot slot);

  Core& core_;
  Intake& intake_;
  Reaper& reaper_;
  Outbox& outbox_;
  EventDecoder& decoder_;
  std::unordered_map<Uid, Departed, UidHash> runs_;
  std::multimap<Mono, Uid> due_;  // when each is looked at, but for those that are being read
  std::unordered_map<RequestId, Uid> in_flight_;
};

}  // namespace jobrun
