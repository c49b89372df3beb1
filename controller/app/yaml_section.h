// A YAML mapping read by a table of its keys. Every complaint names file:line:column, the path of
// the key, what was expected and what was found. Nothing here knows what the keys mean.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/base/result.h"

namespace jobrun {

enum class ValueKind : std::uint8_t {
  kWhole,     // a whole number in [min, max]
  kNumber,    // a number in [min, max]
  kSwitch,    // true or false
  kChoice,    // one of `choices`
  kText,      // at most `max` bytes
  kTexts,     // a list of at most `max` texts, each one of `choices` where there are any
  kWholes,    // a list of at most `max` whole numbers of 32 bits
  kSection,   // a mapping with `keys`; an empty value is an empty mapping
  kSections,  // a list of at most `max` such mappings
  kNamed,     // a mapping of names; its reader is elsewhere (YamlReader::Entries)
};

struct Value {
  std::int64_t whole{0};               // kWhole; kChoice: the place in `choices`; kSwitch: 0 or 1
  double number{0};                    // kWhole, kNumber
  std::string text{};                  // kText, kChoice
  std::vector<std::string> items{};    // kTexts
  std::vector<std::int32_t> wholes{};  // kWholes
};

// The whole numbers that a section holds, by key: what a check of one against another needs.
using Wholes = std::map<std::string_view, std::int64_t>;

// Two good values that don't go together; the complaint stands at `key`.
struct Mismatch {
  std::string_view key{};
  std::string expected{};
  std::string found{};
};

struct Key {
  std::string_view name{};
  ValueKind kind{ValueKind::kWhole};
  double min{0};
  double max{0};
  std::vector<std::string_view> choices{};
  std::vector<Key> keys{};
  // Called with good values only; of kSections with nothing, before its elements.
  std::function<void(const Value&)> take{};
  // kSection, after its keys: refuses combinations. It also undoes what `take` did with them.
  std::function<std::optional<Mismatch>(const Wholes&)> check{};
};
using Keys = std::vector<Key>;

// The one document of `text`; a null node when there is none. Errors carry line and column.
[[nodiscard]] Result<YAML::Node> ParseYaml(const std::string& text, const std::string& name);

// Reads one file. Not thread-safe. What it walks is bounded by the tables: an alias inside an alias
// can't make it walk far.
class YamlReader {
 public:
  explicit YamlReader(std::string file_name) : file_(std::move(file_name)) {}

  // Reads the section `section` at `node`. Fails on an unknown key, a key that stands twice and a
  // key that is no text: the file is then not what its author thinks it is. A bad value is added to
  // `bad_values` instead, and is not taken.
  Outcome ReadSection(const YAML::Node& node, const std::string& path, const Key& section);

  // The entries of a mapping whose keys are names given by the user; fails as ReadSection does.
  [[nodiscard]] Result<std::vector<std::pair<std::string, YAML::Node>>> Entries(
      const YAML::Node& node, const std::string& path);

  // "file:line:column: path: expected …, found …"
  [[nodiscard]] std::string Complain(YAML::Mark mark, const std::string& path,
                                     const std::string& expected, const std::string& found) const;
  [[nodiscard]] Error Refuse(YAML::Mark mark, const std::string& path,
                             const std::string& what) const;

  std::vector<std::string> bad_values{};

 private:
  struct Place {  // a value, its key's position (an empty value has none of its own) and its path
    YAML::Node node;
    YAML::Mark key_mark;
    std::string path;
  };

  Outcome ReadValue(const Place& place, const Key& key, Wholes& wholes);
  Outcome ReadSections(const Place& place, const Key& key);
  std::optional<Value> Scalar(const Place& place, const Key& key);
  std::optional<Value> List(const Place& place, const Key& key);
  void Bad(const Place& place, const std::string& expected);

  std::string file_;
};

// A value as a complaint shows it.
[[nodiscard]] std::string Shown(const YAML::Node& node);

}  // namespace jobrun
