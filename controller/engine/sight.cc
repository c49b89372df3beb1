#include "controller/engine/sight.h"

#include <utility>

#include "controller/engine/announce.h"

namespace jobrun {
namespace {

// Woken later than it asked by more than this, the loop did not run: a scheduler of a busy machine
// delays less.
constexpr Nanos kPauseMin = std::chrono::milliseconds(250);

void CountStop(Core& core, SilenceStop cause) {
  core.CountOne(Metric::kSilenceStops, 0, static_cast<std::uint8_t>(cause));
}

}  // namespace

void Sight::OnStep(const Clocks& clocks, std::optional<Mono> asked_wake) {
  const std::optional<Clocks> before = std::exchange(last_, clocks);
  if (before) {
    const Nanos slept = (clocks.boot - before->boot) - (clocks.mono - before->mono);
    if (slept > kPauseMin) {
      core_.silence.Slept(slept, clocks.mono);
      core_.server.Skip(slept, clocks.mono);
      CountStop(core_, SilenceStop::kSuspended);
    }
  }
  if (asked_wake && clocks.mono - *asked_wake > kPauseMin) {
    core_.silence.Pause(*asked_wake, clocks.mono);
    CountStop(core_, SilenceStop::kOwnPause);
  }
  core_.silence.Advance(clocks.mono);
}

void Sight::Tell() {
  const Mono now = core_.now.mono;
  const bool stopped = core_.silence.Stopped();
  sighted_ = sighted_ || !stopped;
  if (std::exchange(blind_, stopped) == stopped) return;
  if (!stopped) {
    if (std::exchange(told_blind_, false)) AnnounceSight(core_, now - blind_since_);
    return;
  }
  blind_since_ = now - core_.silence.Behind(now);
  if (!sighted_) return;
  told_blind_ = true;
  AnnounceBlind(core_);
  CountStop(core_, SilenceStop::kNoBeat);
}

}  // namespace jobrun
