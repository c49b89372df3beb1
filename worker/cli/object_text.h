// Objects as JSON and YAML for people and programs. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace jobrun {

// In the order in which the API server wrote it.
using OrderedJson = nlohmann::ordered_json;

// Nothing: it is no JSON.
[[nodiscard]] std::optional<OrderedJson> ParseJson(const std::string& text);

// Indented; ASCII only, so that a terminal acts on nothing in it.
[[nodiscard]] std::string JsonText(const OrderedJson& value, int indent = 2);
// A YAML document without its "---" that is read back as the same value; ASCII only.
[[nodiscard]] std::string YamlText(const OrderedJson& value);

// What `key` holds, when that is a text or a number; else empty.
[[nodiscard]] std::string TextAt(const OrderedJson& object, const char* key);
// What `key` holds; null where it, or the object, is none.
[[nodiscard]] const OrderedJson& PartOf(const OrderedJson& object, const char* key);

}  // namespace jobrun
