#include "controller/engine/breaker.h"

#include <algorithm>

#include "controller/engine/announce.h"

namespace jobrun {
namespace {

// A look at all runs costs well under a microsecond each: it takes at most a tenth of the time.
constexpr Nanos kLookEveryMin = std::chrono::milliseconds(100);
// 0.55 of 100 is a little more than 55 in binary.
constexpr double kRounding = 1e-6;
constexpr Nanos kLookPerRun = std::chrono::microseconds(1);

}  // namespace

bool RestsOnSilence(Reason reason) {
  switch (reason) {
    case Reason::kPendingDeadlineExceeded:
    case Reason::kExecutorLost:
    case Reason::kHeartbeatTimeout:
    case Reason::kHeartbeatNeverStarted:
    case Reason::kClaimExpired:
    case Reason::kNoProgress:
      return true;
    case Reason::kCompletionGateUnmet:
    case Reason::kExitNonZero:
    case Reason::kDeadlineExceeded:
    case Reason::kCancelled:
    case Reason::kBackstopExceeded:
    case Reason::kFinalizedByController:
      break;
  }
  return false;
}

std::optional<Mono> Breaker::HeldUntil(const RunRecord& record, Reason reason, Mono due) const {
  const BreakerSettings& settings = core_.settings.breaker;
  if (!RestsOnSilence(reason) || settings.override_by_operator == BreakerOverride::kClosed) {
    return std::nullopt;
  }
  if (settings.override_by_operator == BreakerOverride::kOpen) return Mono::max();
  if (!settings.enabled) return std::nullopt;
  const Mono until = due + settings.hold;
  if (until <= core_.now.mono) return std::nullopt;
  if (!IsOpenForAll() && !IsOpen(core_.LabelOf(record))) return std::nullopt;
  return until;
}

bool Breaker::IsOpen(LaneIndex lane) const {
  return core_.settings.breaker.override_by_operator != BreakerOverride::kClosed &&
         lane < lanes_.size() && lanes_[lane].open;
}

bool Breaker::IsOpenForAll() const {
  switch (core_.settings.breaker.override_by_operator) {
    case BreakerOverride::kOpen:
      return core_.leading;
    case BreakerOverride::kClosed:
      return false;
    case BreakerOverride::kNone:
      break;
  }
  return all_.open;
}

void Breaker::OnDue() {
  const BreakerSettings& settings = core_.settings.breaker;
  if (!settings.enabled || settings.override_by_operator != BreakerOverride::kNone) return;
  if (core_.now.mono >= next_look_) Look();
}

// A standby writes nothing, so it holds nothing.
void Breaker::OnWake() {
  if (!core_.leading) {
    lanes_.clear();
    all_ = {};
    any_open_ = false;
  }
  if (any_open_ && core_.now.mono >= next_look_) Look();
}

std::optional<Mono> Breaker::NextWake() const {
  if (!any_open_) return std::nullopt;
  return next_look_;
}

void Breaker::Look() {
  Count();
  const std::vector<std::string>& names = core_.policies.Labels().Names();
  any_open_ = false;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) Settle(lanes_[lane], names[lane]);
  Settle(all_, "*");
  const Nanos pause =
      any_open_
          ? kLookAgain
          : std::max(kLookEveryMin, static_cast<Nanos::rep>(core_.store.Size()) * kLookPerRun);
  next_look_ = core_.now.mono + pause;
}

// A run that beats is never due within an interval from now: its timeout is two of them. So those
// that are, together with those that are due, are the ones that fell silent within one window.
void Breaker::Count() {
  lanes_.resize(core_.policies.Labels().Names().size());
  const auto clear = [](Group& group) {
    group.judged = group.late = 0;
    group.window = Nanos::max();
  };
  std::ranges::for_each(lanes_, clear);
  clear(all_);
  core_.policies.ForEachHeld([this](const PolicyTable::Entry& entry) {
    if (entry.policy.heartbeat_mode == HeartbeatMode::kIgnored) return;
    const Nanos interval = entry.policy.heartbeat_interval;
    Group& lane = lanes_[entry.label];
    lane.window = std::min(lane.window, interval);
    all_.window = std::min(all_.window, interval);
  });
  core_.store.ForEach([this](Slot, const RunRecord& record) { CountRun(record); });
}

void Breaker::CountRun(const RunRecord& record) {
  if (record.phase != Phase::kRunning || record.being_deleted || record.departed) return;
  const Policy& policy = core_.PolicyOf(record);
  if (policy.reaping != Reaping::kEnabled || policy.held) return;
  if (policy.heartbeat_mode == HeartbeatMode::kIgnored) return;
  if (record.has_details && core_.details.at(record.uid).exit_code) return;  // its work is over
  const bool beats = record.has_beaten || core_.IsBeatenForByLease(record);
  if (!beats && policy.heartbeat_mode != HeartbeatMode::kRequired) return;
  const Nanos limit = beats ? policy.heartbeat_timeout : policy.first_timeout;
  Nanos left = core_.LastSign(record) + limit - core_.now.silence;
  if (record.has_executor && core_.executors.at(record.uid).lost_since) {
    left = std::min(left, *core_.executors.at(record.uid).lost_since - core_.now.silence);
  }
  // Those that were held as long as they may be are no news.
  if (left <= -Nanos(core_.settings.breaker.hold)) return;
  Group& lane = lanes_[core_.LabelOf(record)];
  ++lane.judged;
  ++all_.judged;
  if (left <= lane.window) ++lane.late;
  if (left <= all_.window) ++all_.late;
}

void Breaker::Settle(Group& group, const std::string& lane) {
  const BreakerSettings& settings = core_.settings.breaker;
  const auto at_least = static_cast<std::uint64_t>(std::max(1, settings.min_runs));
  const double part = settings.fraction * static_cast<double>(group.judged);
  const bool open = settings.enabled && group.late >= at_least &&
                    static_cast<double>(group.late) >= part - kRounding;
  any_open_ = any_open_ || open;
  if (std::exchange(group.open, open) == open) return;
  AnnounceBreaker(core_, lane, {.open = open, .late = group.late, .judged = group.judged});
}

}  // namespace jobrun
