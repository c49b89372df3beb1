#include "worker/session/lease_heartbeat.h"

#include <chrono>
#include <utility>

#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"
#include "controller/wire/worker_patch.h"
#include "worker/session/run_session.h"

namespace jobrun {
namespace {

constexpr double kJitter = 0.2;                          // of a period
constexpr Nanos kPoll = std::chrono::milliseconds(100);  // for the runs' heartbeats in the status

}  // namespace

LeaseHeartbeat::LeaseHeartbeat(LeaseHeartbeatHost& host, ServerStamp& stamp, std::string name_space,
                               std::string worker, std::uint64_t seed)
    : host_(host),
      stamp_(stamp),
      name_space_(std::move(name_space)),
      worker_(std::move(worker)),
      random_(seed) {}

void LeaseHeartbeat::Beat(const Cadence& cadence, Clocks now) {
  cadence_ = cadence;
  if (state_ != State::kPaused) return;
  // A Lease that was left alone may be old: the runs' first heartbeats are in their status anyway.
  made_ ? Renew(now) : BeatFirst(now);
}

void LeaseHeartbeat::Pause() {
  state_ = State::kPaused;
  request_ = 0;
  next_.reset();
}

void LeaseHeartbeat::BeatFirst(Clocks now) {
  state_ = State::kBeating;
  made_ = false;
  beaten_at_ = now.mono;
  next_ = now.mono + kPoll;
  host_.BeatAll();
}

void LeaseHeartbeat::OnWake(Clocks now) {
  if (request_ != 0 || !next_ || now.mono < *next_) return;
  switch (state_) {
    case State::kPaused:
      return;
    case State::kBeating:
    case State::kMaking:
      // Heartbeats that are older than that may have been judged by now.
      if (now.mono - beaten_at_ >= cadence_.period) return BeatFirst(now);
      if (host_.AllHaveBeaten()) return Make(now);
      next_ = now.mono + kPoll;
      return;
    case State::kRenewing:
      return Renew(now);
  }
}

void LeaseHeartbeat::Make(Clocks now) {
  state_ = State::kMaking;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(cadence_.timeout);
  Send({.method = Method::kPost,
        .target = LeasesTarget(name_space_),
        .content_type = "application/json",
        .body = WriteWorkerLease({.name_space = name_space_,
                                  .worker = worker_,
                                  .duration = seconds,
                                  .at = stamp_.Next(now.mono)})},
       now);
}

void LeaseHeartbeat::Renew(Clocks now) {
  state_ = State::kRenewing;
  Send({.method = Method::kPatch,
        .target = LeaseTarget(name_space_, worker_),
        .content_type = std::string(kMergePatchType),
        .body = WriteLeaseRenewal({.worker = worker_, .at = stamp_.Next(now.mono)})},
       now);
}

void LeaseHeartbeat::Send(Request request, Clocks now) {
  request.klass = RequestClass::kData;
  request.deadline = cadence_.deadline;
  sent_ = now;
  request_ = host_.Send(std::move(request));
}

void LeaseHeartbeat::OnResponse(const Response& response, Clocks now) {
  if (!Owns(response.id)) return;
  request_ = 0;
  const bool made = state_ == State::kMaking && response.status == kHttpCreated;
  const bool renewed = state_ == State::kRenewing && response.status == kHttpOk;
  if (made || renewed) {
    made_ = true;
    state_ = State::kRenewing;
    next_ = now.mono + Jittered(cadence_.period);
    if (std::exchange(failing_, false)) {
      host_.Log({LogLevel::kInfo, "the Lease is renewed again", {{"lease", worker_}}});
    }
    return host_.OnRenewed(sent_);
  }
  // A Lease of ours from before: its answer was lost, or a container of this pod has restarted.
  if (state_ == State::kMaking && response.status == kHttpConflict) return Renew(now);
  // Somebody has given up one of the runs.
  if (state_ == State::kRenewing && response.status == kHttpNotFound) return BeatFirst(now);
  Failed(response, now);
}

void LeaseHeartbeat::Failed(const Response& response, Clocks now) {
  next_ = now.mono + Jittered(cadence_.retry);
  // Heartbeats in the status count as well, and are all that is left where Leases are not allowed.
  if (response.status == kHttpForbidden || response.status == kHttpUnauthorized) {
    next_ = now.mono + Jittered(cadence_.period);
    host_.BeatAll();
  }
  if (std::exchange(failing_, true)) return;
  host_.Log({LogLevel::kWarn,
             "the Lease could not be renewed; the work goes on",
             {{"lease", name_space_ + '/' + worker_}, {"error", WordsOf(response)}}});
}

Nanos LeaseHeartbeat::Jittered(Nanos period) {
  return Nanos(static_cast<Nanos::rep>(static_cast<double>(period.count()) *
                                       (1 - kJitter * random_.Unit())));
}

}  // namespace jobrun
