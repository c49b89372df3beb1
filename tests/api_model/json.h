// JSON values and the few helpers that the API model needs. Objects keep their keys sorted.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace jobrun::api_model {

using Json = nlohmann::json;
using JsonPath = std::vector<std::string>;  // keys of nested objects; never list indices

// Deepest nesting of a request body. The real server takes 10,000; what recurses over values here
// must not exhaust its stack.
inline constexpr std::size_t kJsonDepthMax = 500;

struct ParsedJson {
  Json value{};
  std::vector<std::string> duplicates{};  // paths of keys given twice; the last value counts
  std::string error{};                    // empty when the text was valid
};

// Never throws. Refuses invalid UTF-8, trailing text and nesting beyond kJsonDepthMax.
[[nodiscard]] ParsedJson ParseJson(std::string_view text);

// YAML (or JSON) to JSON by the rules of YAML 1.2's core schema. Never throws; same limits.
[[nodiscard]] ParsedJson ParseYaml(const std::string& text);

// Compact text; invalid UTF-8 is replaced, so this never throws.
[[nodiscard]] std::string Dump(const Json& value);

// The member, or nullptr when `value` is no object or has none.
[[nodiscard]] const Json* Member(const Json& value, std::string_view key);
[[nodiscard]] Json* Member(Json& value, std::string_view key);
[[nodiscard]] const Json* MemberAt(const Json& value, const JsonPath& path);

// The text of a string member; empty for anything else.
[[nodiscard]] std::string_view StringMember(const Json& value, std::string_view key);

// As Go's %q prints plain text.
[[nodiscard]] std::string Quote(std::string_view text);

// Splits at each separator; "" gives one empty part.
[[nodiscard]] std::vector<std::string> Split(std::string_view text, char separator);

}  // namespace jobrun::api_model
