#include "controller/wire/json_string.h"

namespace jobrun {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What may follow a lead byte (Unicode, table 3-7): how long the sequence is, and the range of its
// second byte, which rules out overlong forms, surrogates and what lies above U+10FFFF.
struct Sequence {
  std::size_t length{0};  // 0: no lead byte
  unsigned char second_min{0x80};
  unsigned char second_max{0xBF};
};

Sequence SequenceOf(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xC2 && lead <= 0xDF) return {2};
  if (lead == 0xE0) return {3, 0xA0};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3};
  if (lead == 0xF0) return {4, 0x90};
  if (lead >= 0xF1 && lead <= 0xF3) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

// The first character of `text`, or the bytes that one replacement character stands for.
struct Character {
  std::size_t length{1};
  bool valid{false};
};

Character FirstCharacter(std::string_view text) {
  const Sequence sequence = SequenceOf(static_cast<unsigned char>(text[0]));
  if (sequence.length == 0) return {};
  for (std::size_t i = 1; i < sequence.length; ++i) {
    if (i == text.size()) return {i, false};
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char least = i == 1 ? sequence.second_min : 0x80;
    const unsigned char most = i == 1 ? sequence.second_max : 0xBF;
    if (byte < least || byte > most) return {i, false};
  }
  return {sequence.length, true};
}

bool NeedsEscape(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F || c == '"' || c == '\\';
}

// How many characters at its start are ASCII and stand for themselves: in most texts all.
std::size_t PlainPrefix(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && static_cast<unsigned char>(text[length]) < 0x80 &&
         !NeedsEscape(text[length])) {
    ++length;
  }
  return length;
}

void AppendEscape(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += kHex[byte >> 4U];
  out += kHex[byte & 0xfU];
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  for (;;) {
    const std::size_t plain = PlainPrefix(text);
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Character character = FirstCharacter(text);
    if (!character.valid) {
      out += kReplacement;
    } else if (NeedsEscape(text[0])) {
      AppendEscape(out, text[0]);
    } else {
      out += text.substr(0, character.length);
    }
    text.remove_prefix(character.length);
  }
  out += '"';
}

std::string_view CutText(std::string_view text, std::size_t bytes_max) {
  std::size_t taken = 0;
  for (std::size_t decoded = 0; taken < text.size();) {
    const std::size_t plain = PlainPrefix(text.substr(taken, bytes_max - decoded));
    taken += plain;
    decoded += plain;
    if (taken == text.size()) break;
    const Character character = FirstCharacter(text.substr(taken));
    decoded += character.valid ? character.length : kReplacement.size();
    if (decoded > bytes_max) break;
    taken += character.length;
  }
  return text.substr(0, taken);
}

}  // namespace jobrun
