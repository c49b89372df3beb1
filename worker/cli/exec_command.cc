// jobrun exec: runs a command under a run.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <utility>

#include "worker/cli/identity.h"
#include "worker/cli/job_flags.h"
#include "worker/cli/lease_keeper.h"
#include "worker/cli/manifest.h"

namespace jobrun {
namespace {

struct ExecFlags {
  JobFlags job{};
  std::string run{};
  bool create{false};
  NewRunFlags made{};
  int claim_seconds{30};
};

class Execution final : private JobListener {
 public:
  Execution(Tool& tool, ApiClient& api, JobOptions options)
      : tool_(tool),
        leases_(api, options.session.worker),
        job_(api, *this, std::move(options), Seed()) {
    tool.Loop().OnSignal({SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD},
                         [this](int signal) { OnSignal(signal); });
  }

  int Run() {
    job_.Start();
    while (!result_) tool_.Loop().Run();
    leases_.Release();
    return Judge(*result_);
  }

 private:
  void OnSignal(int signal) {
    if (signal != SIGCHLD) return job_.Forward(signal);
    job_.CheckChild();
    ReapOrphans([this](pid_t pid) { return job_.IsChild(pid); });
  }

  void OnClaimed(Job& job) override { leases_.Add(job); }
  void OnOver(Job& job, const JobResult& result) override {
    leases_.Remove(job);
    result_ = result;
    tool_.Loop().Stop();
  }

  int Judge(const JobResult& result) {
    const SessionOver& over = result.over;
    const int code = ToolExitOf(over.end);
    const bool fenced = over.end == SessionEnd::kFenced;
    if (!result.status || fenced) return tool_.Fail({static_cast<ToolExit>(code), over.text});
    if (!over.text.empty()) tool_.Log().Write({LogLevel::kWarn, over.text});
    return *result.status;
  }

  Tool& tool_;
  LeaseKeeper leases_;
  Job job_;
  std::optional<JobResult> result_{};
};

int Exec(Tool& tool, const ExecFlags& flags) {
  if (const auto mistake = MistakeIn(flags.job)) return tool.FailUsage(*mistake);
  if (flags.create == !flags.run.empty()) {
    return tool.FailUsage("expected either --run NAME or --create");
  }
  if (!flags.create && !(flags.made.file.empty() && flags.made.lane.empty())) {
    return tool.FailUsage("--filename and --lane go with --create");
  }
  if (flags.create && flags.made.file.empty() && flags.made.lane.empty()) {
    return tool.FailUsage("--create: expected --filename FILE or --lane NAME");
  }
  if (const auto code = MissingCommand(tool, flags.job)) return *code;
  const auto api = tool.Api();
  if (!api) return tool.FailCredentials(api.error());
  std::optional<RunName> run;
  if (flags.create) {
    CreatedRun made = CreateRun(tool, **api, flags.made);
    if (made.code != kToolDone) return made.code;
    tool.Log().Write({LogLevel::kInfo, "created", {{"run", made.name.Text()}}});
    run = std::move(made.name);
  } else {
    run = tool.NameOf(flags.run);
    if (!run) return kToolUsage;
  }
  JobOptions options = JobOptionsOf(flags.job);
  options.session.name_space = run->name_space;
  options.session.name = run->name;
  options.session.claim_max = Seconds(flags.claim_seconds);
  options.foreground = isatty(STDIN_FILENO) == 1;
  return Execution(tool, **api, std::move(options)).Run();
}

}  // namespace

void AddExec(const CommandLine& line) {
  const auto flags = std::make_shared<ExecFlags>();
  CLI::App& command = *line.app.add_subcommand(
      "exec", "Run a command under a run: claim it, beat while it lives, report how it ended");
  AddCommonFlags(command, line.flags);
  command.add_option("--run", flags->run, "The run, NAME or NAMESPACE/NAME")->option_text("RUN");
  command.add_flag("--create", flags->create, "Create the run first, from --filename or --lane");
  command
      .add_option("-f,--filename", flags->made.file,
                  "JobRun to create, in YAML or JSON; - is stdin")
      ->option_text("FILE");
  command.add_option("--lane", flags->made.lane, "Lane of the run to create")->option_text("NAME");
  command
      .add_option("--claim-timeout", flags->claim_seconds,
                  "Seconds to try to claim it while the API server does not answer (default 30)")
      ->option_text("SECONDS")
      ->check(CLI::NonNegativeNumber);
  AddJobFlags(command, flags->job);
  command.callback(
      [line, flags] { line.chosen = [flags](Tool& tool) { return Exec(tool, *flags); }; });
}

}  // namespace jobrun
