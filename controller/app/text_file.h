// Small files that are read as a whole.
#pragma once

#include <cstddef>
#include <string>

#include "controller/base/result.h"

namespace jobrun {

// The file's bytes; one more than `bytes_max` of a file that is larger. kInvalid: it can't be read,
// and why.
[[nodiscard]] Result<std::string> ReadTextFile(const std::string& path, std::size_t bytes_max);

}  // namespace jobrun
