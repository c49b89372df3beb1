// The patches of the API: JSON merge patch, JSON patch and strategic merge patch.
#pragma once

#include <string>

#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

enum class PatchKind : unsigned char { kMerge, kJson, kStrategic, kApply };

// More operations than this are refused (413), as by the real server.
inline constexpr std::size_t kJsonPatchOperationsMax = 10'000;

// `live` with the patch applied. Not for kApply (managed_fields.h).
[[nodiscard]] Or<Json> ApplyPatch(const ResourceType& type, PatchKind kind, const Json& live,
                                  const Json& patch);

}  // namespace jobrun::api_model
