// Objects as rows: what `kubectl get` asks for (as=Table).
#pragma once

#include <string>

#include "controller/base/time.h"
#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"

namespace jobrun::api_model {

// "12s", "5m", "3h20m": as kubectl shows durations.
[[nodiscard]] std::string HumanDuration(std::chrono::seconds age);

enum class IncludeObject : unsigned char { kMetadata, kObject, kNone };

// metav1.Table without rows and without metadata. The columns are sent once per watch.
[[nodiscard]] Json EmptyTable(const ResourceType& type, bool with_columns);

// One row; `stored` is the object as the store has it.
[[nodiscard]] Json TableRow(const ResourceType& type, const Json& stored, IncludeObject include,
                            ServerTime now);

}  // namespace jobrun::api_model
