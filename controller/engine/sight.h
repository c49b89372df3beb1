// Whether we can see: pauses of our own loop and of the machine, and what people are told when the
// silence clock stops and runs again.
#pragma once

#include <optional>

#include "controller/engine/core.h"

namespace jobrun {

class Sight {
 public:
  explicit Sight(Core& core) : core_(core) {}

  // Before anything else of a step. What did not run could not have seen a heartbeat; the machine's
  // sleep shows on one of the clocks only. `asked_wake`: when the step should have come at the
  // latest.
  void OnStep(const Clocks& clocks, std::optional<Mono> asked_wake);

  // Tells of a stop that has begun or ended. That nothing is seen yet at the start is no news.
  void Tell();

 private:
  Core& core_;
  std::optional<Clocks> last_{};  // of the step before
  Mono blind_since_{};
  bool blind_{false};
  bool told_blind_{false};
  bool sighted_{false};  // the clock has run at least once
};

}  // namespace jobrun
