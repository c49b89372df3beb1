// The process's environment as a function, so that tests hand in their own.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace jobrun {

// Nothing for a variable that is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

}  // namespace jobrun
