// What the rules make of a run, from the object alone: for when no controller can be asked. Pure.
#pragma once

#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/wire/event_decoder.h"
#include "worker/cli/object_text.h"

namespace jobrun {

// As /debug/explain answers it, less what only a controller knows: thresholds are the run's own and
// the built-in ones, and silence counts from the times that the object names (a controller counts
// from when it saw them change). Rules that need more have the state "unknown". `now` is the API
// server's clock. kInvalid says what can't be read.
[[nodiscard]] Result<OrderedJson> ExplainObject(EventDecoder& decoder, const std::string& object,
                                                ServerTime now);

// The thresholds that hold for a run if its lane sets none: {"heartbeat.timeoutSeconds": {"value":
// 150, "from": "built-in"}}.
[[nodiscard]] Result<OrderedJson> ThresholdsOf(EventDecoder& decoder, const OrderedJson& object);

}  // namespace jobrun
