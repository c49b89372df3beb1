#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "controller/model/observed_run.h"
#include "controller/wire/json_cursor.h"
#include "controller/wire/status_patch.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

// Collects the raw texts of conditions. The functions return false when the JSON is broken.
class ConditionCollector {
 public:
  explicit ConditionCollector(std::span<const std::string_view> excepted) : excepted_(excepted) {}

  bool ReadRoot(ondemand::object& root) {
    return json::EachField(root, [this](std::string_view key, ondemand::value& value) {
      return key != "status" || !json::IsObject(value) || ReadStatus(value);
    });
  }

  std::string joined{};

 private:
  bool ReadStatus(ondemand::value& status) {
    return json::EachField(status, [this](std::string_view key, ondemand::value& value) {
      if (key != "conditions" || !json::IsArray(value)) return true;
      joined.clear();
      return json::EachElement(value,
                               [this](ondemand::value& each) { return ReadCondition(each); });
    });
  }

  bool ReadCondition(ondemand::value& value) {
    ondemand::object condition;
    if (value.get_object().get(condition) != simdjson::SUCCESS) return false;
    std::string_view type;
    const bool sound =
        json::EachField(condition, [&](std::string_view key, ondemand::value& field) {
          if (key == "type") type = json::Text(field, scratch_).value_or(std::string_view());
          return true;
        });
    if (!sound) return false;
    const std::optional<std::string_view> raw = json::RawObject(condition);
    if (!raw) return false;
    if (std::ranges::find(excepted_, type) != excepted_.end()) return true;
    if (!joined.empty()) joined += ',';
    joined += *raw;
    return true;
  }

  std::span<const std::string_view> excepted_;
  Scratch scratch_{};
};

Result<std::string> Collect(std::string_view text, std::span<const std::string_view> excepted) {
  std::string buffer;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object root;
  ConditionCollector collector(excepted);
  if (!json::OpenObject(parser, json::CopyPadded(buffer, text), document, root) ||
      !collector.ReadRoot(root) || !json::AtEnd(document)) {
    return Error{Code::kInvalid, "read the conditions of an object",
                 "expected a well-formed JSON object whose conditions are objects"};
  }
  return std::move(collector.joined);
}

}  // namespace

Result<std::string> ForeignConditions(std::string_view text) {
  constexpr std::array kOurs = {kSucceededCondition, kStuckCondition};
  return Collect(text, kOurs);
}

Result<std::string> ConditionsExcept(std::string_view text, std::string_view type) {
  return Collect(text, std::span(&type, 1));
}

}  // namespace jobrun
