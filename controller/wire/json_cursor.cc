#include "controller/wire/json_cursor.h"

#include <algorithm>
#include <bit>
#include <charconv>

namespace jobrun::json {
namespace {

constexpr std::size_t kSmallestCapacity = 4096;
constexpr std::uint64_t kStatusCodeMax = 999;

template <class Container>
std::optional<std::string_view> Raw(Container& container) {
  std::string_view raw;
  if (container.raw_json().get(raw) != simdjson::SUCCESS) return std::nullopt;
  while (!raw.empty() && static_cast<unsigned char>(raw.back()) <= ' ') raw.remove_suffix(1);
  return raw;
}

static_assert(simdjson::SIMDJSON_PADDING == 64, "LineSplitter::kPadding promises 64 bytes");

bool Iterate(ondemand::parser& parser, std::string_view padded, ondemand::document& document) {
  // simdjson grows to the exact size it is given: lines that each are a little longer than the one
  // before would allocate every time.
  if (parser.capacity() < padded.size()) {
    const std::size_t capacity = std::max(kSmallestCapacity, std::bit_ceil(padded.size()));
    if (parser.allocate(capacity) != simdjson::SUCCESS) return false;
  }
  const simdjson::padded_string_view text(padded, padded.size() + simdjson::SIMDJSON_PADDING);
  return parser.iterate(text).get(document) == simdjson::SUCCESS;
}

}  // namespace

bool OpenObject(ondemand::parser& parser, std::string_view padded, ondemand::document& document,
                ondemand::object& root) {
  return Iterate(parser, padded, document) && document.get_object().get(root) == simdjson::SUCCESS;
}

bool OpenArray(ondemand::parser& parser, std::string_view padded, ondemand::document& document,
               ondemand::array& root) {
  return Iterate(parser, padded, document) && document.get_array().get(root) == simdjson::SUCCESS;
}

bool AtEnd(ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

void Shrink(ondemand::parser& parser) {
  if (parser.capacity() > kKeptBytesMax) parser = ondemand::parser();
}

std::string_view CopyPadded(std::string& buffer, std::string_view text) {
  if (buffer.capacity() > kKeptBytesMax) std::string().swap(buffer);
  buffer.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  buffer.assign(text);
  buffer.append(simdjson::SIMDJSON_PADDING, '\0');
  return std::string_view(buffer).substr(0, text.size());
}

std::optional<std::uint64_t> ParseWhole(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return number;
}

int StatusCode(ondemand::value& value) {
  const std::optional<std::uint64_t> code = ParseWhole(Token(value));
  return code && *code <= kStatusCodeMax ? static_cast<int>(*code) : 0;
}

std::optional<std::string_view> UncommonText(ondemand::value& value, Scratch& scratch) {
  if (IsNull(value)) return std::string_view();
  std::string_view unescaped;
  if (value.get_string().get(unescaped) != simdjson::SUCCESS) return std::nullopt;
  if (unescaped.find('\0') != std::string_view::npos) return std::nullopt;
  return scratch.Add(unescaped);
}

std::optional<std::int32_t> ParseInt32(std::string_view text) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::string_view> RawObject(ondemand::object& object) { return Raw(object); }
std::optional<std::string_view> RawArray(ondemand::array& array) { return Raw(array); }

std::optional<std::string_view> RawValue(ondemand::value& value) {
  if (IsObject(value)) {
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    return Raw(object);
  }
  if (IsArray(value)) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return std::nullopt;
    return Raw(array);
  }
  return Token(value);
}

}  // namespace jobrun::json
