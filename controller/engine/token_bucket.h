// A rate with bursts: `rate` tokens a second, at most `burst` saved up.
#pragma once

#include <algorithm>
#include <cmath>

#include "controller/base/time.h"

namespace jobrun {

class TokenBucket {
 public:
  // A rate of 0 or less gives no token at all; callers who mean "unlimited" don't ask.
  TokenBucket(double rate, double burst)
      : rate_(rate), burst_(std::max(1.0, burst)), tokens_(burst_) {}

  [[nodiscard]] bool Take(Mono now) {
    Refill(now);
    if (tokens_ < 1.0) return false;
    tokens_ -= 1.0;
    return true;
  }

  // When the next token will be there; Mono::max() when never.
  [[nodiscard]] Mono NextAt(Mono now) {
    Refill(now);
    if (tokens_ >= 1.0) return now;
    if (rate_ <= 0.0) return Mono::max();
    const double seconds = std::min((1.0 - tokens_) / rate_, kWaitSecondsMax);
    return now + Nanos(static_cast<Nanos::rep>(std::ceil(seconds * 1e9)));
  }

  void SetRate(double rate, double burst) {
    rate_ = rate;
    burst_ = std::max(1.0, burst);
    tokens_ = std::min(tokens_, burst_);
  }

 private:
  // Callers ask again then; it keeps a tiny rate within the clock's range.
  static constexpr double kWaitSecondsMax = 3600;

  void Refill(Mono now) {
    if (started_ && now > last_) {
      const double seconds = std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min(burst_, tokens_ + seconds * rate_);
    }
    started_ = true;
    last_ = std::max(last_, now);
  }

  double rate_;
  double burst_;
  double tokens_;
  Mono last_{Mono::min()};
  bool started_{false};
};

}  // namespace jobrun
