// Answers why a run was or was not ended: what the decision rests on, row by row.
#pragma once

#include <string>
#include <string_view>

#include "controller/engine/core.h"
#include "controller/model/explanation.h"

namespace jobrun {

// kNoSlot when no such run is known. Looks at all runs: for people, not for programs.
[[nodiscard]] Slot FindRun(const Core& core, std::string_view name_space, std::string_view name);

// What is known of the run and of the clocks; what becomes of its verdict is the Reaper's to add.
[[nodiscard]] Explanation Explain(const Core& core, Slot slot);

// The sentence that sums it up.
[[nodiscard]] std::string InWords(const Explanation& explanation);

}  // namespace jobrun
