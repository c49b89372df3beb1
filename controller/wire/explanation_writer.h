// An explanation as JSON: what /debug/explain answers.
#pragma once

#include <string>

#include "controller/model/explanation.h"

namespace jobrun {

// One object. Durations are seconds with three digits; times are RFC 3339.
[[nodiscard]] std::string WriteExplanation(const Explanation& explanation);

}  // namespace jobrun
