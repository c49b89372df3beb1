#include "controller/kube/yaml_json.h"

#include <algorithm>

#include "controller/wire/json_string.h"

namespace jobrun {
namespace {

constexpr int kDepthMax = 32;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes digits off the front of `text`; false when there are none.
bool TakeDigits(std::string_view& text) {
  const auto end = std::ranges::find_if_not(text, IsDigit);
  const bool any = end != text.begin();
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  return any;
}

bool IsJsonNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with('0') && text.size() > 1 && IsDigit(text[1])) return false;
  if (!TakeDigits(text)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!TakeDigits(text)) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (!TakeDigits(text)) return false;
  }
  return text.empty();
}

class Converter {
 public:
  // False: it can't be.
  [[nodiscard]] bool Append(const YAML::Node& node, int depth) {
    if (depth > kDepthMax || json.size() > kYamlJsonBytesMax) return false;
    if (!node || node.IsNull()) {
      json += "null";
    } else if (node.IsScalar()) {
      AppendScalar(node);
    } else if (node.IsSequence()) {
      return AppendSequence(node, depth);
    } else {
      return AppendMap(node, depth);
    }
    return true;
  }

  std::string json{};

 private:
  void AppendScalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    const bool plain = node.Tag() == "?";  // yaml-cpp's word for: not quoted
    if (plain && (text == "true" || text == "false" || IsJsonNumber(text))) {
      json += text;
    } else {
      AppendJsonString(json, text);
    }
  }

  bool AppendSequence(const YAML::Node& node, int depth) {
    json += '[';
    for (const YAML::Node& element : node) {
      if (json.back() != '[') json += ',';
      if (!Append(element, depth + 1)) return false;
    }
    json += ']';
    return true;
  }

  bool AppendMap(const YAML::Node& node, int depth) {
    json += '{';
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return false;
      if (json.back() != '{') json += ',';
      AppendJsonString(json, entry.first.Scalar());
      json += ':';
      if (!Append(entry.second, depth + 1)) return false;
    }
    json += '}';
    return true;
  }
};

}  // namespace

Result<std::string> YamlAsJson(const YAML::Node& node) {
  Converter converter;
  if (converter.Append(node, 0) && converter.json.size() <= kYamlJsonBytesMax) {
    return std::move(converter.json);
  }
  return Error{
      Code::kInvalid, "write YAML as JSON",
      "what is to be handed on as JSON is larger than 64 KiB, nested more than 32 deep, or "
      "has keys that are no strings"};
}

}  // namespace jobrun
