// What Pods do beyond their schema: what decoding fills in, what is refused, how long one that is
// deleted stays. As measured on a real server; nothing here runs a pod.
#pragma once

#include <cstdint>
#include <optional>

#include "controller/base/time.h"
#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

[[nodiscard]] bool IsPod(const ResourceType& type);

// What Go's types and the scheme's defaults add to whatever a client sent: the members of container
// statuses and conditions that are always there, some of them null.
void FillDecodedPod(Json& pod);

// The part of a new pod's status that the server sets.
[[nodiscard]] Json NewPodStatus(const Json& pod);

// Complaints about a new pod, or about one that replaces `before`.
[[nodiscard]] FieldErrors ValidatePod(const Json& pod, const Json* before);

// What deletion makes of a pod: marked with its grace, or with a shorter one than before. Nothing
// when the deletion under way stays as it is. `grace_seconds` is what the client asked for.
[[nodiscard]] std::optional<Json> MarkDeleted(const Json& pod,
                                              std::optional<std::int64_t> grace_seconds,
                                              ServerTime now);

// Whether only a kubelet's deletion with a grace of 0 is to remove it.
[[nodiscard]] bool WaitsForItsKubelet(const Json& metadata);

}  // namespace jobrun::api_model
