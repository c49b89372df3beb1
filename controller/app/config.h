// The configuration: YAML to Settings (docs/configuration.md). Pure; config_file.h reads the file.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/engine/settings.h"

namespace jobrun {

// Far above any real file (a lane takes about 200 bytes); it bounds what parsing can cost. A
// ConfigMap holds no more either.
inline constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20U;

// One line each, with file:line:column, the key's path, what was expected and what was found.
struct LoadedConfig {
  Settings settings{};
  // Bad values. In a global setting: the built-in default holds. In a lane: the lane is held.
  std::vector<std::string> warnings{};
  // The same without what follows from them at the start.
  std::vector<std::string> mistakes{};
};

// Fails when the file as a whole can't be trusted: unreadable, too large, not YAML, an unknown key,
// a key that stands twice, lanes that are no mapping or too many. `name` stands in the messages.
[[nodiscard]] Result<LoadedConfig> ParseConfig(const std::string& text, const std::string& name);

}  // namespace jobrun
