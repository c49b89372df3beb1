// Small workloads with one fault at every place where it could be: a crash after each effect, each
// event hidden, each earlier state of the store put back, two that lead at once.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/plan.h"

namespace jobrun::simulation {

struct NamedPlan {
  std::string name{};
  Plan plan{};
};

[[nodiscard]] std::vector<NamedPlan> ExhaustivePlans();

}  // namespace jobrun::simulation
