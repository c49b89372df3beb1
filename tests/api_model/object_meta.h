// metadata of objects: what the server fills in, and what it refuses.
#pragma once

#include <string>

#include "controller/base/random.h"
#include "controller/base/time.h"
#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

// A random (version 4) UUID.
[[nodiscard]] std::string MakeUid(Random& random);

// `prefix` (cut so that the whole fits a name) and five random characters that never form a word.
[[nodiscard]] std::string GenerateName(std::string prefix, Random& random);

// Drops members that ObjectMeta does not have (their paths go to `removed`) and nulls; 400 when a
// member has the wrong type.
[[nodiscard]] Checked CleanMetadata(const ResourceType& type, const Schema& metadata, Json& object,
                                    std::vector<std::string>& removed);

// uid, creationTimestamp, generation; drops what a client must not set.
void FillNewMetadata(const ResourceType& type, Json& metadata, ServerTime now, Random& random);

// Makes the members that can't be changed those of `before`, as BeforeUpdate does.
void KeepServerMetadata(const Json& before, Json& metadata);

[[nodiscard]] FieldErrors ValidateMetadata(const ResourceType& type, const Json& metadata);
[[nodiscard]] FieldErrors ValidateMetadataUpdate(const Json& before, const Json& metadata);

}  // namespace jobrun::api_model
