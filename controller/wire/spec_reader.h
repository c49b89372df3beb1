// Reads what a JobRun's spec says about reaping. Only the .cc files of wire/ include it.
#pragma once

#include <string_view>

#include "controller/base/result.h"
#include "controller/model/thresholds.h"
#include "controller/wire/json_cursor.h"

namespace jobrun::json {

// `padded` is the text of a spec object with the parser's padding behind it. Fields that Thresholds
// does not have are skipped; null means absent. kInvalid names the field and what was expected.
[[nodiscard]] Result<Thresholds> ReadThresholds(ondemand::parser& parser, std::string_view padded);

}  // namespace jobrun::json
