#include "worker/cli/object_text.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace jobrun {
namespace {

// A text that YAML 1.1 and 1.2 both read as a text without quotes.
bool IsPlain(const std::string& text) {
  constexpr std::string_view kWordsLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
  constexpr std::array<std::string_view, 9> kLiterals = {"true", "false", "null", "yes", "no",
                                                         "on",   "off",   "y",    "n"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !is_letter(text.front())) return false;
  if (text.find_first_not_of(kWordsLetters) != std::string::npos) return false;
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::ranges::find(kLiterals, lower) == kLiterals.end();
}

void EmitText(YAML::Emitter& out, const std::string& text) {
  if (!IsPlain(text)) out << YAML::DoubleQuoted;
  out << text;
}

void Emit(YAML::Emitter& out, const OrderedJson& value) {
  if (value.is_object()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, part] : value.items()) {
      out << YAML::Key;
      EmitText(out, key);
      out << YAML::Value;
      Emit(out, part);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const OrderedJson& part : value) Emit(out, part);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    EmitText(out, value.get_ref<const std::string&>());
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << value.dump();
  }
}

}  // namespace

std::optional<OrderedJson> ParseJson(const std::string& text) {
  OrderedJson value = OrderedJson::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

std::string JsonText(const OrderedJson& value, int indent) {
  return value.dump(indent, ' ', true, OrderedJson::error_handler_t::replace);
}

std::string YamlText(const OrderedJson& value) {
  YAML::Emitter out;
  out.SetOutputCharset(YAML::EscapeNonAscii);
  Emit(out, value);
  return std::string(out.c_str()) + '\n';
}

std::string TextAt(const OrderedJson& object, const char* key) {
  const OrderedJson& part = PartOf(object, key);
  if (part.is_string()) return part.get<std::string>();
  return part.is_number() || part.is_boolean() ? part.dump() : "";
}

const OrderedJson& PartOf(const OrderedJson& object, const char* key) {
  static const OrderedJson kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

}  // namespace jobrun
