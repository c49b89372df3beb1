// Why a run was or was not ended, for people (/debug/explain): everything a verdict rests on, as
// the controller has it at one instant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/time.h"

namespace jobrun {

// One row of the verdict table.
struct ExplainedRule {
  std::string_view row{};   // "6"
  std::string_view rule{};  // "HeartbeatLost"
  // Nothing: it can't become due as things are. Positive: until it is. Else: since when it has
  // been.
  std::optional<Nanos> due_in{};
  std::string_view reason{};  // of the verdict, where it is due
};

struct Explanation {
  std::string run{};  // namespace/name
  std::string uid{};
  std::uint64_t resource_version{0};
  std::string_view phase{};
  std::string lane{};
  std::string_view reaping{};
  bool lane_held{false};  // its section of the configuration is broken
  bool being_deleted{false};

  bool has_beaten{false};
  Nanos silent_for{};  // since its last sign of life was first seen, as the silence clock counts
  std::optional<ServerTime> started_at{};
  std::vector<ExplainedRule> rules{};

  // The verdict that is due, if one is.
  std::string_view reason{};
  Nanos overdue{};
  // What keeps it from being written, as in jobrun_verdicts_suppressed_total; empty: nothing.
  std::string_view held_by{};
  Nanos looked_at_again_in{};
  std::string_view writing{};  // "queued", "under way"; empty: neither

  bool leading{true};
  std::string leader{};  // identity of the Lease's holder, where there is an election
  bool silence_clock_stopped{false};
  Nanos silence_clock_behind{};
  std::optional<ServerInterval> server{};  // the API server's clock, where it is known

  std::string words{};  // all of it in a sentence
};

}  // namespace jobrun
