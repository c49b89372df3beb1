// metadata.managedFields: who wrote which field when. One entry per manager, operation, apiVersion
// and subresource; its time is the server's, in whole seconds, and moves only when the manager
// added or changed a field.
#pragma once

#include <string>

#include "controller/base/time.h"
#include "tests/api_model/field_set.h"
#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

// More Update managers than this are merged into "ancient-changes", oldest first; as the real
// server does.
inline constexpr std::size_t kUpdateManagersMax = 10;

struct Writer {
  std::string manager{};      // fieldManager, or the user agent up to its first '/'
  std::string subresource{};  // "" or "status"
  bool force = false;         // server-side apply: take over what others own
};

// Sets managedFields of `after` for an update by `writer`, from those of `before`.
void TrackUpdate(const ResourceType& type, const Writer& writer, const Json& before, Json& after,
                 ServerTime now);

// Server-side apply: `live` with `applied` merged in, fields that the manager no longer applies and
// nobody else owns removed, and managedFields updated. 409 with one cause per field that another
// manager owns with another value, unless the writer forces it.
[[nodiscard]] Or<Json> Apply(const ResourceType& type, const Writer& writer, const Json& live,
                             const Json& applied, ServerTime now);

}  // namespace jobrun::api_model
