// Makes a plan that fails as small as it can be while it still fails in the same way.
#pragma once

#include <string>

#include "tests/simulation/plan.h"

namespace jobrun::simulation {

[[nodiscard]] Plan Minimised(Plan plan, const std::string& invariant);

}  // namespace jobrun::simulation
