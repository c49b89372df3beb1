// Beats for all runs of a worker in one namespace by renewing one Lease. A state machine without
// I/O, like RunSession. Two rules make it safe (docs/workers.md): whoever makes the Lease beats in
// the status of each of its runs first; and renewing never creates.
#pragma once

#include <optional>
#include <string>

#include "controller/base/log.h"
#include "controller/base/random.h"
#include "controller/base/time.h"
#include "controller/wire/exchange.h"
#include "worker/session/cadence.h"
#include "worker/session/server_stamp.h"

namespace jobrun {

class LeaseHeartbeatHost {
 public:
  virtual ~LeaseHeartbeatHost() = default;
  virtual RequestId Send(Request request) = 0;  // fills in the id
  // RunSession's BeatNow and HasBeaten, of every run that the Lease beats for.
  virtual void BeatAll() = 0;
  [[nodiscard]] virtual bool AllHaveBeaten() const = 0;
  // A renewal that was sent then was accepted: RunSession's OnLeaseRenewed.
  virtual void OnRenewed(Clocks sent) = 0;
  virtual void Log(LogLine line) = 0;
};

class LeaseHeartbeat {
 public:
  // `host` and `stamp` outlive it.
  LeaseHeartbeat(LeaseHeartbeatHost& host, ServerStamp& stamp, std::string name_space,
                 std::string worker, std::uint64_t seed);

  // There are runs to beat for; `cadence` is that of the most demanding one.
  void Beat(const Cadence& cadence, Clocks now);
  // There are none: the Lease is left as it is.
  void Pause();

  void OnResponse(const Response& response, Clocks now);
  // Call at or after NextWake.
  void OnWake(Clocks now);
  [[nodiscard]] bool Owns(RequestId request) const { return request_ == request && request != 0; }
  [[nodiscard]] std::optional<Mono> NextWake() const {
    return request_ == 0 ? next_ : std::nullopt;
  }
  // Whether there is a Lease of ours, as far as we know.
  [[nodiscard]] bool Made() const { return made_; }

 private:
  enum class State : std::uint8_t {
    kPaused,
    kBeating,  // in the status of each run, before the Lease is made
    kMaking,
    kRenewing,
  };

  void BeatFirst(Clocks now);
  void Make(Clocks now);
  void Renew(Clocks now);
  void Send(Request request, Clocks now);
  void Failed(const Response& response, Clocks now);
  [[nodiscard]] Nanos Jittered(Nanos period);

  LeaseHeartbeatHost& host_;
  ServerStamp& stamp_;
  const std::string name_space_;
  const std::string worker_;
  Random random_;
  State state_{State::kPaused};
  Cadence cadence_{};
  RequestId request_{0};
  Clocks sent_{};
  std::optional<Mono> next_{};
  Mono beaten_at_{};  // when BeatAll was called
  bool made_{false};
  bool failing_{false};  // what the log says
};

}  // namespace jobrun
