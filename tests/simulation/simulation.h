// One simulated run of a plan, from the first replica's start to the end of the second phase.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/simulation/plan.h"
#include "tests/simulation/world.h"

namespace jobrun::simulation {

struct Outcome {
  std::optional<Failure> failure{};
  std::uint64_t hash{0};  // of the trace
  Counters hits{};
  std::uint64_t verdicts{0};
  std::uint64_t verdicts_in_storm{0};  // of them, before the faults ended
  std::uint64_t changes{0};
  Nanos lasted{};  // virtual time
};

struct RunOptions {
  bool print{false};
};

[[nodiscard]] Outcome Simulate(const Plan& plan, const RunOptions& options = {});

}  // namespace jobrun::simulation
