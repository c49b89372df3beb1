// Plans in words, and the specs of their runs.
#include <nlohmann/json.hpp>

#include "tests/simulation/plan.h"

namespace jobrun::simulation {
namespace {

std::string Since(Nanos time) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.3f s", std::chrono::duration<double>(time).count());
  return text;
}

}  // namespace

std::string SpecText(const Job& job) {
  using nlohmann::json;
  json spec = {{"lane", job.lane}};
  for (const SecondsField& field : kSecondsFields) {
    const auto& value = job.spec.*field.member;
    if (!value) continue;
    constexpr std::string_view kHeartbeat = "heartbeat.";
    if (field.path.starts_with(kHeartbeat)) {
      spec["heartbeat"][std::string(field.path.substr(kHeartbeat.size()))] = value->count();
    } else {
      spec[std::string(field.path)] = value->count();
    }
  }
  if (job.spec.heartbeat_mode) {
    spec["heartbeat"]["mode"] =
        kHeartbeatModeNames[static_cast<std::size_t>(*job.spec.heartbeat_mode)];
  }
  if (job.spec.heartbeat_source) {
    spec["heartbeat"]["source"] =
        kHeartbeatSourceNames[static_cast<std::size_t>(*job.spec.heartbeat_source)];
  }
  if (job.spec.completion_gates) {
    for (const std::string& gate : *job.spec.completion_gates) {
      spec["completionGates"].push_back({{"conditionType", gate}});
    }
  }
  if (job.dry) spec["reaping"] = "DryRun";
  if (!job.key.empty()) spec["concurrencyKey"] = job.key;
  if (job.attempts > 1) {
    spec["retry"] = {
        {"maxAttempts", job.attempts}, {"backoffSeconds", 2}, {"maxBackoffSeconds", 8}};
  }
  return spec.dump();
}

std::string Describe(const Action& action) {
  std::string text(FaultName(action.fault));
  text.append(" at ").append(Since(action.at));
  if (action.length > Nanos::zero()) text.append(" for ").append(Since(action.length));
  text.append(action.where == kEverywhere ? ", everywhere"
                                          : ", replica " + std::to_string(action.where));
  return text;
}

std::string Describe(const Job& job) {
  std::string text = job.name_space + "/" + job.name.substr(0, 12) + " ";
  text.append(BehaviourName(job.behaviour)).append(", created at ").append(Since(job.created));
  text.append(", claimed ").append(Since(job.claimed_after)).append(" later, works for ");
  text.append(Since(job.works_for)).append(", beats every ").append(Since(job.beats_every));
  if (job.spammed) text.append(", annotated all the time");
  if (job.finalizer) text.append(", with a finalizer");
  return text.append(", spec ").append(SpecText(job));
}

}  // namespace jobrun::simulation
