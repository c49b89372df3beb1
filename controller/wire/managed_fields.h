// metadata.managedFields of a run: the API server's own record of who changed which field when, in
// whole seconds of its clock. It tells when a heartbeat or a claim arrived that nobody saw arrive:
// docs/api-server.md has what was measured of it.
#pragma once

#include <optional>
#include <string_view>

#include "controller/base/time.h"

namespace jobrun {

// The latest time among the managers that own status.lastHeartbeatAt. The last heartbeat came at
// that time or before, but for the second that is cut off: before, when its manager wrote something
// else since. That errs on the side of the living.
//
// `managed_fields` is the JSON list (ObservedRun::managed_fields), or any text. Nothing where it
// does not tell: nobody owns the field; an owner's time can't be read, which may be the latest; the
// text is no whole list of entries as the API server writes them. "ancient-changes" is no owner:
// under that name the API server merges the managers that wrote longest ago when there are many.
[[nodiscard]] std::optional<ServerTime> HeartbeatStamp(std::string_view managed_fields);

// The same for status.claimedAt: the run was not claimed later. An upper bound, since its manager
// may have written other fields after the claim, heartbeats for example.
[[nodiscard]] std::optional<ServerTime> ClaimStamp(std::string_view managed_fields);

// The same for status.phase, which a run that is over does not change any more: it ended at that
// time or before.
[[nodiscard]] std::optional<ServerTime> EndStamp(std::string_view managed_fields);

// The same for status.lateHeartbeatTime, which is set once.
[[nodiscard]] std::optional<ServerTime> LateBeatStamp(std::string_view managed_fields);

}  // namespace jobrun
