// Plans of the size and the length that production meets, with the settings of production: few
// faults, but long ones, and a thousand runs.
#pragma once

#include "tests/simulation/plan.h"

namespace jobrun::simulation {

// How many runs there are, and how many of them lose their worker: before the faults begin, while
// they last, and in both.
inline constexpr std::size_t kOrdealRuns = 1000;
inline constexpr std::size_t kOrdealDead = 100;

// Nothing reaches the API server for a quarter of an hour; silently: no connection ends. Half of
// the dead die before it, within their timeout, and half during it. Timeouts are a minute.
[[nodiscard]] Plan LongOutage();
// Three replicas, one of them after the other replaced every 20 seconds for ten minutes, so that
// none lives for longer than a minute, which is the timeout. `how`: kStop, asked to go, or
// kNewPod, killed. The dead die until two minutes before the end.
[[nodiscard]] Plan RolledReplicas(Fault how);

}  // namespace jobrun::simulation
