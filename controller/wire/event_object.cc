#include "controller/wire/event_object.h"

#include <array>
#include <charconv>

#include "controller/base/rfc3339.h"
#include "controller/wire/json_writer.h"

namespace jobrun {
namespace {

void WriteRegarding(json::Writer& writer, const RunEvent& event) {
  const bool is_pod = event.subject == EventSubject::kPod;
  writer.Key("regarding")
      .Open()
      .Text("apiVersion", is_pod ? "v1" : "jobrun.dev/v1")
      .Text("kind", is_pod ? "Pod" : "JobRun")
      .Text("namespace", event.name_space)
      .Text("name", event.name);
  if (!event.uid.IsNone()) writer.Text("uid", FormatUid(event.uid));
  if (event.resource_version != 0) {
    writer.Text("resourceVersion", std::to_string(event.resource_version));
  }
  writer.Close();
}

void WriteSeries(json::Writer& writer, const EventSeries& series) {
  writer.Key("series")
      .Open()
      .Number("count", series.count)
      .Text("lastObservedTime", FormatMicroTime(series.last_observed))
      .Close();
}

}  // namespace

std::string EventName(std::string_view run, std::uint64_t stamp) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), stamp, 16);
  const std::string_view suffix(digits.data(), static_cast<std::size_t>(end.ptr - digits.data()));
  run = run.substr(0, kEventNameMax - 1 - suffix.size());
  // A label of the name must end in a letter or digit.
  while (run.ends_with('.') || run.ends_with('-')) run.remove_suffix(1);
  return std::string(run).append(".").append(suffix);
}

std::string WriteEvent(const RunEvent& event, const EventOrigin& origin,
                       const std::optional<EventSeries>& series) {
  json::Writer writer;
  writer.Open().Text("apiVersion", "events.k8s.io/v1").Text("kind", "Event");
  writer.Key("metadata")
      .Open()
      .Text("namespace", event.name_space)
      .Text("name", origin.name)
      .Close();
  writer.Text("eventTime", FormatMicroTime(origin.at))
      .Text("reportingController", kReportingController)
      .Text("reportingInstance", CutText(origin.instance, kEventWordMax))
      .Text("type", event.severity == EventSeverity::kWarning ? "Warning" : "Normal")
      .Text("reason", CutText(event.reason, kEventWordMax))
      .Text("action", CutText(event.action, kEventWordMax))
      .Text("note", CutText(event.note, kEventNoteMax));
  WriteRegarding(writer, event);
  if (series) WriteSeries(writer, *series);
  return writer.Close().Take();
}

std::string WriteSeriesPatch(const EventSeries& series) {
  json::Writer writer;
  WriteSeries(writer.Open(), series);
  return writer.Close().Take();
}

}  // namespace jobrun
