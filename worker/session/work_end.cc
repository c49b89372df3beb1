#include "worker/session/work_end.h"

#include <algorithm>
#include <vector>

#include "controller/model/reason.h"
#include "controller/model/retry.h"
#include "controller/wire/status_patch.h"

namespace jobrun {
namespace {

constexpr int kSignalBase = 128;
constexpr int kSignalMax = 64;

std::string MessageOf(const WorkEnd& end) {
  if (!end.message.empty()) return end.message;
  if (end.status > kSignalBase && end.status <= kSignalBase + kSignalMax) {
    return "ended by signal " + std::to_string(end.status - kSignalBase);
  }
  return "exit code " + std::to_string(end.status);
}

}  // namespace

bool AwaitsGates(const ClaimedRun& run) {
  if (!run.thresholds.completion_gates) return false;
  const std::vector<std::string> met = TrueConditions(run.conditions_json);
  return !std::ranges::all_of(*run.thresholds.completion_gates, [&met](const std::string& gate) {
    return std::ranges::find(met, gate) != met.end();
  });
}

EndReport ReportOf(const WorkEnd& end, const ClaimedRun& run) {
  if (end.status == 0) {
    EndReport report{.exit_code = 0, .phase = Phase::kSucceeded};
    if (AwaitsGates(run)) report.phase.reset();
    return report;
  }
  switch (end.cause) {
    case StopCause::kDrained:
    case StopCause::kCutOff:
      return {
          .phase = Phase::kFailed, .reason = std::string(kHandedBack), .message = MessageOf(end)};
    case StopCause::kCancelled:
      return {.exit_code = end.status,
              .phase = Phase::kFailed,
              .reason = std::string(Info(Reason::kCancelled).name),
              .message = MessageOf(end)};
    case StopCause::kNone:
    case StopCause::kFenced:
      break;
  }
  return {.exit_code = end.status,
          .phase = Phase::kFailed,
          .reason = std::string(Info(Reason::kExitNonZero).name),
          .message = MessageOf(end)};
}

}  // namespace jobrun
