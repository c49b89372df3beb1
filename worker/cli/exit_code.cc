#include "worker/cli/exit_code.h"

#include "controller/wire/http_status.h"

namespace jobrun {

const char* ToolExitName(ToolExit code) {
  switch (code) {
    case kToolDone:
      return "Done";
    case kToolInternal:
      return "Failed";
    case kToolUsage:
      return "Usage";
    case kToolOver:
      return "Over";
    case kToolNotFound:
      return "NotFound";
    case kToolUnreachable:
      return "Unreachable";
    case kToolTaken:
      return "Taken";
    case kToolForbidden:
      return "Forbidden";
  }
  return "Failed";
}

ToolExit ToolExitOf(SessionEnd end) {
  switch (end) {
    case SessionEnd::kReported:
    case SessionEnd::kUnreported:
      return kToolDone;
    case SessionEnd::kFenced:
    case SessionEnd::kTerminal:
      return kToolOver;
    case SessionEnd::kNotFound:
      return kToolNotFound;
    case SessionEnd::kTaken:
      return kToolTaken;
    case SessionEnd::kForbidden:
      return kToolForbidden;
    case SessionEnd::kUnreachable:
      return kToolUnreachable;
    case SessionEnd::kRefused:
      return kToolInternal;
  }
  return kToolInternal;
}

ToolFailure FailureOf(const Response& response, const std::string& what) {
  const std::string text = what + ": " + WordsOf(response);
  switch (response.status) {
    case kHttpNotFound:
      return {kToolNotFound, text};
    case kHttpUnauthorized:
    case kHttpForbidden:
      return {kToolForbidden, text};
    case 0:
    case kHttpTooManyRequests:
      return {kToolUnreachable, text};
    default:
      return {response.status >= kHttpServerError ? kToolUnreachable : kToolInternal, text};
  }
}

ToolFailure FailureOfRefusal(const Response& refusal, const ClaimedRun& held,
                             const ClaimedRun& seen) {
  const std::string title = held.name_space + '/' + held.name;
  const bool ours = seen.uid == held.uid && seen.claimed_by == held.claimed_by;
  if (ours && !IsTerminal(seen.phase)) return {kToolInternal, title + ": " + WordsOf(refusal)};
  return {kToolOver, FenceText(title, held.uid, seen)};
}

}  // namespace jobrun
