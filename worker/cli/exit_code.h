// The exit codes of jobrun; they are interface (docs/jobrun.md). `exec` ends with its command's.
#pragma once

#include <string>

#include "controller/base/result.h"
#include "worker/session/claimed_run.h"
#include "worker/session/run_session.h"

namespace jobrun {

enum ToolExit : int {
  kToolDone = 0,
  kToolInternal = 1,      // our own fault, or a failure that none of the others describes
  kToolUsage = 64,        // the command line, or a file that it names
  kToolOver = 65,         // the run has ended, or this worker is fenced
  kToolNotFound = 66,     // no such run
  kToolUnreachable = 69,  // no usable answer of the API server
  kToolTaken = 73,        // claimed by, or assigned to, another worker
  kToolForbidden = 77,    // a right is missing, or the credentials are refused
};

// Why a command could not do what it was asked to.
struct ToolFailure {
  ToolExit code{kToolInternal};
  std::string text{};  // one line, for people
};

// Names of the codes for machine-readable errors: "NotFound".
[[nodiscard]] const char* ToolExitName(ToolExit code);

[[nodiscard]] ToolExit ToolExitOf(SessionEnd end);
// Of a request that was refused or not answered (not 2xx): 404 of a run, 401 and 403, no answer…
[[nodiscard]] ToolFailure FailureOf(const Response& response, const std::string& what);
// Of a write to a run of ours that was refused for a conflict or for what it says, once the run was
// read again: kToolOver if it is no longer `held`, else the words of the refusal.
[[nodiscard]] ToolFailure FailureOfRefusal(const Response& refusal, const ClaimedRun& held,
                                           const ClaimedRun& seen);

}  // namespace jobrun
