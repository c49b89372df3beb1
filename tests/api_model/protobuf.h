// kubectl sends Namespaces it creates in Kubernetes' protobuf form, without falling back to JSON.
// This reads as much of that form as a Namespace needs.
#pragma once

#include <optional>
#include <string_view>

#include "tests/api_model/json.h"

namespace jobrun::api_model {

// The Namespace in `bytes` ("k8s\0" and a runtime.Unknown); nothing when it is anything else.
[[nodiscard]] std::optional<Json> NamespaceFromProtobuf(std::string_view bytes);

}  // namespace jobrun::api_model
