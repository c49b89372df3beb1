#include "worker/cli/explanation_text.h"

#include <cmath>
#include <string_view>

#include "worker/cli/text_table.h"

namespace jobrun {
namespace {

// "Phase:      Running", nothing where there is nothing to say.
class Lines {
 public:
  void Add(std::string_view title, const std::string& value) {
    constexpr std::size_t kTitleWidth = 14;
    if (value.empty()) return;
    std::string line(title);
    line += ':';
    line.resize(std::max(line.size() + 1, kTitleWidth), ' ');
    text_ += line + Harmless(value) + '\n';
  }
  void Section(const std::string& title, const std::string& body) {
    if (!body.empty()) text_ += '\n' + title + '\n' + body;
  }
  [[nodiscard]] std::string Take() { return std::move(text_); }

 private:
  std::string text_{};
};

std::string SecondsText(const OrderedJson& object, const char* key) {
  const OrderedJson& value = PartOf(object, key);
  if (!value.is_number()) return "?";
  return AgeText(std::chrono::seconds(std::llround(value.get<double>())));
}

// "2026-11-22T01:02:03Z (5m ago)".
std::string Moment(const OrderedJson& object, const char* key, ServerTime now) {
  const std::string time = TextAt(object, key);
  return time.empty() ? "" : time + " (" + AgeSince(time, now) + " ago)";
}

std::string Joined(std::string head, std::string_view between, const std::string& tail) {
  return tail.empty() ? head : head.append(between).append(tail);
}

std::string RulesText(const OrderedJson& explanation) {
  const OrderedJson& rules = PartOf(explanation, "rules");
  if (!rules.is_array() || rules.empty()) return "";
  TextTable table({"ROW", "RULE", "DUE", "REASON"});
  for (const OrderedJson& rule : rules) {
    const std::string state = TextAt(rule, "state");
    std::string due = state;
    if (state == "later") due = "in " + SecondsText(rule, "dueInSeconds");
    if (state == "due") due = "since " + SecondsText(rule, "dueSinceSeconds");
    if (state == "unknown") due = "unknown: only a controller sees that";
    table.Add({TextAt(rule, "row"), TextAt(rule, "rule"), due, TextAt(rule, "reason")});
  }
  return table.Take();
}

std::string ThresholdsText(const OrderedJson& explanation) {
  const OrderedJson& thresholds = PartOf(explanation, "thresholds");
  if (!thresholds.is_object() || thresholds.empty()) return "";
  TextTable table({"THRESHOLD", "SECONDS", "FROM"});
  for (const auto& [name, threshold] : thresholds.items()) {
    table.Add({name, TextAt(threshold, "value"), TextAt(threshold, "from")});
  }
  return table.Take();
}

std::string ConditionsText(const OrderedJson& status, ServerTime now) {
  const OrderedJson& conditions = PartOf(status, "conditions");
  if (!conditions.is_array() || conditions.empty()) return "";
  TextTable table({"TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"});
  for (const OrderedJson& condition : conditions) {
    table.Add({TextAt(condition, "type"), TextAt(condition, "status"),
               AgeSince(TextAt(condition, "lastTransitionTime"), now), TextAt(condition, "reason"),
               TextAt(condition, "message")});
  }
  return table.Take();
}

std::string EventsText(const OrderedJson& explanation, ServerTime now) {
  const OrderedJson& events = PartOf(explanation, "events");
  if (!events.is_array() || events.empty()) return "";
  TextTable table({"LAST SEEN", "TYPE", "REASON", "COUNT", "NOTE"});
  for (const OrderedJson& event : events) {
    table.Add({AgeSince(TextAt(event, "time"), now), TextAt(event, "type"), TextAt(event, "reason"),
               TextAt(event, "count"), TextAt(event, "note")});
  }
  return table.Take();
}

void AddVerdict(Lines& lines, const OrderedJson& explanation) {
  const OrderedJson& verdict = PartOf(explanation, "verdict");
  if (!verdict.is_object()) return;
  std::string words =
      TextAt(verdict, "reason") + ", due since " + SecondsText(verdict, "dueSinceSeconds");
  if (!TextAt(verdict, "heldBy").empty()) {
    words += "; held (" + TextAt(verdict, "heldBy") + "), looked at again in " +
             SecondsText(verdict, "lookedAtAgainInSeconds");
  }
  lines.Add("Verdict", Joined(words, "; its write is ", TextAt(verdict, "writing")));
}

void AddController(Lines& lines, const OrderedJson& explanation) {
  const OrderedJson& controller = PartOf(explanation, "controller");
  if (!controller.is_object()) return;
  const bool leading = TextAt(controller, "leading") == "true";
  lines.Add("Controller", Joined(leading ? "leading" : "standing by",
                                 "; leader: ", TextAt(controller, "leader")));
  const OrderedJson& clock = PartOf(controller, "silenceClock");
  if (TextAt(clock, "stopped") == "true") {
    lines.Add("Silence clock", "stopped: the controller can't see whether workers beat");
  }
}

void AddStatus(Lines& lines, const OrderedJson& status, ServerTime now) {
  const std::string worker = TextAt(status, "claimedBy");
  if (!worker.empty())
    lines.Add("Claimed", Joined("by " + worker, " at ", Moment(status, "claimedAt", now)));
  lines.Add("Heartbeat", Moment(status, "lastHeartbeatAt", now));
  lines.Add("Progress", TextAt(status, "progress"));
  lines.Add("Exit code",
            Joined(TextAt(status, "exitCode"), " at ", Moment(status, "exitTime", now)));
  const std::string pod = TextAt(PartOf(status, "executor"), "podName");
  lines.Add("Executor", pod.empty() ? "" : "pod " + pod);
  const std::string reason = TextAt(status, "reason");
  lines.Add("Ended", Joined(Moment(status, "completionTime", now), " ",
                            reason.empty() ? "" : "for " + reason));
  lines.Add("Cause", TextAt(status, "cause"));
  lines.Add("Message", TextAt(status, "message"));
  lines.Add("Verdict id", TextAt(status, "verdictID"));
  lines.Add("Late beat", Moment(status, "lateHeartbeatTime", now));
  const OrderedJson& retry = PartOf(status, "retry");
  const std::string successor = TextAt(retry, "successorName");
  lines.Add("Retry", Joined(Joined(TextAt(retry, "state"), ", successor ", successor),
                            ", not before ", TextAt(retry, "notBeforeTime")));
}

}  // namespace

std::string ExplanationText(const OrderedJson& e, ServerTime now) {
  Lines lines;
  const OrderedJson& status = PartOf(e, "status");
  lines.Add("Run", TextAt(e, "run"));
  lines.Add("Summary", TextAt(e, "summary"));
  lines.Add("Source", TextAt(e, "source"));
  lines.Add("Lane", TextAt(e, "lane"));
  lines.Add("Attempt", Joined(TextAt(e, "attempt"), ", retry of ", TextAt(e, "retryOf")));
  const bool held = TextAt(e, "laneHeld") == "true";
  lines.Add("Reaping", TextAt(e, "reaping") + (held ? "; its lane's configuration is broken" : ""));
  AddStatus(lines, status, now);
  const OrderedJson& observed = PartOf(e, "observed");
  if (TextAt(e, "phase") == "Running") {
    const bool beaten = TextAt(observed, "hasBeaten") == "true";
    lines.Add("Observed", (beaten ? "beats; silent for " : "has not beaten; silent for ") +
                              SecondsText(observed, "silentForSeconds"));
  }
  AddVerdict(lines, e);
  AddController(lines, e);
  lines.Section("Rules, in their order: the first that is due wins", RulesText(e));
  lines.Section("Thresholds of the run; where it says nothing its lane may say otherwise",
                ThresholdsText(e));
  lines.Section("Conditions", ConditionsText(status, now));
  lines.Section("Events", EventsText(e, now));
  return lines.Take();
}

}  // namespace jobrun
