// The object that retries a run: made of the text of the run it follows, so that nothing the user
// wrote is lost or changed on the way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/result.h"
#include "controller/model/uid.h"

namespace jobrun {

inline constexpr std::string_view kRootLabel = "jobrun.dev/root";  // uid of a chain's first run

struct Successor {
  std::string_view name{};
  std::uint32_t attempt{2};
};

// The JobRun to be created for the run in `parent_json` (a whole object): its spec as it is written
// there but for attempt, retryOf and cancelled; its labels, annotations and owners but for those by
// which deployment tools find what to prune, and without blockOwnerDeletion. kInvalid when the text
// is no JobRun.
[[nodiscard]] Result<std::string> WriteSuccessor(std::string_view parent_json,
                                                 const Successor& successor);

// The body of a DELETE that hits this version of this object and nothing else.
[[nodiscard]] std::string WriteDeleteOptions(Uid uid, std::uint64_t resource_version);

}  // namespace jobrun
