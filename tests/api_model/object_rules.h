// What single kinds do beyond their schema: defaults at creation, checks of Events, the two forms
// of an Event. Pods have a file of their own, pod_rules.h.
#pragma once

#include <string>

#include "controller/base/time.h"
#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

// What decoding adds to any object that a client sent.
void FillDecoded(const ResourceType& type, Json& object);

// What the real server fills in on decoding new ones: it counts as set by the client.
void DefaultNewObject(const ResourceType& type, Json& object);

// What it fills in afterwards, for Namespaces, Pods and CustomResourceDefinitions: nobody owns
// that.
void PrepareNewObject(const ResourceType& type, Json& object, ServerTime now);

// Checks that no schema expresses; `object` is in stored form, and so is what it replaces, if
// anything.
[[nodiscard]] FieldErrors ValidateKind(const ResourceType& type, const Json& object,
                                       const Json* before);

// Events are stored as core/v1 has them; events.k8s.io names some fields differently.
[[nodiscard]] Json EventToStored(Json event);
[[nodiscard]] Json EventFromStored(const Json& stored);

}  // namespace jobrun::api_model
