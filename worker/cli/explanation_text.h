// An explanation as people read it. Pure.
#pragma once

#include <string>

#include "controller/base/time.h"
#include "worker/cli/object_text.h"

namespace jobrun {

// `explanation`: as /debug/explain answers it, with what `jobrun explain` adds: "source",
// "thresholds", "status", "retryOf", "events". Nothing in the text is raw from an object.
[[nodiscard]] std::string ExplanationText(const OrderedJson& explanation, ServerTime now);

}  // namespace jobrun
