// The JobRun that a replica keeps and beats for as a worker would (a canary): its beats coming back
// on the watch tell that workers can write and that the controller sees it. Bodies of the requests
// that make it, claim it and beat for it; each passes the rules of crds/jobruns.yaml.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controller/base/time.h"

namespace jobrun {

// Of all canaries.
inline constexpr std::string_view kCanaryLane = "jobrun-canary";
inline constexpr std::string_view kCanaryLabel = "jobrun.dev/canary";  // "true"

// "jobrun-canary-<identity>", the same for the same identity in every process. `identity` is an
// object name (base/object_name.h); one that is too long for that is cut and ends in a hash of the
// whole, so that replicas whose names differ only behind the cut have canaries of their own.
[[nodiscard]] std::string CanaryName(std::string_view identity);

// Both are needed: anyone may give a run that lane, and a run may have such a name.
[[nodiscard]] bool IsCanary(std::string_view lane, std::string_view name);

// The body of the POST that creates it. Its reaping is Disabled, so that a controller that does not
// know canaries never gives up one whose replica is gone.
[[nodiscard]] std::string WriteCanary(std::string_view name, std::string_view name_space);

// A merge patch of its status: the claim. Claimed once: a second claim with another time is refused
// (422), the same one again changes nothing.
[[nodiscard]] std::string WriteCanaryClaim(std::string_view identity, ServerTime at);

// A merge patch of its status: a beat. Only a time that differs from the last beat's makes a watch
// event. `writable_since`: since when beats came through without a stop; it stands in
// status.progress, for the process that comes after. Without it what stood there is removed.
[[nodiscard]] std::string WriteCanaryBeat(ServerTime at, std::optional<ServerTime> writable_since);

// What a beat wrote to status.progress. Nothing for every other text: also for a time that is
// written another way than WriteCanaryBeat does.
[[nodiscard]] std::optional<ServerTime> WritableSince(std::string_view progress);

}  // namespace jobrun
