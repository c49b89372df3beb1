// The clock that silence is measured on. It runs with the monotonic clock while the controller can
// see, and stands still while it can't: time in which no heartbeat could have been seen is no
// silence.
#pragma once

#include <algorithm>

#include "controller/base/time.h"

namespace jobrun {

class SilenceClock {
 public:
  explicit SilenceClock(Mono start) : offset_(start.time_since_epoch()) {}

  [[nodiscard]] Silence Read(Mono now) const {
    const Mono until = stopped_ ? std::min(now, stopped_at_) : now;
    return Silence(until.time_since_epoch() - offset_);
  }

  // Nothing was seen after `since` (not later than now): the reading is set back to it and stands.
  // Stopping a stopped clock can only set it further back.
  void Stop(Mono since) {
    stopped_at_ = stopped_ ? std::min(stopped_at_, since) : since;
    stopped_ = true;
  }

  // Runs on from where it stood.
  void Run(Mono now) {
    if (!stopped_) return;
    if (now > stopped_at_) offset_ += now - stopped_at_;
    stopped_ = false;
  }

  [[nodiscard]] bool Stopped() const { return stopped_; }

 private:
  Nanos offset_;
  Mono stopped_at_{};
  bool stopped_{false};
};

}  // namespace jobrun
