// How often a worker beats, and how long it waits for an answer. Pure.
#pragma once

#include <optional>

#include "controller/base/time.h"
#include "controller/model/thresholds.h"

namespace jobrun {

// What the command line says in place of the run's own thresholds: a lane's are known to the
// controller only.
struct CadenceOptions {
  std::optional<Seconds> interval{};
  std::optional<Seconds> timeout{};
};

struct Cadence {
  // The longest time between two heartbeats: the interval, or a third of the timeout where that is
  // shorter, so that two may be lost.
  Nanos period{};
  // Of one request. A connection that went dead without a word costs this once: the next request
  // has another.
  Nanos deadline{};
  // Between a request that failed and the next.
  Nanos retry{};
  // Without an accepted heartbeat for so long the run may be another worker's.
  Nanos timeout{};
  // Between two looks at a run that a Lease beats for: no answer to a heartbeat tells that it was
  // cancelled. Half the grace of a cancelled run, so that the other half is left to its work.
  Nanos look{};

  bool operator==(const Cadence&) const = default;
};

[[nodiscard]] Cadence CadenceOf(const Thresholds& run, const CadenceOptions& options);

}  // namespace jobrun
