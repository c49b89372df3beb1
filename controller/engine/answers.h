// What the parts of the engine that write have in common: waiting after an answer, and telling of
// it.
#pragma once

#include <string>

#include "controller/base/random.h"
#include "controller/base/time.h"
#include "controller/wire/exchange.h"

namespace jobrun {

// After a 429: as long as the server says, within reason.
[[nodiscard]] Nanos ThrottleWait(const Response& response);

// After the `failures`th failure in a row (0: the first): doubled each time up to `longest`, and up
// to half as long again.
[[nodiscard]] Nanos HoldWait(int failures, Nanos longest, Random& random);

// Why a request failed, for people.
[[nodiscard]] std::string WordsOf(const Response& response);

}  // namespace jobrun
