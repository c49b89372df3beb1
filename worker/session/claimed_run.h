// A JobRun as a worker sees it: what an answer of the API server says, kept beyond the answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/model/phase.h"
#include "controller/model/thresholds.h"
#include "controller/model/uid.h"
#include "controller/wire/event_decoder.h"

namespace jobrun {

struct ClaimedRun {
  std::string name_space{};
  std::string name{};
  Uid uid{};
  std::uint64_t resource_version{0};
  bool being_deleted{false};

  std::string lane{};
  std::string assigned_to{};   // empty: anyone may claim it
  std::string payload_json{};  // empty: none
  bool cancelled{false};
  std::uint32_t attempt{1};
  Thresholds thresholds{};  // the run's own; those of its lane are known to the controller only

  Phase phase{Phase::kPending};
  std::string claimed_at{};
  std::string claimed_by{};
  std::string reason{};
  std::string completion_time{};
  std::string conditions_json{};
};

// The object of a GET or PATCH. kInvalid says what can't be read.
[[nodiscard]] Result<ClaimedRun> ReadClaimedRun(EventDecoder& decoder, std::string_view json);

// What became of a run that is not its worker's any more: `title` names it, `mine` is its uid
// (none: not known yet), `seen` is what goes by its name now.
[[nodiscard]] std::string FenceText(const std::string& title, Uid mine, const ClaimedRun& seen);

}  // namespace jobrun
