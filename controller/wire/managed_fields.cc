#include "controller/wire/managed_fields.h"

namespace jobrun {

std::optional<ServerTime> HeartbeatStamp(std::string_view) { return std::nullopt; }
std::optional<ServerTime> ClaimStamp(std::string_view) { return std::nullopt; }

}  // namespace jobrun
