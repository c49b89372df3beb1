#include "worker/cli/job_flags.h"

#include <CLI/CLI.hpp>

#include "controller/base/object_name.h"
#include "controller/base/wording.h"
#include "worker/cli/identity.h"

namespace jobrun {

void AddJobFlags(CLI::App& command, JobFlags& flags) {
  command
      .add_option("--worker", flags.worker,
                  "Name in status.claimedBy (default: $POD_NAME, else one of this process alone)")
      ->option_text("NAME");
  command
      .add_option("--interval", flags.interval_seconds,
                  "Seconds between heartbeats, at most a third of the timeout (default: the run's, "
                  "else 30); give the lane's where the run says nothing")
      ->option_text("SECONDS")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--timeout", flags.timeout_seconds,
                  "Seconds without an accepted heartbeat after which the work is stopped (default: "
                  "the run's, else 150); give the lane's where the run says nothing")
      ->option_text("SECONDS")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--liveness", flags.liveness,
                  "What a heartbeat tells: process, that the command lives; progress, that it has "
                  "written to $JOBRUN_PROGRESS_FD or the file since the last one (default process)")
      ->option_text("WHAT");
  command
      .add_option("--progress-file", flags.progress_file,
                  "File whose last line is the progress (instead of $JOBRUN_PROGRESS_FD)")
      ->option_text("FILE");
  command
      .add_option(
          "--when-cut-off", flags.when_cut_off,
          "When no heartbeat gets through for the whole timeout: stop the work, or continue "
          "until the API server says that the run is lost (default stop)")
      ->option_text("WHAT");
  command
      .add_option("--heartbeat-source", flags.source,
                  "Status, or Lease: one Lease beats for all runs of this worker; for runs that do "
                  "not say (default Status)")
      ->option_text("SOURCE");
  command
      .add_option("--grace", flags.grace_seconds,
                  "Seconds between TERM and KILL of work that must stop (default 10)")
      ->option_text("SECONDS")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--report-timeout", flags.report_seconds,
                  "Seconds to try to report the end (default 60); the controller does it otherwise")
      ->option_text("SECONDS")
      ->check(CLI::NonNegativeNumber);
  command.add_option("command", flags.command, "The command and its arguments, behind --")
      ->option_text("COMMAND...");
}

std::optional<std::string> MistakeIn(const JobFlags& flags) {
  const auto expected = [](const char* flag, const char* what, const std::string& found) {
    return std::string(flag) + ": expected " + what + ", found " + ShownText(found);
  };
  if (flags.command.empty()) return "expected a command behind --";
  if (!flags.worker.empty() && !IsObjectName(flags.worker)) {
    return expected("--worker", "an object name (lower-case letters, digits, '-' and '.')",
                    flags.worker);
  }
  if (flags.liveness != "process" && flags.liveness != "progress") {
    return expected("--liveness", "process or progress", flags.liveness);
  }
  if (flags.when_cut_off != "stop" && flags.when_cut_off != "continue") {
    return expected("--when-cut-off", "stop or continue", flags.when_cut_off);
  }
  if (!ParseEnum<HeartbeatSource>(kHeartbeatSourceNames, flags.source)) {
    return expected("--heartbeat-source", "Status or Lease", flags.source);
  }
  return std::nullopt;
}

JobOptions JobOptionsOf(const JobFlags& flags) {
  JobOptions options{.command = flags.command,
                     .grace = Seconds(flags.grace_seconds),
                     .progress_file = flags.progress_file};
  SessionOptions& session = options.session;
  session.executor = FindPlace();
  session.worker = flags.worker.empty() ? WorkerName(session.executor) : flags.worker;
  if (flags.interval_seconds) session.cadence.interval = Seconds(*flags.interval_seconds);
  if (flags.timeout_seconds) session.cadence.timeout = Seconds(*flags.timeout_seconds);
  if (flags.liveness == "progress") session.liveness = Liveness::kProgress;
  session.stop_when_cut_off = flags.when_cut_off == "stop";
  session.source =
      ParseEnum<HeartbeatSource>(kHeartbeatSourceNames, flags.source).value_or(session.source);
  session.report_max = Seconds(flags.report_seconds);
  return options;
}

std::optional<int> MissingCommand(Tool& tool, const JobFlags& flags) {
  const auto found = FindProgram(flags.command.front());
  if (found) return std::nullopt;
  (void)tool.Fail({kToolUsage, found.error().ToString()});
  return found.error().code == Code::kNotFound ? kStatusNotFound : kStatusNotExecutable;
}

}  // namespace jobrun
