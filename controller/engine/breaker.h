// When very many runs fall silent together, it is rather something between their workers and us
// that died than all of them: their verdicts are held for a while. Heartbeats that come back make
// the verdicts void; what stays silent is written in the end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/engine/core.h"

namespace jobrun {

class Breaker {
 public:
  // A held run is looked at again so soon, for its own sake and to see whether the others are back.
  static constexpr Nanos kLookAgain = std::chrono::seconds(1);

  explicit Breaker(Core& core) : core_(core) {}

  // A verdict on silence is due: looks at all runs, if it has not done so a moment ago.
  void OnDue();
  // More runs have come to be judged since the last look: the next one is not put off.
  void LookAnew() { next_look_ = Mono{}; }
  // Until when the verdict of a run that is due since `due` is held; nothing: it is not.
  // Mono::max() while an operator holds all.
  [[nodiscard]] std::optional<Mono> HeldUntil(const RunRecord& record, Reason reason,
                                              Mono due) const;

  // Looks whether it can close. Call once in a step.
  void OnWake();
  [[nodiscard]] std::optional<Mono> NextWake() const;

  // Whether verdicts are held, by lane label and of all lanes together; an operator's word
  // included.
  [[nodiscard]] bool IsOpen(LaneIndex lane) const;
  [[nodiscard]] bool IsOpenForAll() const;

 private:
  // Of a lane, or of all.
  struct Group {
    std::uint64_t judged{0};  // runs that are judged by heartbeats
    std::uint64_t late{0};    // those that are due, or will be within a window
    Nanos window{Nanos::max()};
    bool open{false};
  };

  void Look();
  void Count();
  void CountRun(const RunRecord& record);
  void Settle(Group& group, const std::string& lane);

  Core& core_;
  std::vector<Group> lanes_;  // by lane label
  Group all_{};
  Mono next_look_{};
  bool any_open_{false};
};

// Verdicts that rest on not having heard of a run: rows 2 and 5 to 9.
[[nodiscard]] bool RestsOnSilence(Reason reason);

}  // namespace jobrun
