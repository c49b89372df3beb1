// What a session says of the end of its work.
#include <algorithm>
#include <utility>

#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"
#include "worker/session/run_session.h"

namespace jobrun {
namespace {

constexpr Nanos kReportDeadline = std::chrono::seconds(5);
constexpr Nanos kReportRetry = std::chrono::seconds(1);

}  // namespace

void RunSession::OnWorkEnded(const WorkEnd& end, Clocks now) {
  if (state_ == State::kFenced) return Finish(SessionEnd::kFenced, fence_);
  if (state_ != State::kWorking) return;
  state_ = State::kReporting;
  work_end_ = end;
  failing_ = false;
  give_up_ = now.mono + options_.report_max;
  Report(now);  // an answer to a heartbeat that is still under way is not waited for
}

// The same text each time: repeating an end that was written already changes nothing.
void RunSession::Report(Clocks now) {
  if (!ended_) ended_ = stamp_.Next(now.mono);
  const EndReport report = ReportOf(work_end_, run_);
  EndPatch patch{.author = TheAuthor(),
                 .at = *ended_,
                 .exit_code = report.exit_code,
                 .phase = report.phase,
                 .reason = report.reason,
                 .message = report.message};
  if (!progress_.empty()) patch.progress = progress_;
  SendAs(Asked::kEnd,
         {.method = Method::kPatch,
          .target = StatusTarget(options_.name_space, options_.name),
          .content_type = std::string(kJsonPatchType),
          .body = WriteEndPatch(patch),
          .deadline = kReportDeadline},
         now);
}

void RunSession::OnEndAnswer(const Response& response, Clocks now) {
  if (IsGone(response)) return Finish(SessionEnd::kFenced, Title() + " is gone");
  if (response.status == kHttpConflict || response.status == kHttpUnprocessable) {
    refusal_ = WordsOf(response);
    return Look(now);
  }
  if (response.status != kHttpOk) {
    return ReportAgain(WordsOf(response), response.retry_after.value_or(Seconds(0)), now);
  }
  auto seen = ReadClaimedRun(decoder_, response.body);
  if (!seen || IsTerminal(seen->phase)) return Finish(SessionEnd::kReported, "");
  // Its exit is recorded, and its gates were not met before.
  run_ = std::move(seen).value();
  if (!AwaitsGates(run_)) return Report(now);
  Finish(SessionEnd::kReported, Title() + ": the controller completes it once its gates are met");
}

// Whether the end was refused because the run is not ours any more, or for what it says.
void RunSession::OnLookBack(const Response& response, Clocks now) {
  if (IsGone(response)) return Finish(SessionEnd::kFenced, Title() + " is gone");
  if (response.status == kHttpOk) {
    const auto seen = ReadClaimedRun(decoder_, response.body);
    if (seen && (!Ours(*seen) || IsTerminal(seen->phase))) {
      return Finish(SessionEnd::kFenced, FenceTextOf(*seen));
    }
  }
  ReportAgain(refusal_, response.retry_after.value_or(Seconds(0)), now);
}

void RunSession::ReportAgain(const std::string& why, Nanos wait, Clocks now) {
  next_ = now.mono + std::max(wait, kReportRetry);
  if (*next_ >= give_up_) {
    return Finish(SessionEnd::kUnreported, Title() + ": its end could not be reported: " + why);
  }
  if (std::exchange(failing_, true)) return;
  host_.Log(
      {LogLevel::kWarn, "the end could not be reported yet", {{"run", Title()}, {"error", why}}});
}

void RunSession::Finish(SessionEnd end, std::string text) {
  state_ = State::kOver;
  request_ = 0;
  next_.reset();
  host_.OnOver({end, std::move(text)});
}

}  // namespace jobrun
