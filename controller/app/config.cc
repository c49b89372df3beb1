#include "controller/app/config.h"

#include <utility>

#include "controller/app/config_keys.h"
#include "controller/app/yaml_section.h"
#include "controller/base/object_name.h"
#include "controller/base/wording.h"

namespace jobrun {
namespace {

// Takes a complaint with what follows from it at the start.
void Warn(LoadedConfig& config, std::string complaint, const std::string& consequence) {
  config.warnings.push_back(complaint + "; " + consequence);
  config.mistakes.push_back(std::move(complaint));
}

// The same with the complaints that came since the last call; true if there were any.
bool WarnOfBadValues(LoadedConfig& config, YamlReader& reader, const std::string& consequence) {
  const bool any = !reader.bad_values.empty();
  for (std::string& complaint : reader.bad_values) Warn(config, std::move(complaint), consequence);
  reader.bad_values.clear();
  return any;
}

Outcome ReadLanes(YamlReader& reader, const YAML::Node& node, LoadedConfig& config) {
  const auto lanes = reader.Entries(node, "lanes");
  if (!lanes) return lanes.error();
  if (lanes->size() > kLanesMax) {
    return reader.Refuse(node.Mark(), "lanes",
                         "expected at most " + std::to_string(kLanesMax) + " lanes, found " +
                             std::to_string(lanes->size()));
  }
  auto position = node.begin();
  for (const auto& [name, section] : *lanes) {
    const YAML::Mark mark = (position++)->first.Mark();
    const std::string path = "lanes." + ShownText(name);
    if (!IsDnsLabel(name)) {
      // No run can be in such a lane, so there is nothing to hold.
      Warn(config,
           reader.Complain(mark, path,
                           "a DNS label (lower-case letters, digits and '-', at most 63)",
                           ShownText(name)),
           "this lane is left out");
      continue;
    }
    Lane lane{.name = name};
    if (Outcome read = reader.ReadSection(section, path, LaneKeys(lane)); !read) return read;
    const bool held =
        WarnOfBadValues(config, reader, "lane " + name + " is held: its runs get no verdict");
    if (held) lane = Lane{.name = name, .held = true};
    config.settings.lanes.push_back(std::move(lane));
  }
  return Ok();
}

}  // namespace

Result<LoadedConfig> ParseConfig(const std::string& text, const std::string& name) {
  if (text.size() > kConfigBytesMax) {
    return Error{Code::kInvalid, name,
                 "expected at most " + std::to_string(kConfigBytesMax) + " bytes, found " +
                     std::to_string(text.size())};
  }
  Result<YAML::Node> document = ParseYaml(text, name);
  if (!document) return document.error();

  YamlReader reader(name);
  LoadedConfig config;
  const YAML::Node& root = *document;
  if (!root.IsNull() && !root.IsMap()) {
    return reader.Refuse(root.Mark(), "", "expected a mapping, found " + Shown(root));
  }

  // `lanes` holds names where other sections hold keys: it is read apart, after the rest.
  Key file = FileKeys(config.settings);
  file.keys.push_back(Key{.name = "lanes", .kind = ValueKind::kNamed});
  if (Outcome read = reader.ReadSection(root, "", file); !read) return read.error();
  (void)WarnOfBadValues(config, reader, "the built-in default is used");

  if (root.IsMap() && root["lanes"] && !root["lanes"].IsNull()) {
    const YAML::Node node = root["lanes"];
    if (!node.IsMap()) {
      return reader.Refuse(node.Mark(), "lanes", "expected a mapping, found " + Shown(node));
    }
    if (Outcome read = ReadLanes(reader, node, config); !read) return read.error();
  }
  return config;
}

}  // namespace jobrun
