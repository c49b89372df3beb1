// Elects the one replica that writes, by a Lease in client-go's wire format and with its timings
// (client-go/tools/leaderelection), so that the two understand each other. It is efficiency, not
// safety: what no two replicas may do is guarded where it is done.
//
// Validity is counted on CLOCK_BOOTTIME, which goes on while the machine is suspended, from before
// the request that made or renewed the Lease was sent. No wall clock is compared with another: that
// of another's Lease has passed when its record was seen unchanged for as long as it says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/engine/core.h"
#include "controller/engine/replica.h"
#include "controller/engine/settings.h"
#include "controller/wire/election_lease.h"

namespace jobrun {

class Elector {
 public:
  // With an empty `replica.lease` there is no election: it always leads and nothing is ever sent.
  Elector(Core& core, Replica replica, const LeaderElection& timing);

  // Sends what is due, and tells when it has stepped down. Call in every step.
  void OnWake();
  [[nodiscard]] bool Owns(RequestId id) const { return flight_ && flight_->id == id; }
  void OnResponse(const Response& response);
  // When OnWake has something to do; nothing when only an answer can tell.
  [[nodiscard]] std::optional<Mono> NextWake() const;

  // Whether it may write now. Becomes false by the clock alone, `renew_deadline` after the last
  // successful renewal was sent, also when nothing has woken it since. True again after a renewal
  // that comes later still, if nobody else has led in between.
  [[nodiscard]] bool Leading() const;
  // Whether it has led and another may lead by now: the whole Lease has passed since the last
  // successful renewal was sent, or another's identity was seen in it. Never after Release.
  [[nodiscard]] bool Expired() const;

  // Gives the Lease up, if it has it, so that another need not wait for its end. Call once, in a
  // step, after all work has stopped; it does not lead from now on and does not run again.
  void Release();
  // After Release: nothing is under way any more, or has taken too long.
  [[nodiscard]] bool Released() const;

  // Why no Lease can be had or renewed; empty when all is well, whoever leads.
  [[nodiscard]] const std::string& Problem() const { return problem_; }
  // Who has the Lease as it was seen last; empty: nobody.
  [[nodiscard]] const std::string& Holder() const { return holder_; }

 private:
  enum class Doing : std::uint8_t { kReading, kCreating, kUpdating, kReleasing };
  // The one request that is under way.
  struct Flight {
    RequestId id;
    Doing doing;
    Boot sent_at;            // read before it was sent
    std::string renew_time;  // of a write: what it writes
  };

  [[nodiscard]] bool Elects() const { return !replica_.lease.empty(); }
  // Whether the record as it was seen last names us.
  [[nodiscard]] bool IsOurs() const { return seen_ && seen_->holder == replica_.identity; }
  [[nodiscard]] bool MayTake() const;
  [[nodiscard]] Mono WakeFor(Boot at) const;

  // A try is a read and a write at most twice over; then comes a pause.
  void BeginTry();
  void EndTry();
  void Fail(Doing doing, const Response& response);
  void FailFor(std::string problem);

  void Read();
  void ReadAgain(Doing failed, const Response& response);
  void Create();
  void Update();
  void GiveUp();
  void Send(Doing doing, Request request, std::string renew_time = {});
  [[nodiscard]] ElectionLease OurRecord();
  [[nodiscard]] std::string StampNow();

  void OnRead(const Response& response);
  void OnWritten(const Flight& flight, const Response& response);
  void OnAnswerWhileReleasing(const Flight& flight, const Response& response);
  void TakeIn(ElectionLease lease);
  void TakeInAbsence();
  void Renewed(Boot sent_at);
  void YieldToAnother();
  void NoteStepDown(std::string_view reason);

  Core& core_;
  Replica replica_;
  LeaderElection timing_;
  std::string target_;

  std::optional<ElectionLease> seen_{};  // as it was seen last; nothing: not read, or not there
  Boot seen_since_{};                    // when this record was first seen
  std::string holder_{};

  Boot lead_until_{Boot::min()};
  Boot valid_until_{Boot::min()};
  bool led_{false};
  bool told_leading_{false};

  std::optional<Flight> flight_{};
  std::optional<Flight> in_doubt_{};  // a write that may have been carried out
  int reads_left_{0};                 // of this try
  Mono try_began_{};
  Mono next_try_{};
  ServerTime last_stamp_{};

  bool releasing_{false};
  bool released_{false};
  Mono release_ends_{};

  std::string problem_{};
  std::optional<Mono> problem_logged_at_{};
};

}  // namespace jobrun
