// The flags that `exec` and `work` share: how the work of a run is done.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/cli/job.h"
#include "worker/cli/tool.h"

namespace jobrun {

struct JobFlags {
  std::string worker{};
  std::optional<int> interval_seconds{};
  std::optional<int> timeout_seconds{};
  int grace_seconds{10};
  int report_seconds{60};
  std::string liveness{"process"};
  std::string when_cut_off{"stop"};
  std::string source{"Status"};
  std::string progress_file{};
  std::vector<std::string> command{};
};
void AddJobFlags(CLI::App& command, JobFlags& flags);

// What is wrong with the values, or nothing.
[[nodiscard]] std::optional<std::string> MistakeIn(const JobFlags& flags);
// All but the run.
[[nodiscard]] JobOptions JobOptionsOf(const JobFlags& flags);

// Looks for the command before a run is claimed for it. The exit code (126, 127) and a word on
// stderr when there is none.
[[nodiscard]] std::optional<int> MissingCommand(Tool& tool, const JobFlags& flags);

}  // namespace jobrun
