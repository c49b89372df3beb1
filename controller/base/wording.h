// What complaints about the command line and the configuration have in common. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jobrun {

// The candidate that `typed` was probably meant to be; empty when none is near.
[[nodiscard]] std::string_view NearestName(std::string_view typed,
                                           const std::vector<std::string_view>& candidates);

// What somebody wrote, as a complaint shows it: short, on one line.
[[nodiscard]] std::string ShownText(std::string_view text);

}  // namespace jobrun
