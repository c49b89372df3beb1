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
  int intervals{2};
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
};

}  // namespace jobrun
