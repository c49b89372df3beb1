#include "controller/wire/explanation_writer.h"

#include <array>
#include <charconv>
#include <utility>

#include "controller/base/rfc3339.h"
#include "controller/wire/json_writer.h"

namespace jobrun {
namespace {

std::string Seconds(Nanos time) {
  std::array<char, 32> digits{};
  const double seconds = std::chrono::duration<double>(time).count();
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), seconds,
                                 std::chars_format::fixed, 3);
  return {digits.data(), end.ptr};
}

json::Writer& Flag(json::Writer& writer, std::string_view name, bool value) {
  return writer.Key(name).Raw(value ? "true" : "false");
}

json::Writer& Duration(json::Writer& writer, std::string_view name, Nanos time) {
  return writer.Key(name).Raw(Seconds(time));
}

void WriteRule(json::Writer& writer, const ExplainedRule& rule) {
  writer.Open().Text("row", rule.row).Text("rule", rule.rule);
  if (!rule.due_in) {
    writer.Text("state", "never");
  } else if (*rule.due_in > Nanos::zero()) {
    writer.Text("state", "later");
    Duration(writer, "dueInSeconds", *rule.due_in);
  } else {
    writer.Text("state", "due").Text("reason", rule.reason);
    Duration(writer, "dueSinceSeconds", -*rule.due_in);
  }
  writer.Close();
}

void WriteRules(json::Writer& writer, const Explanation& e) {
  writer.Key("rules").Raw("[");
  bool first = true;
  for (const ExplainedRule& rule : e.rules) {
    if (!std::exchange(first, false)) writer.Raw(",");
    WriteRule(writer, rule);
  }
  writer.Raw("]");
}

void WriteVerdict(json::Writer& writer, const Explanation& e) {
  if (e.reason.empty()) return;
  writer.Key("verdict").Open().Text("reason", e.reason);
  Duration(writer, "dueSinceSeconds", e.overdue);
  if (!e.held_by.empty()) {
    writer.Text("heldBy", e.held_by);
    Duration(writer, "lookedAtAgainInSeconds", e.looked_at_again_in);
  }
  if (!e.writing.empty()) writer.Text("writing", e.writing);
  writer.Close();
}

void WriteController(json::Writer& writer, const Explanation& e) {
  writer.Key("controller").Open();
  Flag(writer, "leading", e.leading);
  if (!e.leader.empty()) writer.Text("leader", e.leader);
  writer.Key("silenceClock").Open();
  Flag(writer, "stopped", e.silence_clock_stopped);
  Duration(writer, "behindSeconds", e.silence_clock_behind);
  writer.Close();
  if (e.server) {
    writer.Key("serverClock")
        .Open()
        .Text("earliest", FormatMicroTime(e.server->earliest))
        .Text("latest", FormatMicroTime(e.server->latest))
        .Close();
  }
  writer.Close();
}

}  // namespace

std::string WriteExplanation(const Explanation& e) {
  json::Writer writer;
  writer.Open()
      .Text("run", e.run)
      .Text("uid", e.uid)
      .Text("resourceVersion", std::to_string(e.resource_version))
      .Text("phase", e.phase)
      .Text("lane", e.lane)
      .Text("reaping", e.reaping);
  Flag(writer, "laneHeld", e.lane_held);
  Flag(writer, "beingDeleted", e.being_deleted);
  writer.Text("summary", e.words).Key("observed").Open();
  Flag(writer, "hasBeaten", e.has_beaten);
  Duration(writer, "silentForSeconds", e.silent_for);
  if (e.started_at) writer.Text("startedAt", FormatMicroTime(*e.started_at));
  writer.Close();
  WriteRules(writer, e);
  WriteVerdict(writer, e);
  WriteController(writer, e);
  return writer.Close().Take();
}

}  // namespace jobrun
