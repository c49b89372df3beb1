// jobrun explain: why a run was or was not ended.
#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/wire/http_status.h"
#include "controller/wire/targets.h"
#include "worker/cli/explanation_text.h"
#include "worker/cli/object_explanation.h"
#include "worker/cli/tool.h"

namespace jobrun {
namespace {

constexpr const char* kControllerUrl = "http://127.0.0.1:8080";
// People wait for it, and it is near or not there at all.
constexpr Nanos kControllerDeadline = std::chrono::seconds(2);
constexpr std::size_t kEventsMax = 50;  // the latest

struct ExplainFlags {
  std::string run{};
  std::string controller{};
};

// What the controller answers, or in `why` what kept it from doing so.
struct Asked {
  std::optional<OrderedJson> explanation{};
  std::string why{};
};

std::string UrlOf(const ExplainFlags& flags) {
  if (!flags.controller.empty()) return flags.controller;
  const char* const variable = std::getenv("JOBRUN_CONTROLLER");
  return variable == nullptr || *variable == '\0' ? kControllerUrl : variable;
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

Asked AskController(Tool& tool, const ServerAddress& server, const RunName& run) {
  Credentials credentials;
  credentials.origin = "--controller";
  credentials.server = server;
  auto api = ApiClient::Connect(tool.Loop(), std::move(credentials), tool.Log());
  if (!api) return {.why = api.error().ToString()};
  const Response answer =
      (*api)->Call({.klass = RequestClass::kData,
                    .target = "/debug/explain?run=" + run.name_space + '/' + run.name,
                    .deadline = kControllerDeadline});
  if (answer.status == 0) return {.why = answer.detail};
  if (answer.status != kHttpOk) {
    return {.why = "HTTP " + std::to_string(answer.status) + ": " + FirstLine(answer.body)};
  }
  auto explanation = ParseJson(answer.body);
  if (!explanation || TextAt(*explanation, "run") != run.Text()) {
    return {.why = "what answers there is no controller"};
  }
  return {.explanation = std::move(explanation)};
}

// One Event of either API group.
OrderedJson EventOf(const OrderedJson& event) {
  const OrderedJson& series = PartOf(event, "series");
  const auto first = [](std::initializer_list<std::string> texts) {
    for (const std::string& text : texts) {
      if (!text.empty()) return text;
    }
    return std::string();
  };
  return {
      {"time", first({TextAt(series, "lastObservedTime"), TextAt(event, "deprecatedLastTimestamp"),
                      TextAt(event, "lastTimestamp"), TextAt(event, "eventTime")})},
      {"type", TextAt(event, "type")},
      {"reason", TextAt(event, "reason")},
      {"count", first({TextAt(series, "count"), TextAt(event, "deprecatedCount"),
                       TextAt(event, "count"), "1"})},
      {"note", first({TextAt(event, "note"), TextAt(event, "message")})}};
}

// The Events about the run, oldest first; nothing when they may not be read.
std::optional<OrderedJson> EventsOf(ApiClient& api, const RunName& run, const std::string& uid) {
  const auto ask = [&](const std::string& target, const std::string& field) {
    return api.Call(
        {.klass = RequestClass::kData,
         .target = target + "?limit=500&fieldSelector=" + EncodeQuery(field + ".uid=" + uid)});
  };
  Response answer = ask(EventsTarget(run.name_space), "regarding");
  if (answer.status != kHttpOk) {
    answer = ask("/api/v1/namespaces/" + run.name_space + "/events", "involvedObject");
  }
  const auto list = answer.status == kHttpOk ? ParseJson(answer.body) : std::nullopt;
  if (!list || !PartOf(*list, "items").is_array()) return std::nullopt;
  std::multimap<std::string, OrderedJson> events;  // by time
  for (const OrderedJson& item : PartOf(*list, "items")) {
    OrderedJson event = EventOf(item);
    std::string time = TextAt(event, "time");
    events.emplace(std::move(time), std::move(event));
    if (events.size() > kEventsMax) events.erase(events.begin());
  }
  OrderedJson told = OrderedJson::array();
  for (auto& [time, event] : events) told.push_back(std::move(event));
  return told;
}

// The controller's words where it knows this very run, else those of the object.
Result<OrderedJson> Judged(ApiClient& api, const Response& answer, Asked asked,
                           const std::string& url) {
  const auto object = ParseJson(answer.body);
  const std::string uid = object ? TextAt(PartOf(*object, "metadata"), "uid") : "";
  if (asked.explanation && TextAt(*asked.explanation, "uid") != uid) {
    asked = {.why = "it watches another cluster"};
  }
  if (asked.explanation) {
    (*asked.explanation)["source"] = "the controller at " + url;
    return std::move(*asked.explanation);
  }
  auto explained = ExplainObject(api.Decoder(), answer.body, api.Stamp().Next(ReadClocks().mono));
  if (!explained) return explained;
  (*explained)["source"] =
      "the object alone, thresholds of its lane are not known; the controller at " + url +
      " could not be asked: " + asked.why;
  auto thresholds = ThresholdsOf(api.Decoder(), *object);
  if (thresholds) (*explained)["thresholds"] = std::move(*thresholds);
  return explained;
}

void AddFromObject(OrderedJson& explanation, const std::string& body) {
  const auto object = ParseJson(body);
  if (!object) return;
  const OrderedJson& spec = PartOf(*object, "spec");
  const std::string attempt = TextAt(spec, "attempt");
  explanation["attempt"] = attempt.empty() ? "1" : attempt;
  const std::string parent = TextAt(PartOf(spec, "retryOf"), "name");
  if (!parent.empty()) explanation["retryOf"] = parent;
  const OrderedJson& status = PartOf(*object, "status");
  if (status.is_object()) explanation["status"] = status;
}

int Explain(Tool& tool, const ExplainFlags& flags) {
  const std::string url = UrlOf(flags);
  const auto server = ParseServerUrl(url);
  if (!server) return tool.FailUsage("--controller: " + server.error().ToString());
  const auto api = tool.Api();
  if (!api) return tool.FailCredentials(api.error());
  const auto run = tool.NameOf(flags.run);
  if (!run) return kToolUsage;
  const Response answer =
      (*api)->Call({.klass = RequestClass::kData, .target = RunTarget(run->name_space, run->name)});
  if (answer.status != kHttpOk) return tool.Fail(FailureOf(answer, run->Text()));
  auto explained = Judged(**api, answer, AskController(tool, *server, *run), url);
  if (!explained) return tool.Fail({kToolInternal, explained.error().ToString()});
  OrderedJson explanation = std::move(*explained);
  AddFromObject(explanation, answer.body);
  if (auto events = EventsOf(**api, *run, TextAt(explanation, "uid"))) {
    explanation["events"] = std::move(*events);
  } else {
    tool.Log().Write({LogLevel::kWarn, "its Events can't be read"});
  }
  if (tool.Flags().output == "json") {
    Print(JsonText(explanation) + '\n');
  } else {
    Print(ExplanationText(explanation, (*api)->Stamp().Next(ReadClocks().mono)));
  }
  return kToolDone;
}

}  // namespace

void AddExplain(const CommandLine& line) {
  const auto flags = std::make_shared<ExplainFlags>();
  CLI::App& command =
      *line.app.add_subcommand("explain", "Say which rules apply to a run, and what happened");
  AddCommonFlags(command, line.flags);
  command.add_option("run", flags->run, "The run, NAME or NAMESPACE/NAME")
      ->option_text("RUN")
      ->required();
  command
      .add_option("--controller", flags->controller,
                  "Where the controller serves its metrics (default: $JOBRUN_CONTROLLER, else "
                  "http://127.0.0.1:8080); it answers clients of its machine")
      ->option_text("URL");
  command.callback(
      [line, flags] { line.chosen = [flags](Tool& tool) { return Explain(tool, *flags); }; });
}

}  // namespace jobrun
