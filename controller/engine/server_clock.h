// What the API server's clock reads, as an interval, from the `Date` headers of its answers carried
// forward on the monotonic clock. The machine's own wall clock plays no part.
#pragma once

#include "controller/base/time.h"

namespace jobrun {

class ServerClock {
 public:
  // `skew`: how far apart the clocks of several API servers may be.
  explicit ServerClock(Nanos skew = std::chrono::seconds(5)) : skew_(skew) {}

  // An answer stamped `date` (cut to the second) to a request sent and received at these times.
  // Samples that agree narrow the interval; a disagreement within the skew widens it; a larger one
  // means that the clock was set, and starts anew.
  void Observe(ServerTime date, Mono sent, Mono received);

  [[nodiscard]] ServerInterval At(Mono now) const;

  // The machine slept for so long, which the monotonic clock does not show.
  // What was sent before tells nothing any more: its way took longer than that clock says.
  void Skip(Nanos slept, Mono now) {
    taken_at_ -= slept;
    woke_ = now;
  }

  void SetSkew(Nanos skew) { skew_ = skew; }

 private:
  Nanos skew_;
  bool known_{false};
  Mono woke_{Mono::min()};
  Mono taken_at_{};  // when low_ and high_ held
  ServerTime low_{};
  ServerTime high_{};
};

}  // namespace jobrun
