// What gauges show at one instant.
#pragma once

#include "controller/engine/core.h"

namespace jobrun {

// All that Core knows; what waits, what is under way and the breaker are for the caller to add.
// Looks at every run.
[[nodiscard]] Snapshot SnapshotOf(const Core& core);

}  // namespace jobrun
