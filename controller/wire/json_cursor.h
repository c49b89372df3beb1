// The few ways in which this folder reads JSON, on top of simdjson On-Demand. Only the .cc files of
// wire/ include it: nothing above knows the library.
//
// On-Demand reads forward and checks what it is asked for. Two kinds of failure are kept apart: a
// value of the wrong type spoils that value only; broken JSON (a function returns false) ends the
// reading, and the document must not be touched again.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/wire/scratch.h"

namespace jobrun::json {

namespace ondemand = simdjson::ondemand;

// Buffers up to this size are kept for the next text; larger ones are given back.
inline constexpr std::size_t kKeptBytesMax = std::size_t{1} << 20U;

// Opens the text's root object. `padded` must be followed by simdjson::SIMDJSON_PADDING readable
// bytes. False when it is not JSON or no object.
[[nodiscard]] bool OpenObject(ondemand::parser& parser, std::string_view padded,
                              ondemand::document& document, ondemand::object& root);

// The same for a text whose root is a list.
[[nodiscard]] bool OpenArray(ondemand::parser& parser, std::string_view padded,
                             ondemand::document& document, ondemand::array& root);

// True when nothing but white space follows the root, which must have been read to its end.
[[nodiscard]] bool AtEnd(ondemand::document& document);

// Gives back what a giant text made the parser grow to. Views into the text stay valid.
void Shrink(ondemand::parser& parser);

// A copy of `text` in `buffer` with the padding behind it, and a buffer that does not stay giant.
[[nodiscard]] std::string_view CopyPadded(std::string& buffer, std::string_view text);

// Decimal digits without a sign or leading zeros.
[[nodiscard]] std::optional<std::uint64_t> ParseWhole(std::string_view text);

// The `code` of a Status: an HTTP status, 0 for anything else.
[[nodiscard]] int StatusCode(ondemand::value& value);

// The value's own text when it is a scalar; its opening bracket when it is a container.
[[nodiscard]] inline std::string_view Token(ondemand::value& value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
  return token;
}
[[nodiscard]] inline bool StartsWith(ondemand::value& value, char first) {
  return *value.raw_json_token().data() == first;
}
[[nodiscard]] inline bool IsObject(ondemand::value& value) { return StartsWith(value, '{'); }
[[nodiscard]] inline bool IsArray(ondemand::value& value) { return StartsWith(value, '['); }
[[nodiscard]] inline bool IsNull(ondemand::value& value) { return Token(value) == "null"; }

// A string, or an empty view for null. Points into the text, or into `scratch` when there were
// escapes to resolve. Nothing for other types, broken escapes, lone surrogates and NUL characters.
[[nodiscard]] std::optional<std::string_view> UncommonText(ondemand::value& value,
                                                           Scratch& scratch);
[[nodiscard]] inline std::optional<std::string_view> Text(ondemand::value& value,
                                                          Scratch& scratch) {
  const std::string_view token = Token(value);
  if (token.size() < 2 || token.front() != '"' || token.back() != '"' ||
      token.find('\\') != std::string_view::npos) {
    return UncommonText(value, scratch);
  }
  return token.substr(1, token.size() - 2);
}

// The key as it is written. A key with escapes equals none that we look for: the API server writes
// the names of known fields plainly.
[[nodiscard]] inline std::string_view Key(ondemand::field& field) {
  const char* const begin = field.key().raw();
  // The parser has seen `"key"` and a colon before the value; between the two is only white space.
  const char* end = field.value().raw_json_token().data();
  while (*--end != '"') continue;
  return {begin, static_cast<std::size_t>(end - begin)};
}

// Calls each(key, value) for every field; it returns false to stop at broken JSON. Values it leaves
// unread are skipped.
template <class Each>
[[nodiscard]] bool EachField(ondemand::object& object, Each&& each) {
  for (auto result : object) {
    ondemand::field field;
    if (std::move(result).get(field) != simdjson::SUCCESS) return false;
    if (!each(Key(field), field.value())) return false;
  }
  return true;
}

// The same for a value that IsObject.
template <class Each>
[[nodiscard]] bool EachField(ondemand::value& value, Each&& each) {
  ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return false;
  return EachField(object, each);
}

// Calls each(value) for every element.
template <class Each>
[[nodiscard]] bool EachElement(ondemand::array& array, Each&& each) {
  for (auto result : array) {
    ondemand::value element;
    if (std::move(result).get(element) != simdjson::SUCCESS) return false;
    if (!each(element)) return false;
  }
  return true;
}

// The same for a value that IsArray.
template <class Each>
[[nodiscard]] bool EachElement(ondemand::value& value, Each&& each) {
  ondemand::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return false;
  return EachElement(array, each);
}

// A whole number of 32 bits with a sign; nothing for anything else.
[[nodiscard]] std::optional<std::int32_t> ParseInt32(std::string_view text);

// The text of an object or array that has been read to its end. Nothing: broken JSON.
[[nodiscard]] std::optional<std::string_view> RawObject(ondemand::object& object);
[[nodiscard]] std::optional<std::string_view> RawArray(ondemand::array& array);
// The text of a value that has not been read yet, whatever it is; its inside is checked for
// brackets and string ends only.
[[nodiscard]] std::optional<std::string_view> RawValue(ondemand::value& value);

}  // namespace jobrun::json
