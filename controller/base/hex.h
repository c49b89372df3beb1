// Hexadecimal digits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jobrun {

// 0 to 15; -1 for what is no such digit, in either case.
[[nodiscard]] constexpr int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Sixteen digits in lower case.
[[nodiscard]] inline std::string HexOf(std::uint64_t bits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned shift = 64; shift > 0; shift -= 4) text += kDigits[(bits >> (shift - 4)) & 0xfU];
  return text;
}

}  // namespace jobrun
