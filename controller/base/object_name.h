// What the API server accepts as names of objects.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace jobrun {

inline constexpr std::size_t kObjectNameMax = 253;

// A DNS subdomain, less strict about its labels than RFC 1123: lower-case letters, digits, '-' and
// '.', with a letter or digit at both ends.
[[nodiscard]] inline bool IsObjectName(std::string_view name) {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kObjectNameMax && is_word(name.front()) &&
         is_word(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return is_word(c) || c == '-' || c == '.'; });
}

}  // namespace jobrun
