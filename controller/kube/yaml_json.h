// A YAML value as JSON.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <string>

#include "controller/base/result.h"

namespace jobrun {

// Longest JSON that is made: it goes into an environment variable, which Linux bounds by 128 KiB.
inline constexpr std::size_t kYamlJsonBytesMax = std::size_t{64} * 1024;

// Scalars become what JSON has for them: true, false, null and numbers when they are not quoted,
// strings otherwise. kInvalid: it is too large, which may be by aliases of itself, or has keys that
// are no scalars.
[[nodiscard]] Result<std::string> YamlAsJson(const YAML::Node& node);

}  // namespace jobrun
