#include "tests/api_model/object_rules.h"

#include <array>

#include "controller/base/rfc3339.h"
#include "tests/api_model/pod_rules.h"

namespace jobrun::api_model {
namespace {

struct Renamed {
  const char* stored;
  const char* shown;
};
constexpr std::array<Renamed, 7> kEventFields = {{{"involvedObject", "regarding"},
                                                  {"message", "note"},
                                                  {"source", "deprecatedSource"},
                                                  {"firstTimestamp", "deprecatedFirstTimestamp"},
                                                  {"lastTimestamp", "deprecatedLastTimestamp"},
                                                  {"count", "deprecatedCount"},
                                                  {"reportingComponent", "reportingController"}}};

void Rename(Json& object, const char* from, const char* to) {
  Json* member = Member(object, from);
  if (member == nullptr) return;
  Json value = std::move(*member);
  object.erase(from);
  object[to] = std::move(value);
}

void NeedText(const Json& event, const char* key, std::size_t max, const std::string& field,
              FieldErrors& errors) {
  const auto text = StringMember(event, key);
  if (text.empty()) errors.push_back(RequiredField(field));
  if (text.size() > max) {
    errors.push_back(
        InvalidField(field, "", "can have at most " + std::to_string(max) + " characters"));
  }
}

bool HasTime(const Json& event, const char* key) { return !StringMember(event, key).empty(); }

void CheckNewStyleEvent(const ResourceType& type, const Json& event, FieldErrors& errors) {
  NeedText(event, "reportingComponent", 253,
           type.event_view ? "reportingController" : "reportingComponent", errors);
  NeedText(event, "reportingInstance", 128, "reportingInstance", errors);
  NeedText(event, "action", 128, "action", errors);
  NeedText(event, "reason", 128, "reason", errors);
  if (StringMember(event, "message").size() > 1024) {
    errors.push_back(InvalidField("message", "", "can have at most 1024 characters"));
  }
}

void CheckSeries(const Json& event, FieldErrors& errors) {
  const Json* series = Member(event, "series");
  if (series == nullptr || series->is_null()) return;
  const Json* count = Member(*series, "count");
  if (count == nullptr || !count->is_number_integer() || count->get<std::int64_t>() < 2) {
    errors.push_back(InvalidField("series.count", "", "should be at least 2"));
  }
  if (!HasTime(*series, "lastObservedTime")) {
    errors.push_back(RequiredField("series.lastObservedTime"));
  }
}

// What was told stays as it was told; only the series goes on.
void CheckChangedEvent(const Json& event, const Json& before, FieldErrors& errors) {
  const auto of = [](const Json& object, const char* key) {
    const Json* member = Member(object, key);
    return member == nullptr ? Json() : *member;
  };
  if (of(event, "series") != of(before, "series")) CheckSeries(event, errors);
  for (const char* key :
       {"involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count",
        "type", "eventTime", "action", "related", "reportingComponent", "reportingInstance"}) {
    if (of(event, key) == of(before, key)) continue;
    const char* shown = std::string_view(key) == "reportingComponent" ? "reportingController" : key;
    errors.push_back(InvalidField(shown, of(event, key), "field is immutable"));
  }
}

void CheckStrictEvent(const Json& event, FieldErrors& errors) {
  CheckSeries(event, errors);
  if (!HasTime(event, "eventTime")) errors.push_back(RequiredField("eventTime"));
  const std::string type(StringMember(event, "type"));
  if (type != "Normal" && type != "Warning") {
    errors.push_back(InvalidField("type", "", "has invalid value: " + type));
  }
  for (const char* key : {"firstTimestamp", "lastTimestamp", "count", "source"}) {
    const Json* member = Member(event, key);
    if (member != nullptr && !member->is_null() && !member->empty() && *member != Json(0)) {
      errors.push_back(InvalidField(key, "", "needs to be unset"));
    }
  }
}

FieldErrors ValidateEvent(const ResourceType& type, const Json& event, const Json* before) {
  FieldErrors errors;
  const Json* about = Member(event, "involvedObject");
  const std::string of(about == nullptr ? std::string_view() : StringMember(*about, "namespace"));
  const auto in = StringMember(event.at("metadata"), "namespace");
  const bool old_style = !HasTime(event, "eventTime");
  const bool for_cluster = of.empty() && (in == "default" || (!old_style && in == "kube-system"));
  if (!for_cluster && of.empty()) {
    errors.push_back(
        InvalidField("involvedObject.namespace", of, "does not match event.namespace"));
  } else if (old_style && !of.empty() && of != in) {
    errors.push_back(
        InvalidField("involvedObject.namespace", of, "does not match event.namespace"));
  }
  if (!old_style) CheckNewStyleEvent(type, event, errors);
  if (!type.event_view) return errors;
  if (before == nullptr) {
    CheckStrictEvent(event, errors);
  } else {
    CheckChangedEvent(event, *before, errors);
  }
  return errors;
}

FieldErrors ValidateLease(const Json& lease) {
  FieldErrors errors;
  const auto check = [&](const char* key, std::int64_t least, const char* complaint) {
    const Json* value = MemberAt(lease, {"spec", key});
    if (value == nullptr || !value->is_number_integer() || value->get<std::int64_t>() >= least)
      return;
    errors.push_back(InvalidField(std::string("spec.") + key, *value, complaint));
  };
  check("leaseDurationSeconds", 1, "must be greater than 0");
  check("leaseTransitions", 0, "must be greater than or equal to 0");
  return errors;
}

// A Lease always has a spec, without nulls; its times are kept in UTC.
void FillDecodedLease(Json& lease) {
  Json& spec = lease["spec"];
  if (!spec.is_object()) spec = Json::object();
  for (auto it = spec.begin(); it != spec.end();) {
    it = it->is_null() ? spec.erase(it) : std::next(it);
  }
  for (const char* key : {"acquireTime", "renewTime"}) {
    const auto time = ParseRfc3339(StringMember(spec, key));
    if (time) spec[key] = FormatMicroTime(*time);
  }
}

Json Established(const Json& crd, ServerTime now) {
  const auto condition = [&](const char* type, const char* reason, const char* message) {
    return Json{{"type", type},
                {"status", "True"},
                {"lastTransitionTime", FormatTime(now)},
                {"reason", reason},
                {"message", message}};
  };
  const Json* names = MemberAt(crd, {"spec", "names"});
  return {
      {"acceptedNames", names == nullptr ? Json::object() : *names},
      {"conditions",
       {condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted")}},
      {"storedVersions", {"v1"}}};
}

}  // namespace

void FillDecoded(const ResourceType& type, Json& object) {
  if (IsPod(type)) FillDecodedPod(object);
  if (type.plural == "leases") FillDecodedLease(object);
}

void DefaultNewObject(const ResourceType& type, Json& object) {
  if (type.custom || type.plural != "namespaces") return;
  Json& metadata = object["metadata"];
  metadata["labels"]["kubernetes.io/metadata.name"] = std::string(StringMember(metadata, "name"));
}

void PrepareNewObject(const ResourceType& type, Json& object, ServerTime now) {
  if (type.custom) return;
  if (type.plural == "namespaces") {
    object["spec"] = {{"finalizers", {"kubernetes"}}};
    object["status"] = {{"phase", "Active"}};
  } else if (IsPod(type)) {
    object["status"] = NewPodStatus(object);
  } else if (type.plural == "customresourcedefinitions") {
    object["status"] = Established(object, now);
  }
}

FieldErrors ValidateKind(const ResourceType& type, const Json& object, const Json* before) {
  if (type.custom) return {};
  if (type.plural == "events") return ValidateEvent(type, object, before);
  if (IsPod(type)) return ValidatePod(object, before);
  if (type.plural == "leases") return ValidateLease(object);
  return {};
}

Json EventToStored(Json event) {
  for (const Renamed& field : kEventFields) Rename(event, field.shown, field.stored);
  event["apiVersion"] = "v1";
  return event;
}

Json EventFromStored(const Json& stored) {
  Json event = stored;
  for (const Renamed& field : kEventFields) Rename(event, field.stored, field.shown);
  event["apiVersion"] = "events.k8s.io/v1";
  return event;
}

}  // namespace jobrun::api_model
