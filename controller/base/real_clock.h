// The only place that reads the machine's clocks (a test holds everything else to that).
#pragma once

#include "controller/base/time.h"

namespace jobrun {

// CLOCK_MONOTONIC and CLOCK_BOOTTIME, now. Any thread.
[[nodiscard]] Clocks ReadClocks();

// The machine's wall clock, for log lines and for programs that play the API server. All that it
// decides is when credentials of a plugin are asked for anew.
[[nodiscard]] ServerTime ReadWallClock();

}  // namespace jobrun
