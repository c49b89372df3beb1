#include "tests/api_model/json.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <set>

namespace jobrun::api_model {
namespace {

// The nesting of a text, without parsing it: brackets outside strings.
bool TooDeep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if ((c == '{' || c == '[') && ++depth > kJsonDepthMax) return true;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return false;
}

// Collects the paths of duplicate keys while the parser runs.
class DuplicateFinder {
 public:
  explicit DuplicateFinder(std::vector<std::string>& found) : found_(found) {}

  void On(Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start) {
      levels_.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      if (!levels_.empty()) levels_.pop_back();
    } else if (event == Json::parse_event_t::key && !levels_.empty()) {
      Level& level = levels_.back();
      level.key = value.get_ref<const std::string&>();
      if (!level.keys.insert(level.key).second) found_.push_back(Path());
    }
  }

 private:
  struct Level {
    std::set<std::string> keys{};
    std::string key{};
  };
  std::string Path() const {
    std::string path;
    for (const Level& level : levels_) path += (path.empty() ? "" : ".") + level.key;
    return path;
  }
  std::vector<std::string>& found_;
  std::vector<Level> levels_{};
};

// 5.0 is stored as 5, as Go writes it.
void MakeIntegral(Json& value) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  const double number = value.get<double>();
  if (number != std::floor(number) || std::abs(number) > kExactMax) return;
  value = static_cast<std::int64_t>(number);
}

Json PlainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  std::int64_t integer = 0;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  if (auto [at, ec] = std::from_chars(begin, end, integer); ec == std::errc() && at == end) {
    return integer;
  }
  const bool number_like = text.find_first_not_of("+-.0123456789eE") == std::string::npos &&
                           text.find_first_of("0123456789") != std::string::npos;
  double number = 0;
  if (auto [at, ec] = std::from_chars(begin, end, number);
      number_like && ec == std::errc() && at == end && std::isfinite(number)) {
    return number;
  }
  return text;
}

// `depth` bounds recursion and, through it, what aliases can expand to on one path; `budget` bounds
// the total.
Json FromYaml(const YAML::Node& node, std::size_t depth, std::size_t& budget) {
  if (depth > kJsonDepthMax || budget == 0)
    throw YAML::Exception(node.Mark(), "too deep or too large");
  --budget;
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return node.Tag() == "!" ? Json(node.Scalar()) : PlainScalar(node.Scalar());
    case YAML::NodeType::Sequence: {
      Json list = Json::array();
      for (const auto& item : node) list.push_back(FromYaml(item, depth + 1, budget));
      return list;
    }
    case YAML::NodeType::Map: {
      Json object = Json::object();
      for (const auto& entry : node) {
        object[entry.first.Scalar()] = FromYaml(entry.second, depth + 1, budget);
      }
      return object;
    }
    default:
      return nullptr;
  }
}

}  // namespace

ParsedJson ParseJson(std::string_view text) {
  ParsedJson parsed;
  if (TooDeep(text)) {
    parsed.error = "json: exceeded max depth";
    return parsed;
  }
  try {
    DuplicateFinder finder(parsed.duplicates);
    const auto callback = [&finder](int, Json::parse_event_t event, Json& value) {
      finder.On(event, value);
      if (event == Json::parse_event_t::value && value.is_number_float()) MakeIntegral(value);
      return true;
    };
    parsed.value = Json::parse(text.begin(), text.end(), callback);
  } catch (const Json::exception& error) {
    parsed.error = error.what();
  }
  return parsed;
}

ParsedJson ParseYaml(const std::string& text) {
  ParsedJson parsed;
  if (TooDeep(text)) {
    parsed.error = "yaml: exceeded max depth";
    return parsed;
  }
  try {
    std::size_t budget = 1'000'000;
    parsed.value = FromYaml(YAML::Load(text), 0, budget);
  } catch (const YAML::Exception& error) {
    parsed.error = error.what();
  }
  return parsed;
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* Member(const Json& value, std::string_view key) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(key);
  return found == value.end() ? nullptr : &*found;
}

Json* Member(Json& value, std::string_view key) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(key);
  return found == value.end() ? nullptr : &*found;
}

const Json* MemberAt(const Json& value, const JsonPath& path) {
  const Json* at = &value;
  for (const std::string& key : path) {
    at = Member(*at, key);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string_view StringMember(const Json& value, std::string_view key) {
  const Json* member = Member(value, key);
  if (member == nullptr || !member->is_string()) return {};
  return member->get_ref<const std::string&>();
}

std::string Quote(std::string_view text) { return Dump(Json(text)); }

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

}  // namespace jobrun::api_model
