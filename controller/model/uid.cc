#include "controller/model/uid.h"

#include <array>

#include "controller/base/hex.h"

namespace jobrun {
namespace {

constexpr std::size_t kUuidLength = 36;

// 0 to 15, or 16 for what is no hexadecimal digit.
constexpr std::array<std::uint8_t, 256> kHexValue = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(16);
  for (std::uint8_t i = 0; i < 10; ++i) table[static_cast<std::size_t>('0') + i] = i;
  for (std::uint8_t i = 0; i < 6; ++i) {
    table[static_cast<std::size_t>('a') + i] = static_cast<std::uint8_t>(10 + i);
    table[static_cast<std::size_t>('A') + i] = static_cast<std::uint8_t>(10 + i);
  }
  return table;
}();

// Shifts the digits into `value`. `seen` collects their values: above 15 when one was no digit.
// Without a branch per digit, since every watch event carries a uid.
void ShiftIn(std::string_view digits, std::uint64_t& value, std::uint8_t& seen) {
  for (const char digit : digits) {
    const std::uint8_t bits = kHexValue[static_cast<unsigned char>(digit)];
    seen |= bits;
    value = (value << 4U) | (bits & 0xfU);
  }
}

}  // namespace

std::optional<Uid> ParseUid(std::string_view text) {
  if (text.size() != kUuidLength) return std::nullopt;
  if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
  Uid uid;
  std::uint8_t seen = 0;
  ShiftIn(text.substr(0, 8), uid.high, seen);
  ShiftIn(text.substr(9, 4), uid.high, seen);
  ShiftIn(text.substr(14, 4), uid.high, seen);
  ShiftIn(text.substr(19, 4), uid.low, seen);
  ShiftIn(text.substr(24, 12), uid.low, seen);
  if (seen > 15) return std::nullopt;
  return uid;
}

std::string FormatUid(Uid uid) {
  std::string text = HexOf(uid.high) + HexOf(uid.low);
  for (const std::size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
  return text;
}

}  // namespace jobrun
