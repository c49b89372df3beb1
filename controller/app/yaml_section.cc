#include "controller/app/yaml_section.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "controller/base/wording.h"
#include "controller/kube/yaml_documents.h"

namespace jobrun {
namespace {

// yaml-cpp marks what was written in quotes with this tag.
bool IsQuoted(const YAML::Node& node) { return node.Tag() == "!"; }

template <class T>
std::optional<T> ParseAll(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

std::string FormatNumber(double number) {
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::general, 12);
  return {text.data(), end.ptr};
}

std::string Joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += word == words.back() ? " or " : ", ";
    text += word;
  }
  return text;
}

std::string FormatWhole(double number) { return std::to_string(static_cast<std::int64_t>(number)); }

std::string Expectation(const Key& key) {
  const std::string most = FormatWhole(key.max);
  switch (key.kind) {
    case ValueKind::kWhole:
      return "a whole number from " + FormatWhole(key.min) + " to " + most;
    case ValueKind::kNumber:
      return "a number from " + FormatNumber(key.min) + " to " + FormatNumber(key.max);
    case ValueKind::kSwitch:
      return "true or false";
    case ValueKind::kChoice:
      return Joined(key.choices);
    case ValueKind::kText:
      return "a text of at most " + most + " bytes";
    case ValueKind::kTexts:
      return "a list of at most " + most + " names";
    case ValueKind::kWholes:
      return "a list of at most " + most + " whole numbers of 32 bits";
    case ValueKind::kSection:
    case ValueKind::kNamed:
      return "a mapping";
    case ValueKind::kSections:
      return "a list of at most " + most + " mappings";
  }
  return {};
}

bool IsList(const YAML::Node& node, const Key& key) {
  return node.IsSequence() && static_cast<double>(node.size()) <= key.max;
}

std::optional<bool> ParseSwitch(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

bool InRange(double number, const Key& key) { return number >= key.min && number <= key.max; }

// A quoted number is a text, as it is for the API server.
bool ParseNumber(const YAML::Node& node, const Key& key, Value& value) {
  if (IsQuoted(node)) return false;
  if (key.kind == ValueKind::kNumber) {
    const auto number = ParseAll<double>(node.Scalar());
    value.number = number.value_or(std::nan(""));
    return InRange(value.number, key);
  }
  const auto whole = ParseAll<std::int64_t>(node.Scalar());
  if (!whole) return false;
  value.whole = *whole;
  value.number = static_cast<double>(*whole);
  return InRange(value.number, key);
}

}  // namespace

std::string Shown(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list of " + std::to_string(node.size());
  return IsQuoted(node) ? '"' + ShownText(node.Scalar()) + '"' : ShownText(node.Scalar());
}

Result<YAML::Node> ParseYaml(const std::string& text, const std::string& name) {
  const auto at = [&name](const YAML::Mark& mark) {
    return name + ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1);
  };
  if (text.find('\0') != std::string::npos) {
    return Error{Code::kInvalid, name, "expected YAML text, found a NUL byte"};
  }
  try {
    if (const auto mark = FindFurtherDocument(text)) {
      return Error{Code::kInvalid, at(*mark), "expected one YAML document, found more"};
    }
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    // "bad file" is all that yaml-cpp says of nesting beyond its limit.
    const std::string what = error.msg == "bad file" ? "nested too deep" : error.msg;
    return Error{Code::kInvalid, at(error.mark), "not valid YAML: " + what};
  }
}

std::string YamlReader::Complain(YAML::Mark mark, const std::string& path,
                                 const std::string& expected, const std::string& found) const {
  return Refuse(mark, path, "expected " + expected + ", found " + found).ToString();
}

Error YamlReader::Refuse(YAML::Mark mark, const std::string& path, const std::string& what) const {
  return {Code::kInvalid,
          file_ + ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1),
          path.empty() ? what : path + ": " + what};
}

void YamlReader::Bad(const Place& place, const std::string& expected) {
  const YAML::Mark mark = place.node.IsNull() ? place.key_mark : place.node.Mark();
  bad_values.push_back(Complain(mark, place.path, expected, Shown(place.node)));
}

Result<std::vector<std::pair<std::string, YAML::Node>>> YamlReader::Entries(
    const YAML::Node& node, const std::string& path) {
  std::vector<std::pair<std::string, YAML::Node>> entries;
  std::map<std::string, YAML::Mark> seen;
  const std::string prefix = path.empty() ? "" : path + '.';
  for (const auto& entry : node) {
    const YAML::Mark mark = entry.first.Mark();
    if (!entry.first.IsScalar()) {
      return Refuse(mark, path, "expected a name as key, found " + Shown(entry.first));
    }
    const std::string& name = entry.first.Scalar();
    const auto [first, is_new] = seen.emplace(name, mark);
    if (!is_new) {
      return Refuse(
          mark, prefix + ShownText(name),
          "duplicate key; it also stands in line " + std::to_string(first->second.line + 1));
    }
    entries.emplace_back(name, entry.second);
  }
  return entries;
}

Outcome YamlReader::ReadSection(const YAML::Node& node, const std::string& path,
                                const Key& section) {
  if (node.IsNull()) return Ok();
  if (!node.IsMap()) {
    Bad({node, node.Mark(), path}, "a mapping");
    return Ok();
  }
  const auto entries = Entries(node, path);
  if (!entries) return entries.error();

  Wholes wholes;
  std::map<std::string_view, YAML::Mark> marks;
  auto position = node.begin();
  for (const auto& [name, value] : *entries) {
    const YAML::Mark mark = (position++)->first.Mark();
    const std::string full = (path.empty() ? "" : path + '.') + ShownText(name);
    const auto key = std::find_if(section.keys.begin(), section.keys.end(),
                                  [&n = name](const Key& k) { return k.name == n; });
    if (key == section.keys.end()) {
      std::vector<std::string_view> names;
      for (const Key& known : section.keys) names.push_back(known.name);
      const std::string_view near = NearestName(name, names);
      return Refuse(mark, full,
                    near.empty() ? "unknown key; expected " + Joined(names)
                                 : "unknown key; did you mean " + std::string(near) + '?');
    }
    marks[key->name] = value.IsScalar() ? value.Mark() : mark;
    if (Outcome read = ReadValue({value, mark, full}, *key, wholes); !read) return read;
  }
  if (!section.check) return Ok();
  if (const auto mismatch = section.check(wholes)) {
    const std::string full = (path.empty() ? "" : path + '.') + std::string(mismatch->key);
    const auto mark = marks.find(mismatch->key);  // its value may be the default
    bad_values.push_back(Complain(mark == marks.end() ? node.Mark() : mark->second, full,
                                  mismatch->expected, mismatch->found));
  }
  return Ok();
}

Outcome YamlReader::ReadValue(const Place& place, const Key& key, Wholes& wholes) {
  if (key.kind == ValueKind::kNamed) return Ok();
  if (key.kind == ValueKind::kSection) return ReadSection(place.node, place.path, key);
  if (key.kind == ValueKind::kSections) return ReadSections(place, key);

  const bool is_list = key.kind == ValueKind::kTexts || key.kind == ValueKind::kWholes;
  const std::optional<Value> value = is_list ? List(place, key) : Scalar(place, key);
  if (!value) return Ok();
  if (key.kind == ValueKind::kWhole) wholes[key.name] = value->whole;
  if (key.take) key.take(*value);
  return Ok();
}

Outcome YamlReader::ReadSections(const Place& place, const Key& key) {
  if (!IsList(place.node, key)) {
    Bad(place, Expectation(key));
    return Ok();
  }
  if (key.take) key.take({});
  for (std::size_t i = 0; i < place.node.size(); ++i) {
    const std::string path = place.path + '[' + std::to_string(i) + ']';
    if (Outcome read = ReadSection(place.node[i], path, key); !read) return read;
  }
  return Ok();
}

std::optional<Value> YamlReader::Scalar(const Place& place, const Key& key) {
  Value value;
  bool good = place.node.IsScalar();
  const std::string text = good ? place.node.Scalar() : "";
  if (!good) {
    Bad(place, Expectation(key));
    return std::nullopt;
  }
  value.text = text;
  if (key.kind == ValueKind::kWhole || key.kind == ValueKind::kNumber) {
    good = ParseNumber(place.node, key, value);
  } else if (key.kind == ValueKind::kSwitch) {
    const auto on = IsQuoted(place.node) ? std::nullopt : ParseSwitch(text);
    good = on.has_value();
    value.whole = on.value_or(false) ? 1 : 0;
  } else if (key.kind == ValueKind::kChoice) {
    const auto choice = std::find(key.choices.begin(), key.choices.end(), text);
    good = choice != key.choices.end();
    value.whole = choice - key.choices.begin();
  } else {
    good = static_cast<double>(text.size()) <= key.max;
  }
  if (good) return value;
  Bad(place, Expectation(key));
  return std::nullopt;
}

std::optional<Value> YamlReader::List(const Place& place, const Key& key) {
  if (!IsList(place.node, key)) {
    Bad(place, Expectation(key));
    return std::nullopt;
  }
  Value value;
  // 32 bits are what the API server allows for an exit code.
  const Key whole{.name = {}, .kind = ValueKind::kWhole, .min = -2147483648.0, .max = 2147483647.0};
  const Key text{.name = {}, .kind = ValueKind::kText, .max = 316};
  const Key choice{.name = {}, .kind = ValueKind::kChoice, .choices = key.choices};
  const Key& item_key =
      key.kind == ValueKind::kWholes ? whole : (key.choices.empty() ? text : choice);
  bool good = true;
  for (std::size_t i = 0; i < place.node.size(); ++i) {
    const Place item{place.node[i], place.key_mark, place.path + '[' + std::to_string(i) + ']'};
    const std::optional<Value> read = Scalar(item, item_key);
    good = good && read.has_value();
    if (!read) continue;
    value.items.push_back(read->text);
    if (key.kind == ValueKind::kWholes) {
      value.wholes.push_back(static_cast<std::int32_t>(read->whole));
    }
  }
  if (!good) return std::nullopt;
  return value;
}

}  // namespace jobrun
