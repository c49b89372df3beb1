#include "tests/api_model/table.h"

#include <algorithm>
#include <optional>

#include "controller/base/rfc3339.h"
#include "tests/api_model/pod_rules.h"
#include "tests/api_model/writer.h"

namespace jobrun::api_model {
namespace {

constexpr const char* kNameColumn =
    "Name must be unique within a namespace. Is required when creating resources, although some "
    "resources may "
    "allow a client to request the generation of an appropriate name automatically. Name is "
    "primarily intended "
    "for creation idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

bool OwnNameColumn(const ResourceType& type) {
  for (const PrinterColumn& column : type.columns) {
    if (column.name == "Name") return true;
  }
  return false;
}

Json Column(const PrinterColumn& column) {
  return {{"name", column.name},
          {"type", column.type},
          {"format", column.format},
          {"description", column.description},
          {"priority", column.priority}};
}

std::string Since(std::string_view text, ServerTime now) {
  const auto time = ParseRfc3339(text);
  if (!time) return "<invalid>";
  return HumanDuration(std::chrono::duration_cast<std::chrono::seconds>(now - *time));
}

// As apiextensions converts a value to its column's type; null when it does not fit.
Json Cell(const PrinterColumn& column, const Json& object, ServerTime now) {
  const Json* value = MemberAt(object, column.path);
  if (value == nullptr || value->is_null()) return nullptr;
  if (column.type == "date") {
    return value->is_string() ? Json(Since(value->get_ref<const std::string&>(), now))
                              : Json(nullptr);
  }
  if (column.type == "integer" && !value->is_number()) return nullptr;
  if (column.type == "string" && !value->is_string()) return nullptr;
  return *value;
}

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

Json EventCells(const Json& event, ServerTime now) {
  const auto since = [&](std::string_view time) {
    return time.empty() ? "<unknown>" : Since(time, now);
  };
  const auto text = [&](const char* key) { return std::string(StringMember(event, key)); };
  const std::string event_time = text("eventTime");
  const std::string first =
      since(text("firstTimestamp").empty() ? event_time : text("firstTimestamp"));
  std::string last = text("lastTimestamp").empty() ? first : since(text("lastTimestamp"));
  Json count = event.value("count", Json(1));
  if (const Json* series = Member(event, "series"); series != nullptr && series->is_object()) {
    last = since(StringMember(*series, "lastObservedTime"));
    count = series->value("count", Json(0));
  }
  const Json about = event.value("involvedObject", Json::object());
  std::string target = Lower(std::string(StringMember(about, "kind")));
  if (const auto name = StringMember(about, "name"); !name.empty())
    target += "/" + std::string(name);
  const Json source = event.value("source", Json::object());
  std::string from(StringMember(source, "component"));
  if (from.empty()) from = text("reportingComponent");
  std::string host(StringMember(source, "host"));
  if (host.empty()) host = text("reportingInstance");
  if (!host.empty()) from += ", " + host;
  return {last,
          text("type"),
          text("reason"),
          target,
          std::string(StringMember(about, "fieldPath")),
          from,
          text("message"),
          first,
          count,
          std::string(StringMember(event.at("metadata"), "name"))};
}

std::string OrNone(std::string_view text) { return text.empty() ? "<none>" : std::string(text); }

// Why a container does not run; empty when it does, or nobody knows.
std::string WhyNot(const Json& state) {
  if (const Json* waiting = Member(state, "waiting"))
    return std::string(StringMember(*waiting, "reason"));
  const Json* ended = Member(state, "terminated");
  if (ended == nullptr) return "";
  if (const auto reason = StringMember(*ended, "reason"); !reason.empty())
    return std::string(reason);
  const auto signal = ended->value("signal", std::int64_t{0});
  return signal != 0 ? "Signal:" + std::to_string(signal)
                     : "ExitCode:" + std::to_string(ended->value("exitCode", std::int64_t{0}));
}

// What ails the pod: the pod's own reason, over which its first container that does not run wins.
std::string PodStatus(const Json& pod, const Json& status, const Json& containers) {
  std::string said(StringMember(status, "reason"));
  if (said.empty()) said = StringMember(status, "phase");
  const bool over =
      StringMember(status, "phase") == "Failed" || StringMember(status, "phase") == "Succeeded";
  for (auto each = containers.rbegin(); each != containers.rend(); ++each) {
    const std::string why = WhyNot(each->value("state", Json::object()));
    if (!why.empty()) said = why;
  }
  if (Member(pod.at("metadata"), "deletionTimestamp") == nullptr) return said;
  if (StringMember(status, "reason") == "NodeLost") return "Unknown";
  return over ? said : "Terminating";
}

std::string Restarts(const Json& containers, ServerTime now) {
  std::int64_t count = 0;
  std::optional<ServerTime> last;
  for (const Json& each : containers) {
    count += each.value("restartCount", std::int64_t{0});
    const Json* ended = MemberAt(each, {"lastState", "terminated"});
    if (ended == nullptr) continue;
    const auto at = ParseRfc3339(StringMember(*ended, "finishedAt"));
    if (at && (!last || *at > *last)) last = at;
  }
  const std::string text = std::to_string(count);
  if (count == 0 || !last) return text;
  return text + " (" +
         HumanDuration(std::chrono::duration_cast<std::chrono::seconds>(now - *last)) + " ago)";
}

Json PodCells(const Json& pod, ServerTime now) {
  const Json spec = pod.value("spec", Json::object());
  const Json status = pod.value("status", Json::object());
  const Json containers = status.value("containerStatuses", Json::array());
  const auto ready = std::count_if(containers.begin(), containers.end(), [](const Json& each) {
    return each.value("ready", false) && MemberAt(each, {"state", "running"}) != nullptr;
  });
  const std::size_t all = spec.value("containers", Json::array()).size();
  return {std::string(StringMember(pod.at("metadata"), "name")),
          std::to_string(ready) + "/" + std::to_string(all),
          PodStatus(pod, status, containers),
          Restarts(containers, now),
          Since(StringMember(pod.at("metadata"), "creationTimestamp"), now),
          OrNone(StringMember(status, "podIP")),
          OrNone(StringMember(spec, "nodeName")),
          OrNone(StringMember(status, "nominatedNodeName")),
          "<none>"};
}

Json Cells(const ResourceType& type, const Json& stored, ServerTime now) {
  if (!type.custom && type.plural == "events") return EventCells(stored, now);
  if (IsPod(type)) return PodCells(stored, now);
  Json cells = Json::array();
  if (!OwnNameColumn(type))
    cells.push_back(std::string(StringMember(stored.at("metadata"), "name")));
  for (const PrinterColumn& column : type.columns) cells.push_back(Cell(column, stored, now));
  return cells;
}

}  // namespace

std::string HumanDuration(std::chrono::seconds age) {
  const auto text = [](std::int64_t value, const char* unit) {
    return std::to_string(value) + unit;
  };
  const auto both = [&](std::int64_t a, const char* unit_a, std::int64_t b, const char* unit_b) {
    return b == 0 ? text(a, unit_a) : text(a, unit_a) + text(b, unit_b);
  };
  const std::int64_t seconds = age.count();
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return text(seconds, "s");
  const std::int64_t minutes = seconds / 60;
  if (minutes < 10) return both(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return text(minutes, "m");
  const std::int64_t hours = minutes / 60;
  if (hours < 8) return both(hours, "h", minutes % 60, "m");
  if (hours < 48) return text(hours, "h");
  const std::int64_t days = hours / 24;
  if (hours < 24 * 8) return both(days, "d", hours % 24, "h");
  if (days < 365 * 2) return text(days, "d");
  if (days < 365 * 8) return both(days / 365, "y", days % 365, "d");
  return text(days / 365, "y");
}

Json EmptyTable(const ResourceType& type, bool with_columns) {
  Json columns = nullptr;
  if (with_columns) {
    columns = Json::array();
    if (!OwnNameColumn(type)) {
      columns.push_back({{"name", "Name"},
                         {"type", "string"},
                         {"format", "name"},
                         {"description", kNameColumn},
                         {"priority", 0}});
    }
    for (const PrinterColumn& column : type.columns) columns.push_back(Column(column));
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", Json::object()},
          {"columnDefinitions", std::move(columns)},
          {"rows", Json::array()}};
}

Json TableRow(const ResourceType& type, const Json& stored, IncludeObject include, ServerTime now) {
  Json row = {{"cells", Cells(type, stored, now)}};
  if (include == IncludeObject::kObject) {
    row["object"] = ShowObject(type, stored);
  } else if (include == IncludeObject::kMetadata) {
    row["object"] = {{"kind", "PartialObjectMetadata"},
                     {"apiVersion", "meta.k8s.io/v1"},
                     {"metadata", stored.at("metadata")}};
  }
  return row;
}

}  // namespace jobrun::api_model
