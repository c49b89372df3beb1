#include "controller/engine/announce.h"

#include <optional>
#include <string>
#include <utility>

#include "controller/engine/answers.h"
#include "controller/wire/http_status.h"

namespace jobrun {
namespace {

// What the controller did, or tried to do (the Event's action).
constexpr const char* kJudge = "Judge";
constexpr const char* kReap = "Reap";
constexpr const char* kFinalize = "Finalize";
constexpr const char* kRetry = "Retry";

std::optional<ServerTime> TimeOf(const Core& core) {
  if (!core.now.server.Known()) return std::nullopt;
  return core.now.server.earliest;
}

RunEvent About(const Core& core, const RunRecord& record) {
  return {.name_space = core.namespaces.Name(record.name_space),
          .name = record.name,
          .uid = record.uid,
          .resource_version = record.resource_version,
          .at = TimeOf(core)};
}

const char* ActionFor(Phase phase) { return phase == Phase::kSucceeded ? kFinalize : kReap; }

// What comes after a verdict, by what was recorded with it.
std::string WhatIsNext(const ObservedRun& run) {
  if (run.retry_state == RetryState::kPending) {
    return "; " + std::string(run.successor_name) + " retries it, not before " +
           std::string(run.retry_not_before);
  }
  if (run.retry_state == RetryState::kExhausted) return "; no attempt is left";
  if (run.retry_state == RetryState::kNotDue) return "; it is not retried";
  return {};
}

}  // namespace

void AnnounceVerdict(Core& core, const RunRecord& record, const ObservedRun& run,
                     std::string_view message) {
  RunEvent event = About(core, record);
  const bool wanted = run.phase == Phase::kSucceeded || run.reason == Info(Reason::kCancelled).name;
  event.severity = wanted ? EventSeverity::kNormal : EventSeverity::kWarning;
  event.reason = run.reason;
  event.action = ActionFor(run.phase);
  event.note = std::string(PhaseName(run.phase));
  if (!message.empty()) event.note.append(": ").append(message);
  event.note += WhatIsNext(run);
  core.Emit(std::move(event));
}

void AnnounceDryRun(Core& core, const RunRecord& record, Reason reason) {
  RunEvent event = About(core, record);
  event.reason = "DryRun";
  event.action = ActionFor(Info(reason).phase);
  event.note = std::string(Info(reason).name) +
               " is due and not written: " + VerdictMessage(core.SubjectOf(record), reason);
  core.Emit(std::move(event));
}

void AnnounceRefusedVerdict(Core& core, const RunRecord& record, Reason reason,
                            const Response& response) {
  const int status = response.status;
  const bool refused = status >= 400 && status < kHttpServerError;
  if (!refused || status == kHttpUnauthorized || status == kHttpNotFound ||
      status == kHttpTooManyRequests) {
    return;
  }
  RunEvent event = About(core, record);
  event.severity = EventSeverity::kWarning;
  event.reason = "VerdictRefused";
  event.action = ActionFor(Info(reason).phase);
  event.note = "the API server refused the verdict " + std::string(Info(reason).name) +
               ", the run is held and judged again: " + WordsOf(response);
  core.Emit(std::move(event));
}

void AnnounceRetry(Core& core, const RunRecord& record, const ObservedRun& run) {
  RunEvent event = About(core, record);
  event.action = kRetry;
  const std::string successor(run.successor_name);
  switch (run.retry_state.value_or(RetryState::kNotDue)) {
    case RetryState::kPending:
    case RetryState::kNotDue:
      return;
    case RetryState::kCreated:
      event.reason = "RetryCreated";
      event.note = successor + " retries it";
      break;
    case RetryState::kSkipped:
      event.reason = "RetrySkipped";
      event.note = "not retried: another run with concurrencyKey " +
                   std::string(run.concurrency_key) + " is active";
      break;
    case RetryState::kBlocked:
      event.severity = EventSeverity::kWarning;
      event.reason = "RetryBlocked";
      event.note = "not retried: " + successor + " is there and is no successor of this run";
      break;
    case RetryState::kExhausted:
      event.severity = EventSeverity::kWarning;
      event.reason = "RetriesExhausted";
      event.note =
          "not retried: attempt " + std::to_string(run.attempt) + " was the last it may have";
      break;
  }
  core.Emit(std::move(event));
}

void AnnounceRefusedSuccessor(Core& core, const RunRecord& record, std::string_view words) {
  RunEvent event = About(core, record);
  event.severity = EventSeverity::kWarning;
  event.reason = "RetryRefused";
  event.action = kRetry;
  event.note = "the API server refused the successor, it is tried again: " + std::string(words);
  core.Emit(std::move(event));
}

void AnnounceDispute(Core& core, const RunRecord& record, const ObservedRun& run) {
  RunEvent event = About(core, record);
  event.severity = EventSeverity::kWarning;
  event.reason = "DisputedReap";
  event.action = kReap;
  event.note = "a sign of life came after the verdict " + std::string(run.reason) + ", at " +
               std::string(run.late_heartbeat);
  core.Emit(std::move(event));
}

void AnnounceInvalid(Core& core, const ObservedRun& run, std::string_view why) {
  if (run.uid.IsNone() || run.name_space.empty() || run.name.empty()) return;
  core.Emit(RunEvent{.name_space = std::string(run.name_space),
                     .name = std::string(run.name),
                     .uid = run.uid,
                     .resource_version = run.resource_version,
                     .severity = EventSeverity::kWarning,
                     .reason = "InvalidJobRun",
                     .action = kJudge,
                     .note = "it can't be decoded and is left alone: " + std::string(why),
                     .at = TimeOf(core)});
}

namespace {

// Regards the controller's own pod; whoever performs it knows which that is.
void TellOfSelf(Core& core, EventSeverity severity, const char* reason, const char* action,
                std::string note) {
  core.Emit(RunEvent{.subject = EventSubject::kPod,
                     .severity = severity,
                     .reason = reason,
                     .action = action,
                     .note = std::move(note),
                     .at = TimeOf(core)});
}

}  // namespace

void AnnounceBreaker(Core& core, const std::string& lane, const BreakerChange& change) {
  const std::string who = lane == "*" ? "all lanes" : "lane " + lane;
  const std::string how_many =
      std::to_string(change.late) + " of " + std::to_string(change.judged) + " runs of " + who;
  const std::string what = change.open
                               ? "the breaker holds verdicts: " + how_many + " fell silent together"
                               : "the breaker holds verdicts no more: " + how_many + " are silent";
  core.Emit(LogLine{change.open ? LogLevel::kWarn : LogLevel::kInfo, what, {{"lane", lane}}});
  TellOfSelf(core, change.open ? EventSeverity::kWarning : EventSeverity::kNormal,
             change.open ? "BreakerOpened" : "BreakerClosed", kReap, what);
}

void AnnounceBlind(Core& core) {
  const std::string what =
      "no canary's beat was seen to come back: the silence clock stands still and no verdict is "
      "written";
  core.Emit(LogLine{LogLevel::kWarn, what, {}});
  TellOfSelf(core, EventSeverity::kWarning, "SilenceClockStopped", kJudge, what);
}

void AnnounceSight(Core& core, Nanos blind) {
  const auto seconds = std::chrono::duration_cast<Seconds>(blind).count();
  const std::string what = "canaries are seen to beat again after " + std::to_string(seconds) +
                           " s: the silence clock runs on; verdicts wait for their grace";
  core.Emit(LogLine{LogLevel::kInfo, what, {{"seconds", std::to_string(seconds)}}});
  TellOfSelf(core, EventSeverity::kNormal, "SilenceClockRuns", kJudge, what);
}

}  // namespace jobrun
