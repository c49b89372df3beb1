// Answers that the API server has packed.
#pragma once

#include <cstddef>
#include <string_view>

#include "controller/wire/exchange.h"

namespace jobrun {

// Unpacks the body of an answer whose `Content-Encoding` was `encoding`; empty: it is not packed.
// One that can't be unpacked, or is longer than `body_bytes_max` then, becomes an answer without a
// status, whose detail begins with `peer`.
void Unpack(Response& response, std::string_view encoding, std::size_t body_bytes_max,
            std::string_view peer);

}  // namespace jobrun
