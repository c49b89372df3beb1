// Timestamps by the API server's clock, so that the worker's own does not matter.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "controller/base/time.h"
#include "controller/wire/exchange.h"

namespace jobrun {

// The `Date` of the answers carried forward on the monotonic clock: it reads up to a second, and
// the way of an answer, behind the server's. Every stamp differs from the one before it, because a
// heartbeat that repeats a time is none; it is later, unless the server's clock, or what had to do
// for it, turns out to have been far ahead.
class ServerStamp {
 public:
  // `wall` is asked until the first answer with a `Date` came.
  explicit ServerStamp(std::function<ServerTime()> wall) : wall_(std::move(wall)) {}

  void Observe(std::optional<ServerTime> date, Mono received_at) {
    if (!date) return;
    const auto offset = *date - At(received_at);
    // Cut to the second, `Date` is behind by a different part of it each time: the largest is
    // nearest. One that is further off tells that the server's clock was set.
    const bool agrees =
        offset_ && offset <= *offset_ + kAgreement && *offset_ <= offset + kAgreement;
    offset_ = agrees ? std::max(*offset_, offset) : offset;
  }

  [[nodiscard]] ServerTime Next(Mono now) {
    const ServerTime estimate = offset_ ? At(now) + *offset_ : wall_();
    const bool set_back = estimate + kAgreement < last_;
    last_ = set_back ? estimate : std::max(estimate, last_ + std::chrono::microseconds(1));
    return last_;
  }

 private:
  static constexpr std::chrono::microseconds kAgreement = std::chrono::seconds(2);

  static ServerTime At(Mono mono) {
    return ServerTime(
        std::chrono::duration_cast<std::chrono::microseconds>(mono.time_since_epoch()));
  }

  std::function<ServerTime()> wall_;
  std::optional<std::chrono::microseconds> offset_{};
  ServerTime last_{};
};

}  // namespace jobrun
