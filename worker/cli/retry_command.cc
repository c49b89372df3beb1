// jobrun retry: the work of a finished run once more, by hand.
#include <CLI/CLI.hpp>
#include <utility>

#include "controller/base/object_name.h"
#include "controller/base/wording.h"
#include "controller/wire/http_status.h"
#include "controller/wire/successor.h"
#include "controller/wire/targets.h"
#include "worker/cli/manifest.h"
#include "worker/cli/object_text.h"

namespace jobrun {
namespace {

constexpr const char* kRetriedFrom = "jobrun.dev/retried-from";
constexpr int kCreateTries = 5;

struct RetryFlags {
  std::string run{};
  std::string name{};
};

// The run without what is of its own chain: the first of a new one.
std::optional<OrderedJson> Copy(const std::string& parent, const RunName& from,
                                const std::string& name) {
  const auto written = WriteSuccessor(parent, {.name = name});
  auto copy = written ? ParseJson(*written) : std::nullopt;
  if (!copy) return std::nullopt;
  (*copy)["spec"].erase("attempt");
  (*copy)["spec"].erase("retryOf");
  OrderedJson& metadata = (*copy)["metadata"];
  metadata["labels"].erase(std::string(kRootLabel));
  metadata["annotations"][kRetriedFrom] = from.name;
  return copy;
}

// `own_name`: nobody else can have chosen it, so that one that is there is ours.
int Create(Tool& tool, ApiClient& api, const RunName& name, const OrderedJson& body,
           bool own_name) {
  Response answer;
  bool lost = false;
  for (int tried = 0; tried < kCreateTries; ++tried) {
    answer = api.Call({.klass = RequestClass::kData,
                       .method = Method::kPost,
                       .target = CreateTarget(name.name_space),
                       .content_type = "application/json",
                       .body = body.dump()});
    if (answer.status == kHttpCreated) break;
    if (lost && own_name && answer.status == kHttpConflict) break;
    lost = true;
    if (answer.status != 0 && answer.status < kHttpServerError) {
      return tool.Fail(FailureOf(answer, "create " + name.Text()));
    }
  }
  if (answer.status != kHttpCreated && answer.status != kHttpConflict) {
    return tool.Fail(FailureOf(answer, "create " + name.Text()));
  }
  const bool json = tool.Flags().output == "json" && answer.status == kHttpCreated;
  const auto created = json ? ParseJson(answer.body) : std::nullopt;
  Print((created ? JsonText(*created) : name.Text()) + '\n');
  return kToolDone;
}

int Retry(Tool& tool, const RetryFlags& flags) {
  const auto api = tool.Api();
  if (!api) return tool.FailCredentials(api.error());
  const auto run = tool.NameOf(flags.run);
  if (!run) return kToolUsage;
  if (!flags.name.empty() && !IsObjectName(flags.name)) {
    return tool.FailUsage("--name: expected the name of a run, found " + ShownText(flags.name));
  }
  const Response answer =
      (*api)->Call({.klass = RequestClass::kData, .target = RunTarget(run->name_space, run->name)});
  if (answer.status != kHttpOk) return tool.Fail(FailureOf(answer, run->Text()));
  const Event event = (*api)->Decoder().DecodeObject(answer.body);
  if (event.type == EventType::kInvalid) {
    return tool.Fail({kToolInternal, run->Text() + ": " + std::string(event.message)});
  }
  if (!IsTerminal(event.run.phase)) {
    const std::string worker(event.run.claimed_by);
    return tool.Fail({kToolOver, run->Text() + " is " + std::string(PhaseName(event.run.phase)) +
                                     (worker.empty() ? "" : ", claimed by " + worker) +
                                     ": only a finished run is retried by hand; cancel it first"});
  }
  const std::string retry_to(event.run.successor_name);
  const bool own_retry = event.run.retry_state == RetryState::kPending;
  if (own_retry) {
    return tool.Fail({kToolOver, run->Text() + " has a retry of its own, due at " +
                                     std::string(event.run.retry_not_before)});
  }
  const RunName name{run->name_space, flags.name.empty() ? RandomName(run->name) : flags.name};
  const auto copy = Copy(answer.body, *run, name.name);
  if (!copy) return tool.Fail({kToolInternal, run->Text() + ": the object can't be read"});
  if (!retry_to.empty()) {
    tool.Log().Write({LogLevel::kWarn, "it has a successor already", {{"run", retry_to}}});
  }
  return Create(tool, **api, name, *copy, flags.name.empty());
}

}  // namespace

void AddRetry(const CommandLine& line) {
  const auto flags = std::make_shared<RetryFlags>();
  CLI::App& command = *line.app.add_subcommand(
      "retry", "Create a new run with the spec of a finished one, and print its name");
  AddCommonFlags(command, line.flags);
  command.add_option("run", flags->run, "The run, NAME or NAMESPACE/NAME")
      ->option_text("RUN")
      ->required();
  command.add_option("--name", flags->name, "Its name (default: the run's, with random digits)")
      ->option_text("NAME");
  command.callback(
      [line, flags] { line.chosen = [flags](Tool& tool) { return Retry(tool, *flags); }; });
}

}  // namespace jobrun
