// What goes into the engine and what comes out of it: the whole boundary between decisions and the
// world. Production performs the effects with sockets and threads (app/driver.h), tests and
// simulations from memory and with virtual time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controller/base/log.h"
#include "controller/base/time.h"
#include "controller/engine/metrics.h"
#include "controller/engine/settings.h"
#include "controller/model/explanation.h"
#include "controller/model/phase.h"
#include "controller/wire/event_object.h"
#include "controller/wire/exchange.h"

namespace jobrun {

// ---- inputs ----

struct ConfigLoaded {
  Settings settings;
};
// The time asked for by the last WakeAt has come (or is near: waking early is harmless).
struct Woke {};
// Somebody wants the gauges; answered with one Answer.
struct ScrapeAsked {
  std::uint64_t id{0};
};
// Somebody wants to know why a run was or was not ended; answered with one Answer.
struct ExplainAsked {
  std::uint64_t id{0};
  std::string name_space{};
  std::string name{};
};
// Finish what is in flight, write nothing new, then Exit.
struct StopAsked {};

// StreamOpened, StreamEvents, StreamClosed and Response are defined in wire/exchange.h.
using Input = std::variant<StreamOpened, StreamEvents, StreamClosed, Response, ConfigLoaded, Woke,
                           ScrapeAsked, ExplainAsked, StopAsked>;

// ---- effects ----

using SendRequest = Request;

// Call Step with Woke at this time. A later WakeAt replaces it.
struct WakeAt {
  Mono at{};
};

// Adds `value` to a counter, or observes it in a histogram. `lane` where the metric has that label;
// `label` is the enumerator of its other label (Reason, Suppression, EventType, …).
struct Count {
  Metric metric{};
  LaneIndex lane{0};
  std::uint8_t label{0};
  double value{1};
};

// Tells people of a run as a Kubernetes Event. Best effort: it may be joined with earlier ones or
// dropped (app/event_recorder.h).
using EmitEvent = RunEvent;

// Gauges at one instant.
struct Snapshot {
  struct LaneGauges {
    std::string lane;
    std::array<std::uint64_t, kPhaseCount> runs{};
    // When the quietest heartbeating run of the lane was last seen to beat; absent without one.
    std::optional<Mono> oldest_heartbeat{};
    std::optional<ServerTime> oldest_pending{};  // creation of the run that waits longest
    GapCounts heartbeat_gaps{};
    bool breaker_open{false};
    bool held{false};  // a mistake in its configuration holds its verdicts
  };
  std::vector<LaneGauges> lanes{};
  std::uint64_t runs{0};       // records held
  std::uint64_t policies{0};   // distinct policies held
  std::uint64_t timers{0};     // armed
  std::uint64_t queued{0};     // verdicts, first visits and work on retries that wait for a slot
  std::uint64_t in_flight{0};  // requests without an answer yet
  // Of verdicts and first visits alone.
  std::uint64_t waiting{0};
  std::uint64_t working{0};  // at most so many as this:
  int in_flight_max{0};
  Nanos unfinished{};       // how long those under way have taken, together
  Nanos longest_running{};  // and the one that has taken longest
  SkewCounts worker_clock_skew{};
  bool synced{false};
  bool leading{true};   // it may write
  bool selects{false};  // runs that are over, and settled, are not watched: they are not counted
  bool silence_clock_stopped{false};
  bool breaker_open_for_all{false};
  Mono taken_at{};
};
struct Answer {
  std::uint64_t id{0};
  Snapshot snapshot{};                       // for ScrapeAsked
  std::optional<Explanation> explanation{};  // for ExplainAsked; nothing: no such run is known
};

enum class ExitCause : std::uint8_t {
  kStopped,           // as asked
  kLeaseLost,         // it leads no more, and what it sent as the leader has no answer yet
  kNamespaceMissing,  // that of the canaries and of the Lease
};
// The engine has finished.
struct Exit {
  ExitCause cause{ExitCause::kStopped};
};

using Effect = std::variant<OpenStream, CloseStream, SendRequest, WakeAt, Count, EmitEvent, LogLine,
                            Answer, Exit>;
using Effects = std::vector<Effect>;

// What probes ask, readable between two steps.
struct Health {
  bool synced{false};  // a complete list has been seen since the start
  Mono last_sweep{};   // the last engine turn after which nothing due was unhandled
  bool stopping{false};
  std::string
      problem{};  // why it is not ready: unreachable, forbidden, no such resource…; empty when well
  std::string held_lanes{};  // comma-separated
};

}  // namespace jobrun
