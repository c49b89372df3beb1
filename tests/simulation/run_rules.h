// The rules of crds/jobruns.yaml that tell which writes to a JobRun's status and spec are refused,
// by hand: evaluating CEL costs more than the rest of a simulated write. api_server_test.cc holds
// them to the model that evaluates it.
#pragma once

#include <optional>
#include <string>

#include "tests/simulation/object.h"

namespace jobrun::simulation {

// Why the API server refuses this change; nothing when it does not. `before` may be empty.
[[nodiscard]] std::optional<std::string> RefusedStatus(const Fields& before, const Fields& after);
[[nodiscard]] std::optional<std::string> RefusedSpec(const Fields& before, const Fields& after);

}  // namespace jobrun::simulation
