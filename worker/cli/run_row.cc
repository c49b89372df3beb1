#include "worker/cli/run_row.h"

#include <CLI/CLI.hpp>

#include "controller/base/object_name.h"
#include "controller/base/wording.h"
#include "controller/model/retry.h"
#include "worker/cli/text_table.h"

namespace jobrun {
namespace {

std::vector<std::string_view> PhaseNames() { return {kPhaseNames.begin(), kPhaseNames.end()}; }

// Pending is also a run without a phase, which only "none of the others" selects.
std::string PhaseSelector(Phase phase) {
  if (phase != Phase::kPending) return "status.phase=" + std::string(PhaseName(phase));
  std::string selector;
  for (const std::string_view other : kPhaseNames) {
    if (other == PhaseName(Phase::kPending)) continue;
    selector.append(selector.empty() ? "" : ",").append("status.phase!=").append(other);
  }
  return selector;
}

}  // namespace

RunRow RowOf(const Event& event) {
  const ObservedRun& run = event.run;
  RunRow row{.name_space = std::string(run.name_space),
             .name = std::string(run.name),
             .uid = run.uid,
             .resource_version = run.resource_version,
             .readable = event.type != EventType::kInvalid,
             .deleted = event.type == EventType::kDeleted,
             .created = run.created};
  if (!row.readable) return row;
  row.phase = run.phase;
  row.lane = run.lane;
  row.worker = run.claimed_by;
  row.heartbeat = run.last_heartbeat_at;
  row.reason = run.reason;
  row.progress = run.progress;
  row.completion_time = run.completion_time;
  row.exit_code = run.exit_code;
  if (run.retry_state) row.retry = kRetryStateNames.at(static_cast<std::size_t>(*run.retry_state));
  row.successor = run.successor_name;
  row.attempt = run.attempt;
  return row;
}

std::vector<std::string> HeadOf(const Columns& columns) {
  std::vector<std::string> head;
  if (columns.change) head.emplace_back("CHANGE");
  if (columns.name_space) head.emplace_back("NAMESPACE");
  for (const char* title : {"NAME", "PHASE", "LANE", "WORKER", "HEARTBEAT", "REASON", "ATTEMPT"}) {
    head.emplace_back(title);
  }
  head.emplace_back("AGE");
  if (!columns.wide) return head;
  for (const char* title : {"PROGRESS", "EXIT", "RETRY", "SUCCESSOR"}) head.emplace_back(title);
  return head;
}

std::vector<std::string> CellsOf(const RunRow& row, const Columns& columns, ServerTime now) {
  std::vector<std::string> cells;
  if (columns.name_space) cells.push_back(row.name_space);
  cells.push_back(row.name);
  cells.emplace_back(row.readable ? PhaseName(row.phase) : std::string_view("?"));
  cells.push_back(row.lane);
  cells.push_back(row.worker);
  cells.push_back(AgeSince(row.heartbeat, now));
  cells.push_back(row.readable ? row.reason : "the object can't be read");
  cells.push_back(std::to_string(row.attempt));
  cells.push_back(AgeText(now - row.created));
  if (!columns.wide) return cells;
  cells.push_back(row.progress);
  cells.push_back(row.exit_code ? std::to_string(*row.exit_code) : "");
  cells.push_back(row.retry);
  cells.push_back(row.successor);
  return cells;
}

void AddScopeFlags(CLI::App& command, ScopeFlags& flags) {
  command.add_flag("-A,--all-namespaces", flags.all_namespaces, "Runs of all namespaces");
  command
      .add_option("-l,--selector", flags.selector, "Runs with these labels: a=b,c!=d,e in (f,g)")
      ->option_text("SELECTOR");
  command.add_option("--lane", flags.lane, "Runs of this lane")->option_text("NAME");
  command
      .add_option("--phase", flags.phase,
                  "Runs in this phase: Pending, Running, Succeeded, Failed or Stuck")
      ->option_text("PHASE");
}

std::optional<std::string> MistakeIn(const ScopeFlags& flags) {
  if (!flags.lane.empty() && !IsDnsLabel(flags.lane)) {
    return "--lane: expected the name of a lane, found " + ShownText(flags.lane);
  }
  if (flags.phase.empty() || ParsePhase(flags.phase)) return std::nullopt;
  const std::string_view near = NearestName(flags.phase, PhaseNames());
  return "--phase: expected Pending, Running, Succeeded, Failed or Stuck, found " +
         ShownText(flags.phase) + (near.empty() ? "" : "; did you mean " + std::string(near) + "?");
}

WatchScope ScopeOf(const ScopeFlags& flags, const std::string& name_space) {
  WatchScope scope{.name_space = flags.all_namespaces ? "" : name_space,
                   .selector = flags.selector};
  if (!flags.lane.empty()) scope.field_selector = "spec.lane=" + flags.lane;
  if (const auto phase = ParsePhase(flags.phase)) {
    scope.field_selector += (scope.field_selector.empty() ? "" : ",") + PhaseSelector(*phase);
  }
  return scope;
}

std::string WordsOf(const ScopeFlags& flags, const std::string& name_space) {
  std::string words = (flags.phase.empty() ? "" : flags.phase + ' ') + "runs";
  if (!flags.lane.empty()) words += " of lane " + flags.lane;
  if (!flags.selector.empty()) words += " with labels " + flags.selector;
  return words + (flags.all_namespaces ? " in any namespace" : " in namespace " + name_space);
}

}  // namespace jobrun
