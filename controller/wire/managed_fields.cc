#include "controller/wire/managed_fields.h"

#include <algorithm>

#include "controller/base/rfc3339.h"
#include "controller/wire/json_cursor.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

// The API server's name for managers that it merged because there were too many.
constexpr std::string_view kMergedManagers = "ancient-changes";

// One entry of the list. Of its texts null and absent are alike.
struct Entry {
  std::string_view manager{};
  std::string_view subresource{};
  std::string_view fields_type{};
  std::string_view time{};
  bool owns{false};
};

// Collects the stamps of a field of the status. The functions return false at what can't be
// understood: such an entry may hide an owner with a later time, so it spoils the whole list.
class StampReader {
 public:
  explicit StampReader(std::string_view field) : field_(field) {}

  bool ReadEntry(ondemand::value& value) {
    Entry entry;
    const bool sound = EachPlainField(value, [&](std::string_view key, ondemand::value& each) {
      return ReadField(key, each, entry);
    });
    if (!sound || entry.fields_type != "FieldsV1") return false;
    if (!entry.owns || entry.manager == kMergedManagers) return true;
    const std::optional<ServerTime> time = ParseRfc3339(entry.time);
    const bool known = entry.subresource.empty() || entry.subresource == "status";
    if (!time || !known) return false;
    latest = std::max(latest.value_or(*time), *time);
    return true;
  }

  std::optional<ServerTime> latest{};

 private:
  // False for what is no object, and at a key with escapes: json::Key leaves them, so it might be
  // one of those that are looked for.
  template <class Each>
  static bool EachPlainField(ondemand::value& value, Each&& each) {
    return json::EachField(value, [&](std::string_view key, ondemand::value& field) {
      return key.find('\\') == std::string_view::npos && each(key, field);
    });
  }

  bool ReadField(std::string_view key, ondemand::value& value, Entry& entry) {
    if (key == "manager") return TakeText(value, entry.manager);
    if (key == "subresource") return TakeText(value, entry.subresource);
    if (key == "fieldsType") return TakeText(value, entry.fields_type);
    if (key == "time") return TakeText(value, entry.time);
    return key != "fieldsV1" || ReadFieldSet(value, entry.owns);
  }

  // {"f:status": {"f:lastHeartbeatAt": {}, …}, …}
  bool ReadFieldSet(ondemand::value& value, bool& owns) const {
    return EachPlainField(value, [&](std::string_view key, ondemand::value& fields) {
      if (key != "f:status") return true;
      return EachPlainField(fields, [&](std::string_view name, ondemand::value&) {
        owns = owns || name == field_;
        return true;
      });
    });
  }

  bool TakeText(ondemand::value& value, std::string_view& into) {
    const std::optional<std::string_view> text = json::Text(value, scratch_);
    into = text.value_or(std::string_view());
    return text.has_value();
  }

  std::string_view field_;
  Scratch scratch_{};
};

// `field`: its name in a set of fields, e.g. "f:phase".
std::optional<ServerTime> LatestStamp(std::string_view managed_fields, std::string_view field) {
  // Kept: of a first list each run is asked, and making a parser costs more than using it.
  thread_local std::string buffer;
  thread_local ondemand::parser parser;
  ondemand::document document;
  ondemand::array entries;
  StampReader reader(field);
  const bool sound =
      json::OpenArray(parser, json::CopyPadded(buffer, managed_fields), document, entries) &&
      json::EachElement(entries, [&](ondemand::value& entry) { return reader.ReadEntry(entry); }) &&
      json::AtEnd(document);
  json::Shrink(parser);
  return sound ? reader.latest : std::nullopt;
}

}  // namespace

std::optional<ServerTime> HeartbeatStamp(std::string_view managed_fields) {
  return LatestStamp(managed_fields, "f:lastHeartbeatAt");
}

std::optional<ServerTime> ClaimStamp(std::string_view managed_fields) {
  return LatestStamp(managed_fields, "f:claimedAt");
}

std::optional<ServerTime> EndStamp(std::string_view managed_fields) {
  return LatestStamp(managed_fields, "f:phase");
}

std::optional<ServerTime> LateBeatStamp(std::string_view managed_fields) {
  return LatestStamp(managed_fields, "f:lateHeartbeatTime");
}

}  // namespace jobrun
