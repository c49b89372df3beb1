// How a piece of work ended, and what of it is written to the run. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controller/model/phase.h"
#include "worker/session/claimed_run.h"

namespace jobrun {

// Why the work was asked to stop before its time.
enum class StopCause : std::uint8_t {  // the graver, the later
  kNone,
  kDrained,    // the worker itself is to stop
  kCutOff,     // no heartbeat was accepted for the whole timeout: it may be fenced by now
  kCancelled,  // spec.cancelled
  kFenced,     // the run was given up, is gone, or is another worker's
};

struct WorkEnd {
  int status{0};  // as a shell has it: the exit code, 128+n when signal n ended it
  StopCause cause{StopCause::kNone};
  std::string message{};  // empty: made of the status
};

// What stands on the run afterwards.
struct EndReport {
  std::optional<std::int32_t> exit_code{};
  std::optional<Phase> phase{};  // nothing: the controller completes it when its gates are met
  std::string reason{};
  std::string message{};

  bool operator==(const EndReport&) const = default;
};

//  - Exit code 0: Succeeded, unless the run has completion gates that are not True.
//  - A run that was stopped because the worker drains or is cut off is handed back: it costs no
//    attempt. So its exit code, which says nothing about the work, is not recorded.
//  - Cancelled: Failed/Cancelled. Anything else: Failed/ExitNonZero.
[[nodiscard]] EndReport ReportOf(const WorkEnd& end, const ClaimedRun& run);

// Whether the run has gates that are not True.
[[nodiscard]] bool AwaitsGates(const ClaimedRun& run);

}  // namespace jobrun
