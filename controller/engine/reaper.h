// From due runs to committed verdicts: judges, writes with the version judged, reads again after a
// conflict, and counts what committed, once.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "controller/engine/breaker.h"
#include "controller/engine/core.h"
#include "controller/engine/executors.h"
#include "controller/engine/fair_queue.h"
#include "controller/engine/intake.h"
#include "controller/engine/leases.h"
#include "controller/engine/outbox.h"
#include "controller/engine/own_verdicts.h"
#include "controller/engine/token_bucket.h"

namespace jobrun {

class Reaper {
 public:
  struct Parts {
    Core& core;
    Intake& intake;
    Executors& executors;
    Leases& leases;
    Outbox& outbox;
    Breaker& breaker;
    EventDecoder& decoder;
  };
  explicit Reaper(const Parts& parts);

  // Decides about a run: sets its timer, queues its verdict or its first visit, or leaves it.
  void Judge(Slot slot);

  // Takes what Intake made of an object: judges it if need be, and counts a verdict of ours that is
  // seen on it for the first time. This is the only place that counts reaps.
  void OnSeen(const Intake::Seen& seen, const ObservedRun& run);

  // Adds what is known of its verdict.
  void Explain(Slot slot, Explanation& explanation) const;

  // Drops a run that is gone.
  void Forget(Slot slot);

  // Sends what is queued, as far as limits allow. Call at the end of each step.
  void Pump();

  [[nodiscard]] bool Owns(RequestId id) const { return in_flight_.contains(id); }
  void OnResponse(const Response& response);

  void OnSettings();
  // All runs of the scope are known for the first time.
  void OnRunsKnown(std::uint8_t scope);
  // It leads no more: what it was about to do is another's business.
  void StandBy();
  // Nothing new is sent from now on.
  void Stop() { stopping_ = true; }

  [[nodiscard]] std::size_t InFlight() const { return in_flight_.size(); }
  [[nodiscard]] std::size_t Queued() const { return queue_.Size() + visits_.size(); }
  // Adds how many verdicts and first visits wait and are under way, and for how long those are.
  void TakeWork(Snapshot& snapshot) const;
  // When Pump could send more than now; nothing when only an answer can tell.
  [[nodiscard]] std::optional<Mono> NextWake() const;
  // Why no write succeeds, empty when they do.
  [[nodiscard]] const std::string& Problem() const { return problem_; }

 private:
  // Conflicts in a row after which a run is held for a moment: somebody writes to it all the time.
  static constexpr int kConflictsInRow = 5;

  enum class Doing : std::uint8_t {
    kReading,
    kWritingVerdict,
    kWritingVisit,
    kDeletingLease,
    kReadingLease,
  };
  // What a request needs; a missing one is a trouble of all runs.
  enum class Right : std::uint8_t { kRead, kWrite, kDeleteLease, kReadLease };
  [[nodiscard]] static Right RightOf(Doing doing);
  struct Flight {
    Slot slot;
    Uid uid;
    Doing doing;
    Reason reason;
    Mono begun;  // when its run got the slot
  };
  // A run whose verdict was begun and has neither committed nor become void.
  struct Attempt {
    Uid uid;
    Mono due{};              // of the verdict, for the lag
    Mono begun{};            // when it last got its slot
    int failures{0};         // in a row; decides how long the run is held
    int conflicts{0};        // of writes, in a row
    bool by_grounds{false};  // the last write tested what the verdict rests on, not the version
    bool read_first{false};  // the outcome of the last write is unknown, or the object is not whole
    std::string message{};   // of the last verdict written
  };

  // What becomes of a run after an answer.
  enum class Next : std::uint8_t {
    kWait,    // another request is under way
    kJudge,   // judge it by what is known now
    kHold,    // leave it alone for a while, then read it and judge again
    kForget,  // it is gone
  };

  // `begun`: when it got its slot.
  void Begin(Slot slot, Mono begun);
  void BeginVisit(Slot slot);
  void WriteVerdict(Slot slot, Reason reason, std::string_view foreign_conditions,
                    const Grounds* grounds = nullptr);
  void ReadAnew(Slot slot, Reason reason);
  // What a verdict on silence needs of the Lease that the run is beaten for by.
  [[nodiscard]] Leases::Need NeedOfLease(Slot slot, Reason reason) const;
  void SeeToLease(Slot slot, Reason reason);
  [[nodiscard]] bool StandsWhoeverBeats(Slot slot, Reason reason) const;
  void Send(Slot slot, Doing doing, Reason reason, Request request);

  [[nodiscard]] Next OnAnswer(const Flight& flight, const Response& response);
  [[nodiscard]] Next OnRead(const Flight& flight, const Response& response);
  [[nodiscard]] Next OnWritten(const Flight& flight, const Response& response);
  [[nodiscard]] Next OnLeaseDeleted(const Flight& flight, const Response& response);
  [[nodiscard]] Next OnLeaseMoved(const Flight& flight);
  [[nodiscard]] Next OnLeaseGone(Slot slot);
  [[nodiscard]] Next GoOn(Slot slot);
  [[nodiscard]] Next OnLeaseRead(const Flight& flight, const Response& response);
  [[nodiscard]] Next OnRefused(const Flight& flight, const Response& response);
  void OnVisited(const Flight& flight, const Response& response);
  enum class TakenIn : std::uint8_t { kNewest, kOlder, kReplaced, kUnreadable };
  [[nodiscard]] TakenIn TakeIn(const Flight& flight, const Response& response);
  void Throttle(const Response& response);
  void Report(const Flight& flight, const Response& response);
  void LogRefusal(const Flight& flight, const Response& response, const std::string& detail);

  [[nodiscard]] bool KnowsTheOthers(const RunRecord& record, Reason reason) const;
  [[nodiscard]] bool WantsStart(const RunRecord& record) const;
  [[nodiscard]] bool WantsVisit(Slot slot) const;
  [[nodiscard]] std::string_view CauseOf(const RunRecord& record, Reason reason) const;
  void Drop(Slot slot);  // nothing of it waits to be written any more
  void Committed(Slot slot, const ObservedRun& run);
  // Why a due verdict is not written now, and when to look again.
  struct Gate {
    Suppression cause{};
    Mono again{};
  };
  [[nodiscard]] std::optional<Gate> GateOf(Slot slot, const Reap& reap) const;
  [[nodiscard]] std::optional<Gate> GateOfTime(Slot slot, const Reap& reap) const;
  [[nodiscard]] bool GateShut(Slot slot, const Reap& reap);
  // Nothing new may be sent.
  [[nodiscard]] bool Idle() const { return stopping_ || !core_.leading; }
  void Suppress(Slot slot, Reason reason, Suppression cause);
  void Hold(Slot slot);
  [[nodiscard]] Attempt& AttemptOf(Slot slot);
  void CountReconcile(ReconcileResult result);
  [[nodiscard]] std::size_t FlightsMax() const;

  Core& core_;
  Intake& intake_;
  Executors& executors_;
  Leases& leases_;
  Outbox& outbox_;
  Breaker& breaker_;
  EventDecoder& decoder_;
  OwnVerdicts verdicts_;
  TokenBucket reaps_;
  TokenBucket visit_rate_;
  FairQueue queue_;
  std::deque<Slot> visits_;
  std::unordered_map<RequestId, Flight> in_flight_;
  std::unordered_map<Slot, Attempt> attempts_;
  std::unordered_set<Slot>
      visits_denied_;       // runs whose first visit lacked a right and is due still
  Mono throttled_until_{};  // the server said "later"
  bool stopping_{false};
  std::string problem_;  // a missing right; empty when nothing waits to be read or written
  Right problem_of_{};   // the one that is missing
  std::optional<Mono> problem_logged_at_;
};

}  // namespace jobrun
