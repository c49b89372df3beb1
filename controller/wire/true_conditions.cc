#include <vector>

#include "controller/wire/json_cursor.h"
#include "controller/wire/status_patch.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

struct TrueCondition {
  std::string_view type{};
  std::string_view message{};
};

// Calls each(condition) for every condition that is True, up to the first that can't be read.
template <class Each>
void EachTrue(std::string_view conditions_json, Each&& each) {
  std::string buffer;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::array conditions;
  if (!json::OpenArray(parser, json::CopyPadded(buffer, conditions_json), document, conditions)) {
    return;
  }
  Scratch scratch;
  (void)json::EachElement(conditions, [&](ondemand::value& element) {
    TrueCondition condition;
    std::string_view status;
    const auto read = [&](std::string_view key, ondemand::value& field) {
      const auto text_of = [&] { return json::Text(field, scratch).value_or(std::string_view()); };
      if (key == "type") condition.type = text_of();
      if (key == "status") status = text_of();
      if (key == "message") condition.message = text_of();
      return true;
    };
    if (!json::IsObject(element) || !json::EachField(element, read)) return false;
    if (status == "True") each(condition);
    return true;
  });
}

}  // namespace

std::vector<std::string> TrueConditions(std::string_view conditions_json) {
  std::vector<std::string> types;
  EachTrue(conditions_json, [&](const TrueCondition& each) { types.emplace_back(each.type); });
  return types;
}

std::optional<std::string> TrueConditionMessage(std::string_view conditions_json,
                                                std::string_view type) {
  std::optional<std::string> message;
  EachTrue(conditions_json, [&](const TrueCondition& each) {
    if (each.type == type) message = each.message;
  });
  return message;
}

}  // namespace jobrun
