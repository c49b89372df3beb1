// Texts that are only compared, in eight bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace jobrun {

// 0 for no text, and for nothing else. It differs between processes.
[[nodiscard]] inline std::uint64_t HashOfText(std::string_view text) {
  if (text.empty()) return 0;
  const std::uint64_t hash = std::hash<std::string_view>{}(text);
  return hash == 0 ? 1 : hash;
}

}  // namespace jobrun
