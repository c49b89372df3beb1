// Timestamps as the API server writes and accepts them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controller/base/time.h"

namespace jobrun {

// RFC 3339 as the API server accepts it: 't' and 'z' in either case, any offset up to 99:99, a
// fraction of any number of digits after a point or a comma (cut to microseconds). Nothing for
// anything else, an impossible date or second 60.
[[nodiscard]] std::optional<ServerTime> ParseRfc3339(std::string_view text);

// "2026-11-22T01:02:03.000004Z": Kubernetes' MicroTime. Years 0 to 9999.
[[nodiscard]] std::string FormatMicroTime(ServerTime time);

// "2026-11-22T01:02:03Z": Kubernetes' Time, cut to the second.
[[nodiscard]] std::string FormatTime(ServerTime time);

// The `Date` header of HTTP in its one current form, "Sun, 22 Nov 2026 01:02:03 GMT".
[[nodiscard]] std::optional<ServerTime> ParseHttpDate(std::string_view text);
[[nodiscard]] std::string FormatHttpDate(ServerTime time);

}  // namespace jobrun
