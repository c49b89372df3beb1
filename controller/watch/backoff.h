// Waiting between attempts: exponential with jitter, capped, forgotten after a time of health.
#pragma once

#include <algorithm>

#include "controller/base/random.h"
#include "controller/base/time.h"

namespace jobrun {

// client-go's reflector: 0.8 s doubled up to 30 s, reset after two minutes of health; each wait is
// drawn from the upper half of the time allowed (client-go's jitter of 1).
struct BackoffOptions {
  Nanos first{std::chrono::milliseconds(800)};
  Nanos max{std::chrono::seconds(30)};
  Nanos healthy_after{std::chrono::minutes(2)};
};

class Backoff {
 public:
  explicit Backoff(BackoffOptions options = {}) : options_(options) {}

  // How long to wait after a failure at `now`; never longer than `cap`, jitter included. Many who
  // failed together come back apart, also those whose waits have reached the cap.
  [[nodiscard]] Nanos Next(Mono now, Nanos cap, Random& random) {
    if (now - last_failure_ >= options_.healthy_after) Reset();
    last_failure_ = now;
    const Nanos half = std::min({step_ * 2, options_.max, cap}) / 2;
    step_ = std::min(step_ * 2, options_.max);
    return half + Nanos(static_cast<Nanos::rep>(static_cast<double>(half.count()) * random.Unit()));
  }

  void Reset() { step_ = options_.first; }

 private:
  BackoffOptions options_;
  Nanos step_{options_.first};
  Mono last_failure_{};
};

}  // namespace jobrun
