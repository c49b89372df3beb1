// One run in the hands of a worker: claims it, beats for it, notices when it is no longer ours, and
// reports how it ended. A state machine without I/O: it asks its host to send and is told what came
// back. One thread; it never reads a clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/log.h"
#include "controller/base/random.h"
#include "controller/base/time.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/exchange.h"
#include "controller/wire/worker_patch.h"
#include "worker/session/cadence.h"
#include "worker/session/claimed_run.h"
#include "worker/session/server_stamp.h"
#include "worker/session/work_end.h"

namespace jobrun {

// How it came out.
enum class SessionEnd : std::uint8_t {
  kReported,     // the end stands on the run, or is the controller's to write
  kUnreported,   // it could not be written in time: the controller will end the run
  kFenced,       // given up, gone, or another worker's: nothing more was written
  kNotFound,     // and the rest was never claimed: no such run
  kTerminal,     // it is over, being deleted, or cancelled
  kTaken,        // claimed by, or assigned to, another worker
  kForbidden,    // a right is missing, or the credentials are refused
  kUnreachable,  // no usable answer in time
  kRefused,      // the claim was refused for its content
};

struct SessionOver {
  SessionEnd end{};
  std::string text{};  // for people: why, and since when
};

// Calls come from within the session's own On… functions and must not call back into it.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual RequestId Send(Request request) = 0;  // fills in the id
  // The run is ours: begin the work.
  virtual void OnClaimed(const ClaimedRun& run) = 0;
  // Stop the work, then tell its end. Called again when a graver cause comes: kFenced is gravest.
  virtual void OnStopAsked(StopCause cause, const std::string& why) = 0;
  virtual void OnOver(const SessionOver& over) = 0;  // last of all, once
  virtual void Log(LogLine line) = 0;
};

// What a heartbeat tells.
enum class Liveness : std::uint8_t {
  kProcess,   // that the work's process lives
  kProgress,  // that it has reported progress since the last one
};

struct SessionOptions {
  std::string name_space{};
  std::string name{};
  std::string worker{};  // status.claimedBy; of this process and no other
  ExecutorPlace executor{};
  CadenceOptions cadence{};
  Liveness liveness{Liveness::kProcess};
  // False: the work goes on when no heartbeat gets through, and is stopped only once the API server
  // says that the run is lost.
  bool stop_when_cut_off{true};
  // Whether one Lease beats for the run, unless the run says so itself.
  HeartbeatSource source{HeartbeatSource::kStatus};
  Nanos claim_max{std::chrono::seconds(30)};   // of trying to claim
  Nanos report_max{std::chrono::seconds(60)};  // of trying to report the end
};

class RunSession {
 public:
  // `host`, `stamp` and `decoder` outlive it. `seed` makes its jitter.
  RunSession(SessionHost& host, ServerStamp& stamp, EventDecoder& decoder, SessionOptions options,
             std::uint64_t seed);

  // Either: reads the run and claims it as it then is, again as long as it is Pending.
  void Start(Clocks now);
  // Or: claims the version that a watch showed Pending. Another worker that was faster ends the
  // session with kTaken.
  void Start(Uid uid, std::uint64_t resource_version, Clocks now);

  void OnResponse(const Response& response, Clocks now);
  // Call at or after NextWake.
  void OnWake(Clocks now);
  // The work says how far it has come; any change counts.
  void OnProgress(std::string_view progress, Clocks now);
  void OnWorkEnded(const WorkEnd& end, Clocks now);

  // A heartbeat in the worker's Lease was accepted; it was sent at `sent`.
  void OnLeaseRenewed(Clocks sent);
  // Beats in the status as soon as it can: before the worker makes its Lease.
  void BeatNow(Clocks now);
  // Whether a heartbeat in the status was accepted since BeatNow, or none is needed any more.
  [[nodiscard]] bool HasBeaten() const { return !Working() || !must_beat_; }

  [[nodiscard]] bool Owns(RequestId request) const { return request_ == request && request != 0; }
  [[nodiscard]] std::optional<Mono> NextWake() const;
  // Between OnClaimed and the end of the work or the fence.
  [[nodiscard]] bool Working() const { return state_ == State::kWorking; }
  // A Lease tells that the worker lives, not that a run makes progress.
  [[nodiscard]] bool BeatsByLease() const {
    return source_ == HeartbeatSource::kLease && options_.liveness == Liveness::kProcess;
  }
  [[nodiscard]] const ClaimedRun& Run() const { return run_; }
  [[nodiscard]] const Cadence& TheCadence() const { return cadence_; }

 private:
  enum class State : std::uint8_t { kIdle, kClaiming, kWorking, kFenced, kReporting, kOver };
  enum class Asked : std::uint8_t { kNothing, kRead, kClaim, kBeat, kLook, kEnd };

  // run_session.cc: the claim, the heartbeats
  void Read(Clocks now);
  void SendClaim(Clocks now);
  void OnRead(const Response& response, Clocks now);
  void OnClaimAnswer(const Response& response, Clocks now);
  void JudgeClaim(Clocks now);
  void TryClaimAgain(const Response& response, Clocks now);
  void Claimed(Clocks now);
  void Beat(Clocks now);
  void Look(Clocks now);
  void OnBeatAnswer(const Response& response, Clocks now);
  void OnLookAnswer(const Response& response, Clocks now);
  void TakeIn(ClaimedRun run);
  void GotThrough(Nanos period, Clocks now);
  void Failed(const Response& response, Clocks now);
  [[nodiscard]] Nanos Jittered(Nanos longest);
  [[nodiscard]] Nanos RegularPeriod();
  [[nodiscard]] bool MayBeCutOff() const;
  void CheckCutOff(Clocks now);
  void Ask(StopCause cause, const std::string& why);
  void Fence(const std::string& why);

  // run_session_end.cc: what is said of the end
  void Report(Clocks now);
  void OnEndAnswer(const Response& response, Clocks now);
  void OnLookBack(const Response& response, Clocks now);
  void ReportAgain(const std::string& why, Nanos wait, Clocks now);
  void Finish(SessionEnd end, std::string text);
  [[nodiscard]] std::string FenceTextOf(const ClaimedRun& seen) const {
    return FenceText(Title(), run_.uid, seen);
  }

  void SendAs(Asked asked, Request request, Clocks now);
  [[nodiscard]] bool Ours(const ClaimedRun& run) const;
  [[nodiscard]] Author TheAuthor() const { return {run_.uid, options_.worker}; }
  [[nodiscard]] std::string Title() const { return options_.name_space + '/' + options_.name; }

  SessionHost& host_;
  ServerStamp& stamp_;
  EventDecoder& decoder_;
  const SessionOptions options_;
  Random random_;

  State state_{State::kIdle};
  Asked asked_{Asked::kNothing};
  RequestId request_{0};
  Clocks request_sent_{};
  std::optional<Mono> next_{};  // when the next request of this state is due
  Mono give_up_{};              // kClaiming, kReporting: nothing is tried after this
  bool from_watch_{false};

  ClaimedRun run_{};
  std::string claimed_at_{};  // what the claim says; taken once
  ServerTime claimed_stamp_{};
  Cadence cadence_{};
  HeartbeatSource source_{HeartbeatSource::kStatus};
  Clocks told_{};          // when it was last woken or answered
  Clocks accepted_{};      // when the last accepted heartbeat, or the claim, was sent
  bool must_beat_{false};  // a status heartbeat is needed whatever the source and the liveness
  bool counts_{false};     // the heartbeat that is under way differs enough from the claim
  bool failing_{false};    // what the log says
  std::string refusal_{};  // why a write was refused, until a look has told what it means
  StopCause stop_{StopCause::kNone};
  std::string fence_{};  // why

  std::string progress_{};
  bool progressed_{false};        // since it was last sent
  bool carries_progress_{false};  // the heartbeat that is under way
  std::optional<ServerTime> ended_{};
  WorkEnd work_end_{};
};

// No such run, by the word of the API server: a 404 of something on the way says nothing.
[[nodiscard]] bool IsGone(const Response& response);
// What the API server said about a refusal, or why there is no answer.
[[nodiscard]] std::string WordsOf(const Response& response);

}  // namespace jobrun
