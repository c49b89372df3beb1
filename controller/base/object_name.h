// What the API server accepts as names of objects.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace jobrun {

inline constexpr std::size_t kObjectNameMax = 253;
inline constexpr std::size_t kDnsLabelMax = 63;

namespace object_name {
inline bool IsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
inline bool HasWordsAtBothEnds(std::string_view name) {
  return !name.empty() && IsWord(name.front()) && IsWord(name.back());
}
}  // namespace object_name

// A DNS subdomain, less strict about its labels than RFC 1123: lower-case letters, digits, '-' and
// '.', with a letter or digit at both ends.
[[nodiscard]] inline bool IsObjectName(std::string_view name) {
  return name.size() <= kObjectNameMax && object_name::HasWordsAtBothEnds(name) &&
         std::ranges::all_of(name,
                             [](char c) { return object_name::IsWord(c) || c == '-' || c == '.'; });
}

// The same without dots, and shorter: namespaces and lanes.
[[nodiscard]] inline bool IsDnsLabel(std::string_view name) {
  return name.size() <= kDnsLabelMax && object_name::HasWordsAtBothEnds(name) &&
         std::ranges::all_of(name, [](char c) { return object_name::IsWord(c) || c == '-'; });
}

}  // namespace jobrun
