// What an operator can set, as the engine takes it. app/config.h reads it from YAML.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/model/thresholds.h"

namespace jobrun {

// The lane a run without one is in (the CRD's default), and the label under which unknown lanes
// count.
inline constexpr std::string_view kDefaultLane = "default";
inline constexpr std::string_view kOtherLane = "other";

// Keeps labels and memory bounded.
inline constexpr std::size_t kLanesMax = 1000;

struct Lane {
  std::string name;
  Thresholds thresholds{};
  Thresholds max{};  // runs may not ask for more than this
  // What its runs may set, as MayOverride (verdict/resolve.h) takes it; absent: everything.
  std::optional<std::vector<std::string>> overridable{};
  bool held{false};  // its section is broken: its runs get no verdict until it is mended
};

struct RateLimit {
  double reaps_per_second{50};  // 0 = unlimited
  double burst{100};
  int in_flight{32};              // status writes and their live reads at the same time
  double visits_per_second{500};  // 0 = no first visits at all
};

struct Grace {
  Seconds server_skew{5};  // between API servers' clocks
  int intervals{2};        // of a run, that it gets at most after the silence clock stood still
};

enum class BreakerOverride : std::uint8_t { kNone, kOpen, kClosed };
inline constexpr std::array<std::string_view, 3> kBreakerOverrideNames = {"None", "Open", "Closed"};

// When so many runs fall silent together, it is rather something between them and the controller
// that died (engine/breaker.h).
struct BreakerSettings {
  bool enabled{true};
  double fraction{0.55};  // of the heartbeat-judged runs of a lane, or of all
  int min_runs{10};       // and at least so many
  Seconds hold{300};      // past its own due time no run is held any longer
  BreakerOverride override_by_operator{BreakerOverride::kNone};
};

struct CanarySettings {
  Seconds period{2};  // between two beats of a replica's canary
};

struct RunWatchSettings {
  Seconds relist{600};  // between two complete lists, at least
  // Also the runs that are over and owe nothing any more. Without them the server must be able to
  // select (finished_list.h).
  bool finished{false};
  bool gzip{false};  // pages of lists come packed where the server packs
};

// client-go's, with its defaults.
struct LeaderElection {
  Seconds lease{15};           // a lease that was not renewed for so long may be taken
  Seconds renew_deadline{10};  // a leader that could not renew for so long steps down
  Seconds retry{2};            // between two attempts

  bool operator==(const LeaderElection&) const = default;
};

// Row 5 of the verdict table: pods named in status.executor.
struct ExecutorChecks {
  bool enabled{false};
  std::string selector{};  // labels of the pods that are watched; empty: all
  int dead_checks{2};      // live reads in a row that must find the pod dead
  Seconds check{10};       // between two of them

  bool operator==(const ExecutorChecks&) const = default;
};

struct Settings {
  Reaping reaping{Reaping::kEnabled};
  Thresholds defaults{};
  std::vector<Lane> lanes{};
  RateLimit rate_limit{};
  Grace grace{};
  ExecutorChecks executors{};
  BreakerSettings breaker{};
  CanarySettings canary{};
  RunWatchSettings watch{};
  LeaderElection election{};
};

}  // namespace jobrun
