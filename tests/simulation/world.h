// What all parts of one simulated run share: time, chance, the API server, which faults hold where,
// and the first thing that went wrong. One thread; nothing here outlives the run.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "controller/base/random.h"
#include "tests/simulation/api_server.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/trace.h"

namespace jobrun::simulation {

inline constexpr std::string_view kHome = "jobrun-system";  // the controller's namespace
inline constexpr std::string_view kElectionLease = "jobrun-controller";

using Counters = std::array<std::uint64_t, kFaultCount>;

struct Failure {
  std::string invariant{};  // "I1", …, of the list in README.md
  std::string what{};
  Nanos at{};
};

class World {
 public:
  explicit World(Plan drawn);

  [[nodiscard]] Nanos Now() const { return time.Now(); }
  [[nodiscard]] ServerTime ServerNow() const { return server.TimeAt(Now()); }

  // Whether the fault is in force there; then it counts as having struck.
  [[nodiscard]] bool Struck(Fault fault, int where);
  [[nodiscard]] bool Holds(Fault fault, int where) const {
    return until[static_cast<std::size_t>(fault)][static_cast<std::size_t>(where)] > Now();
  }
  void Begin(const Action& action);
  // Whether a fault that may befall any request or event befalls this one.
  [[nodiscard]] bool Befalls(Fault fault, double rate);
  void Hit(Fault fault) { ++hits[static_cast<std::size_t>(fault)]; }

  // Only the first failure is kept: what comes after it may be its doing.
  void Fail(std::string invariant, std::string what);

  Plan plan;
  Scheduler time{};
  Trace trace{};
  ApiServer server;
  Random network;  // chance of what befalls requests and events
  Random workers;
  Random processes;
  bool faults_on{true};
  bool breaker_touched{false};  // by a reload
  bool events_lost{false};      // what a replica does not know, the next list must tell it
  std::array<std::array<Nanos, kPlaces>, kFaultCount> until{};
  Counters hits{};
  std::optional<Failure> failure{};
};

}  // namespace jobrun::simulation
