// What the server tells about itself: versions, groups, resources, OpenAPI documents.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"

namespace jobrun::api_model {

[[nodiscard]] Json VersionInfo(const std::string& git_version);

// The answer to a discovery path ("api", "apis", "apis/GROUP", "apis/GROUP/VERSION", "api/v1");
// nothing when it is none or names what is not served.
[[nodiscard]] std::optional<Json> Discovery(const TypeRegistry& types,
                                            const std::vector<std::string>& parts);

// /api or /apis in one document (APIGroupDiscoveryList).
[[nodiscard]] Json AggregatedDiscovery(const TypeRegistry& types, bool core);

// /openapi/v3.
[[nodiscard]] Json OpenApiIndex(const TypeRegistry& types);

// /openapi/v3/api/v1 or /openapi/v3/apis/GROUP/VERSION: schemas, and the paths as far as kubectl
// looks at them.
[[nodiscard]] std::optional<Json> OpenApiDocument(const TypeRegistry& types,
                                                  const std::vector<std::string>& parts);

// Groups that only answer reviews ("authorization.k8s.io", …) and their resources.
struct ReviewType {
  const char* group;
  const char* plural;
  const char* kind;
};
[[nodiscard]] const std::vector<ReviewType>& ReviewTypes();

}  // namespace jobrun::api_model
