// The clocks of the program, as types that can't be mixed up. Nothing here reads a clock: times are
// handed in from outside (base/real_clock.h in production, virtual time in tests).
#pragma once

#include <chrono>
#include <cstdint>

namespace jobrun {

using Nanos = std::chrono::nanoseconds;

// Tags only: a time point of one axis is never compared with one of another.
struct MonoAxis {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Nanos;
  static constexpr bool is_steady = true;
};
struct BootAxis : MonoAxis {};
struct SilenceAxis : MonoAxis {};
struct ServerAxis {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::microseconds;
  static constexpr bool is_steady = false;
};

// CLOCK_MONOTONIC: stands still while the machine is suspended. Timers and silence.
using Mono = std::chrono::time_point<MonoAxis>;
// CLOCK_BOOTTIME: goes on while the machine is suspended. Leases.
using Boot = std::chrono::time_point<BootAxis>;
// Runs with Mono, but stops while the controller is blind (engine/silence_clock.h).
using Silence = std::chrono::time_point<SilenceAxis>;
// The API server's clock, microseconds since 1970-01-01 UTC; years up to 9999 and beyond fit.
using ServerTime = std::chrono::time_point<ServerAxis>;

// What is known of the API server's clock at one instant: it reads a value within [earliest,
// latest]. `Date` headers have a resolution of 1 s, so the width is about a second plus the round
// trip.
struct ServerInterval {
  ServerTime earliest{ServerTime::min()};
  ServerTime latest{ServerTime::max()};

  // False until the first `Date` was seen: then nothing that counts on the server's clock is due.
  [[nodiscard]] bool Known() const { return earliest != ServerTime::min(); }
};

// One reading of the process's own clocks; taken once per engine turn.
struct Clocks {
  Mono mono{};
  Boot boot{};
};

// All times a decision may look at; read once per decision and passed on as values.
struct Now {
  Mono mono{};
  Boot boot{};
  Silence silence{};
  ServerInterval server{};
};

}  // namespace jobrun
