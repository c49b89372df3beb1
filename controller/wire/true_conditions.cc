#include <vector>

#include "controller/wire/json_cursor.h"
#include "controller/wire/status_patch.h"

namespace jobrun {

std::vector<std::string> TrueConditions(std::string_view conditions_json) {
  namespace ondemand = json::ondemand;
  std::vector<std::string> types;
  std::string buffer;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::array conditions;
  const std::string_view padded = json::CopyPadded(buffer, conditions_json);
  const simdjson::padded_string_view text(padded, padded.size() + simdjson::SIMDJSON_PADDING);
  if (parser.iterate(text).get(document) != simdjson::SUCCESS ||
      document.get_array().get(conditions) != simdjson::SUCCESS) {
    return types;
  }
  Scratch scratch;
  (void)json::EachElement(conditions, [&](ondemand::value& condition) {
    std::string_view type;
    std::string_view status;
    const auto read = [&](std::string_view key, ondemand::value& field) {
      if (key == "type") type = json::Text(field, scratch).value_or(std::string_view());
      if (key == "status") status = json::Text(field, scratch).value_or(std::string_view());
      return true;
    };
    if (!json::IsObject(condition) || !json::EachField(condition, read)) return false;
    if (status == "True") types.emplace_back(type);
    return true;
  });
  return types;
}

}  // namespace jobrun
