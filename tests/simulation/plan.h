// What one seed stands for: the configuration, the work, and the faults that befall it. A plan is
// data: the minimiser drops parts of it, and whatever is left runs the same way every time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/random.h"
#include "controller/base/time.h"
#include "controller/engine/settings.h"
#include "tests/simulation/faults.h"

namespace jobrun::simulation {

inline constexpr int kReplicas = 3;
// Places where a fault may hold: a replica, a controller that asks nobody whether it leads, the
// workers, or everywhere.
inline constexpr int kRogue = kReplicas;
inline constexpr int kWorkers = kRogue + 1;
inline constexpr int kPlaces = kWorkers + 1;
inline constexpr int kEverywhere = -1;

// What becomes of a run, by its worker.
enum class Behaviour : std::uint8_t {
  kFinishes,
  kLives,
  kDies,
  kNeverBeats,       // mode Required
  kNeverBeatsAtAll,  // the coarse limit
  kUnclaimed,
  kPastDeadline,
  kPastBackstop,
  kExits,
  kExitsBadly,
  kMissesAGate,
  kFails,
  kHandsBack,
  kStalls,
  kIgnoresCancel,
  kZombie,
  kFrozen,
  kBeatsByLease,
  kDiesByLease,
  kLosesItsPod,
  kCount,
};
[[nodiscard]] std::string_view BehaviourName(Behaviour behaviour);

enum class Stamps : std::uint8_t { kRight, kAYearOff, kBackwards, kYear9999, kOddOffset };

struct Job {
  std::string name_space{"work"};
  std::string name{};
  std::string lane{"default"};
  Behaviour behaviour{Behaviour::kFinishes};
  Stamps stamps{Stamps::kRight};
  Nanos created{};
  Nanos claimed_after{};
  Nanos works_for{};    // from the claim to the end, the death or the exit
  Nanos beats_every{};  // what the worker does, not what it ought to
  Thresholds spec{};    // as the run sets them
  int attempts{1};      // retry.maxAttempts
  std::string key{};    // concurrencyKey
  bool finalizer{false};
  bool spammed{false};  // somebody annotates it all the time
  bool forged_claim{false};
  bool dry{false};  // reaping: DryRun on the run
};

struct Action {
  Fault fault{};
  Nanos at{};
  Nanos length{};
  int where{kEverywhere};
  std::uint64_t size{0};  // what it means is the fault's affair
};

// How likely a fault is for each request or event, while faults are on.
struct Rates {
  double lose_request{0};
  double lose_answer{0};
  double late_commit{0};
  double server_error{0};
  double throttle{0};
  double duplicate{0};
  double reorder{0};
  double replay{0};
  double hide{0};
  double split{0};
  double cut{0};
};

struct Plan {
  std::uint64_t seed{0};
  Settings settings{};
  std::vector<Job> jobs{};
  std::vector<Action> actions{};
  Rates rates{};
  Nanos faults_end{};
  bool heals{true};    // streams that hang are cut when the faults end
  int stays_dead{-1};  // a replica, in the second phase
  bool elects{true};
  bool old_definition{false};  // of JobRuns: the server can't select by the retry's state
  Nanos latency{};             // of the network, at most, one way
};

// The seed of one generator: each concern has its own, so that one does not shift the others.
[[nodiscard]] std::uint64_t SubSeed(std::uint64_t seed, std::uint64_t concern);
[[nodiscard]] Plan DrawPlan(std::uint64_t seed);
// The spec of a job's run, as JSON.
[[nodiscard]] std::string SpecText(const Job& job);
// A line for people.
[[nodiscard]] std::string Describe(const Action& action);
[[nodiscard]] std::string Describe(const Job& job);

}  // namespace jobrun::simulation
