// The longest time between two signs of life of what must not starve.
#pragma once

#include <algorithm>
#include <optional>

#include "controller/base/time.h"

namespace jobrun::bench {

class Pulse {
 public:
  void Beat(Mono now) {
    longest_ = LongestGap(now);
    last_ = now;
  }
  // Zero before the first.
  [[nodiscard]] Nanos LongestGap(Mono now) const {
    return last_ ? std::max(longest_, now - *last_) : Nanos::zero();
  }

 private:
  std::optional<Mono> last_{};
  Nanos longest_{};
};

}  // namespace jobrun::bench
