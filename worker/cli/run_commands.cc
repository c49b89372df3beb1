// jobrun beat, complete, create: single writes, for workers that are scripts.
#include <CLI/CLI.hpp>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/base/wording.h"
#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"
#include "worker/cli/identity.h"
#include "worker/cli/manifest.h"
#include "worker/cli/tool.h"
#include "worker/session/claimed_run.h"
#include "worker/session/work_end.h"

namespace jobrun {
namespace {

struct OwnRun {
  std::string run{};
  std::string worker{};
  std::string progress{};
};

void AddOwnRun(CLI::App& command, OwnRun& own) {
  command.add_option("run", own.run, "The run, NAME or NAMESPACE/NAME (default: $JOBRUN_NAME)")
      ->option_text("RUN");
  command
      .add_option("--worker", own.worker,
                  "The worker that has claimed it (default: $JOBRUN_WORKER, else whoever has)")
      ->option_text("NAME");
  command.add_option("--progress", own.progress, "How far the work is")->option_text("TEXT");
}

// Under `jobrun exec` the run and its worker are known.
void TakeFromEnvironment(OwnRun& own) {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (own.run.empty() && !variable("JOBRUN_NAME").empty()) {
    own.run = variable("JOBRUN_NAMESPACE") + '/' + variable("JOBRUN_NAME");
    if (own.worker.empty()) own.worker = variable("JOBRUN_WORKER");
  }
}

// The run as it stands. A code: it was told why there is none.
struct Held {
  int code{kToolDone};
  ApiClient* api{nullptr};
  RunName name{};
  ClaimedRun run{};
};

Held Read(Tool& tool, ApiClient& api, RunName name) {
  const Response answer =
      api.Call({.klass = RequestClass::kData, .target = RunTarget(name.name_space, name.name)});
  if (answer.status != kHttpOk) return {.code = tool.Fail(FailureOf(answer, name.Text()))};
  auto run = ReadClaimedRun(api.Decoder(), answer.body);
  if (!run)
    return {.code = tool.Fail({kToolInternal, name.Text() + ": " + run.error().ToString()})};
  return {.api = &api, .name = std::move(name), .run = std::move(*run)};
}

// The same, when it is Running and this worker's.
Held Hold(Tool& tool, OwnRun own) {
  TakeFromEnvironment(own);
  if (own.run.empty()) return {.code = tool.FailUsage("expected the name of a run")};
  const auto api = tool.Api();
  if (!api) return {.code = tool.FailCredentials(api.error())};
  auto name = tool.NameOf(own.run);
  if (!name) return {.code = kToolUsage};
  const std::string title = name->Text();
  Held held = Read(tool, **api, std::move(*name));
  if (held.code != kToolDone) return held;
  const ClaimedRun& run = held.run;
  if (IsTerminal(run.phase)) {
    return {.code = tool.Fail({kToolOver, FenceText(title, run.uid, run)})};
  }
  if (run.phase == Phase::kPending) {
    return {.code = tool.Fail({kToolInternal, title + " is Pending: nobody has claimed it"})};
  }
  if (!own.worker.empty() && own.worker != run.claimed_by) {
    return {.code = tool.Fail({kToolTaken, FenceText(title, run.uid, run)})};
  }
  return held;
}

int Patch(Tool& tool, const Held& held, std::string body) {
  const Response answer =
      held.api->Call({.klass = RequestClass::kData,
                      .method = Method::kPatch,
                      .target = StatusTarget(held.name.name_space, held.name.name),
                      .content_type = std::string(kJsonPatchType),
                      .body = std::move(body)});
  if (answer.status == kHttpOk) return kToolDone;
  if (answer.status != kHttpConflict && answer.status != kHttpUnprocessable) {
    return tool.Fail(FailureOf(answer, held.name.Text()));
  }
  // The fence, or a policy, or a rule of the resource: the run itself tells.
  const Held now = Read(tool, *held.api, held.name);
  if (now.code != kToolDone) return now.code;
  return tool.Fail(FailureOfRefusal(answer, held.run, now.run));
}

std::optional<std::string_view> ProgressOf(const OwnRun& own) {
  return own.progress.empty() ? std::nullopt : std::optional<std::string_view>(own.progress);
}

int Beat(Tool& tool, const OwnRun& own) {
  const Held held = Hold(tool, own);
  if (held.code != kToolDone) return held.code;
  const int code = Patch(tool, held,
                         WriteBeatPatch({.author = {held.run.uid, held.run.claimed_by},
                                         .at = held.api->Stamp().Next(ReadClocks().mono),
                                         .progress = ProgressOf(own)}));
  if (code != kToolDone || !held.run.cancelled) return code;
  return tool.Fail({kToolOver, held.name.Text() + " is cancelled: stop the work"});
}

struct CompleteFlags {
  OwnRun own{};
  std::optional<int> exit_code{};
  std::string failed{};
  std::string message{};
};

int Complete(Tool& tool, const CompleteFlags& flags) {
  if (flags.exit_code && !flags.failed.empty() && *flags.exit_code == 0) {
    return tool.FailUsage("--failed and --exit-code 0 contradict each other");
  }
  const Held held = Hold(tool, flags.own);
  if (held.code != kToolDone) return held.code;
  EndReport report =
      ReportOf({.status = flags.exit_code.value_or(0), .message = flags.message}, held.run);
  if (!flags.failed.empty()) {
    report = {.exit_code = flags.exit_code,
              .phase = Phase::kFailed,
              .reason = flags.failed,
              .message = flags.message};
  }
  const int code = Patch(tool, held,
                         WriteEndPatch({.author = {held.run.uid, held.run.claimed_by},
                                        .at = held.api->Stamp().Next(ReadClocks().mono),
                                        .exit_code = report.exit_code,
                                        .phase = report.phase,
                                        .reason = report.reason,
                                        .message = report.message,
                                        .progress = ProgressOf(flags.own)}));
  if (code == kToolDone && !report.phase) {
    tool.Log().Write({LogLevel::kInfo, "the controller completes it once its gates are met"});
  }
  return code;
}

int Create(Tool& tool, const NewRunFlags& flags) {
  if (flags.file.empty() && flags.lane.empty()) {
    return tool.FailUsage("expected --filename FILE or --lane NAME");
  }
  const auto api = tool.Api();
  if (!api) return tool.FailCredentials(api.error());
  const CreatedRun made = CreateRun(tool, **api, flags);
  if (made.code != kToolDone) return made.code;
  const bool json = tool.Flags().output == "json" && !made.body.empty();
  Print((json ? made.body : made.name.Text()) + '\n');
  return kToolDone;
}

}  // namespace

void AddBeat(const CommandLine& line) {
  const auto own = std::make_shared<OwnRun>();
  CLI::App& command = *line.app.add_subcommand("beat", "Send one heartbeat; exit code 65: stop");
  AddCommonFlags(command, line.flags);
  AddOwnRun(command, *own);
  command.callback([line, own] { line.chosen = [own](Tool& tool) { return Beat(tool, *own); }; });
}

void AddComplete(const CommandLine& line) {
  const auto flags = std::make_shared<CompleteFlags>();
  CLI::App& command = *line.app.add_subcommand("complete", "Report how the work ended");
  AddCommonFlags(command, line.flags);
  AddOwnRun(command, flags->own);
  command.add_option("--exit-code", flags->exit_code, "Exit code of the work (default 0)")
      ->option_text("CODE");
  command.add_option("--failed", flags->failed, "It failed, for this reason (CamelCase)")
      ->option_text("REASON");
  command.add_option("--message", flags->message, "Details of the reason")->option_text("TEXT");
  command.callback(
      [line, flags] { line.chosen = [flags](Tool& tool) { return Complete(tool, *flags); }; });
}

void AddCreate(const CommandLine& line) {
  const auto flags = std::make_shared<NewRunFlags>();
  CLI::App& command = *line.app.add_subcommand("create", "Create a run");
  AddCommonFlags(command, line.flags);
  command.add_option("name", flags->name, "Its name (default: made of the lane and random digits)")
      ->option_text("NAME");
  command.add_option("-f,--filename", flags->file, "JobRun in YAML or JSON; - is stdin")
      ->option_text("FILE");
  command.add_option("--lane", flags->lane, "Its lane")->option_text("NAME");
  command.callback(
      [line, flags] { line.chosen = [flags](Tool& tool) { return Create(tool, *flags); }; });
}

}  // namespace jobrun
