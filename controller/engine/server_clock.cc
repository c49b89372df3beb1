#include "controller/engine/server_clock.h"

#include <algorithm>

namespace jobrun {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr microseconds kDateResolution = std::chrono::seconds(1);

// Clocks of healthy machines drift apart by less than 500 parts in a million (NTP slews no faster).
microseconds Drift(Nanos elapsed) { return duration_cast<microseconds>(elapsed / 2000); }

}  // namespace

ServerInterval ServerClock::At(Mono now) const {
  if (!known_) return {};
  const Nanos elapsed = std::max(now - taken_at_, Nanos::zero());
  const auto whole = duration_cast<microseconds>(elapsed);
  return {low_ + whole - Drift(elapsed), high_ + whole + Drift(elapsed)};
}

void ServerClock::Observe(ServerTime date, Mono sent, Mono received) {
  if (sent < woke_) return;
  // The stamp was made between `sent` and `received`. Answers may be handed over out of order; the
  // clock never goes back to an earlier one.
  const Mono at = known_ ? std::max(received, taken_at_) : received;
  const Nanos since = at - received;
  const ServerTime low = date + duration_cast<microseconds>(since) - Drift(since);
  const ServerTime high =
      date + kDateResolution + duration_cast<microseconds>(at - sent) + Drift(since);
  const ServerInterval carried = At(at);
  taken_at_ = at;
  const bool apart = !known_ || low > carried.latest || high < carried.earliest;
  if (!apart) {
    low_ = std::max(low, carried.earliest);
    high_ = std::min(high, carried.latest);
    return;
  }
  const bool stepped = !known_ || low - carried.latest > skew_ || carried.earliest - high > skew_;
  low_ = stepped ? low : std::min(low, carried.earliest);
  high_ = stepped ? high : std::max(high, carried.latest);
  known_ = true;
}

}  // namespace jobrun
