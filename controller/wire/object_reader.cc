#include "controller/wire/object_reader.h"

#include <array>

#include "controller/base/rfc3339.h"
#include "controller/model/thresholds.h"

namespace jobrun::json {
namespace {

constexpr std::string_view kInitialEventsEnd = "k8s.io/initial-events-end";

// A field of the run that is kept as the text it is.
struct TextField {
  std::string_view key;
  std::string_view ObservedRun::* member;
  std::string_view problem;
};
constexpr std::array<TextField, 2> kMetadataTexts = {{
    {"name", &ObservedRun::name, "metadata.name: expected a string"},
    {"namespace", &ObservedRun::name_space, "metadata.namespace: expected a string"},
}};
constexpr std::array<TextField, 9> kStatusTexts = {{
    {"claimedAt", &ObservedRun::claimed_at, "status.claimedAt: expected a string"},
    {"claimedBy", &ObservedRun::claimed_by, "status.claimedBy: expected a string"},
    {"completionTime", &ObservedRun::completion_time, "status.completionTime: expected a string"},
    {"lastHeartbeatAt", &ObservedRun::last_heartbeat_at,
     "status.lastHeartbeatAt: expected a string"},
    {"lateHeartbeatTime", &ObservedRun::late_heartbeat,
     "status.lateHeartbeatTime: expected a string"},
    {"progress", &ObservedRun::progress, "status.progress: expected a string"},
    {"reason", &ObservedRun::reason, "status.reason: expected a string"},
    {"startTime", &ObservedRun::start_time, "status.startTime: expected a string"},
    {"verdictID", &ObservedRun::verdict_id, "status.verdictID: expected a string"},
}};

}  // namespace

bool ObjectReader::Read(ondemand::value& value) {
  if (!IsObject(value)) {
    Blame("object: expected an object");
    return true;
  }
  ondemand::object object;
  return value.get_object().get(object) == simdjson::SUCCESS && ReadFields(object);
}

bool ObjectReader::ReadFields(ondemand::object& object) {
  return EachField(object, [this](std::string_view key, ondemand::value& value) {
    return ReadField(key, value);
  });
}

bool ObjectReader::ReadField(std::string_view key, ondemand::value& value) {
  if (key == "metadata") return ReadMetadata(value);
  if (watched_ == Watched::kPods && key == "status") return witness_.ReadPodStatus(value);
  if (watched_ == Watched::kLeases && key == "spec") return witness_.ReadLeaseSpec(value);
  if (watched_ != Watched::kJobRuns && (key == "spec" || key == "status")) return true;
  if (key == "spec") return ReadSpec(value);
  if (key == "status") return ReadStatus(value);
  if (key == "code") {
    code_ = StatusCode(value);
  } else if (key == "message") {
    message_ = Text(value, scratch_).value_or(std::string_view());
  }
  return true;
}

bool ObjectReader::ReadMetadata(ondemand::value& value) {
  if (!IsObject(value)) {
    Blame("metadata: expected an object");
    return true;
  }
  return EachField(value, [this](std::string_view key, ondemand::value& field) {
    return ReadMetadataField(key, field);
  });
}

bool ObjectReader::ReadMetadataField(std::string_view key, ondemand::value& value) {
  for (const TextField& field : kMetadataTexts) {
    if (key == field.key) {
      TakeText(value, run_.*field.member, field.problem);
      return true;
    }
  }
  if (key == "uid") {
    TakeUid(value);
  } else if (key == "resourceVersion") {
    TakeResourceVersion(value);
  } else if (key == "generation") {
    TakeGeneration(value);
  } else if (key == "creationTimestamp") {
    TakeCreated(value);
  } else if (key == "deletionTimestamp") {
    std::string_view text;
    TakeText(value, text, "metadata.deletionTimestamp: expected a string");
    run_.being_deleted = !text.empty();
    witness_.pod.deletion_timestamp = text;
  } else if (watched_ == Watched::kJobRuns && key == "managedFields") {
    return ReadManagedFields(value);
  } else if (may_be_bookmark_ && key == "annotations") {
    return ReadAnnotations(value);
  }
  return true;
}

bool ObjectReader::ReadManagedFields(ondemand::value& value) {
  run_.managed_fields = {};
  if (!IsArray(value)) return true;
  ondemand::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return false;
  const std::optional<std::string_view> raw = RawArray(list);
  if (raw) run_.managed_fields = *raw;
  return raw.has_value();
}

bool ObjectReader::ReadAnnotations(ondemand::value& value) {
  if (!IsObject(value)) return true;
  return EachField(value, [this](std::string_view key, ondemand::value& field) {
    if (key == kInitialEventsEnd) initial_events_end_ = Token(field) == "\"true\"";
    return true;
  });
}

bool ObjectReader::ReadSpec(ondemand::value& value) {
  if (!IsObject(value)) {
    Blame("spec: expected an object");
    return true;
  }
  ondemand::object spec;
  if (value.get_object().get(spec) != simdjson::SUCCESS) return false;
  const bool sound = EachField(spec, [this](std::string_view key, ondemand::value& field) {
    if (key == "lane") TakeText(field, run_.lane, "spec.lane: expected a string");
    if (key == "cancelled") TakeCancelled(field);
    if (key == "attempt") TakeAttempt(field);
    if (key == "concurrencyKey") {
      TakeText(field, run_.concurrency_key, "spec.concurrencyKey: expected a string");
    }
    if (key == "retryOf") return ReadRetryOf(field);
    return true;
  });
  if (!sound) return false;
  const std::optional<std::string_view> raw = RawObject(spec);
  if (raw) run_.spec_json = *raw;
  return raw.has_value();
}

bool ObjectReader::ReadRetryOf(ondemand::value& value) {
  if (!IsObject(value)) return true;
  return EachField(value, [this](std::string_view key, ondemand::value& field) {
    if (key == "uid") TakeText(field, run_.retry_of_uid, "spec.retryOf.uid: expected a string");
    if (key == "name") TakeText(field, run_.retry_of_name, "spec.retryOf.name: expected a string");
    return true;
  });
}

bool ObjectReader::ReadStatus(ondemand::value& value) {
  if (IsNull(value)) return true;
  if (!IsObject(value)) {
    Blame("status: expected an object");
    return true;
  }
  return EachField(value, [this](std::string_view key, ondemand::value& field) {
    return ReadStatusField(key, field);
  });
}

bool ObjectReader::ReadStatusField(std::string_view key, ondemand::value& value) {
  for (const TextField& field : kStatusTexts) {
    if (key == field.key) {
      TakeText(value, run_.*field.member, field.problem);
      return true;
    }
  }
  if (key == "phase") {
    TakePhase(value);
  } else if (key == "exitCode") {
    TakeExitCode(value);
  } else if (key == "executor") {
    return ReadExecutor(value);
  } else if (key == "retry") {
    return ReadRetry(value);
  } else if (key == "conditions") {
    return ReadConditions(value);
  }
  return true;
}

bool ObjectReader::ReadExecutor(ondemand::value& value) {
  if (IsNull(value)) return true;
  if (!IsObject(value)) {
    Blame("status.executor: expected an object");
    return true;
  }
  return EachField(value, [this](std::string_view key, ondemand::value& field) {
    if (key == "podName") {
      TakeText(field, run_.executor_pod, "status.executor.podName: expected a string");
    } else if (key == "podUID") {
      TakeText(field, run_.executor_uid, "status.executor.podUID: expected a string");
    }
    return true;
  });
}

bool ObjectReader::ReadRetry(ondemand::value& value) {
  if (IsNull(value)) return true;
  if (!IsObject(value)) {
    Blame("status.retry: expected an object");
    return true;
  }
  return EachField(value, [this](std::string_view key, ondemand::value& field) {
    if (key == "state") {
      run_.retry_state =
          ParseEnum<RetryState>(kRetryStateNames, Text(field, scratch_).value_or(""));
      if (!run_.retry_state) Blame("status.retry.state: expected a state that this version knows");
    } else if (key == "notBeforeTime") {
      TakeText(field, run_.retry_not_before, "status.retry.notBeforeTime: expected a string");
    } else if (key == "successorName") {
      TakeText(field, run_.successor_name, "status.retry.successorName: expected a string");
    }
    return true;
  });
}

bool ObjectReader::ReadConditions(ondemand::value& value) {
  if (IsNull(value)) return true;
  if (!IsArray(value)) {
    Blame("status.conditions: expected a list");
    return true;
  }
  ondemand::array conditions;
  if (value.get_array().get(conditions) != simdjson::SUCCESS) return false;
  const auto read = [this](ondemand::value& element) { return ReadCondition(element); };
  if (!EachElement(conditions, read)) return false;
  const std::optional<std::string_view> raw = RawArray(conditions);
  if (raw) run_.conditions_json = *raw;
  return raw.has_value();
}

bool ObjectReader::ReadCondition(ondemand::value& value) {
  if (!IsObject(value)) {
    Blame("status.conditions[]: expected objects");
    return true;
  }
  std::string_view type;
  const bool sound = EachField(value, [&](std::string_view key, ondemand::value& field) {
    if (key == "type") TakeText(field, type, "status.conditions[].type: expected a string");
    return true;
  });
  if (type.empty()) Blame("status.conditions[].type: expected a non-empty string");
  if (type != kSucceededCondition && type != kStuckCondition) run_.has_foreign_conditions = true;
  return sound;
}

void ObjectReader::TakeText(ondemand::value& value, std::string_view& into,
                            std::string_view problem) {
  const std::optional<std::string_view> text = Text(value, scratch_);
  if (!text) Blame(problem);
  into = text.value_or(std::string_view());
}

void ObjectReader::TakeUid(ondemand::value& value) {
  constexpr std::string_view kProblem = "metadata.uid: expected a UUID";
  std::string_view text;
  TakeText(value, text, kProblem);
  run_.uid = ParseUid(text).value_or(Uid{});
  if (run_.uid.IsNone()) Blame(kProblem);
}

void ObjectReader::TakeResourceVersion(ondemand::value& value) {
  constexpr std::string_view kProblem =
      "metadata.resourceVersion: expected a positive decimal number of 64 bits, as a string";
  std::string_view text;
  TakeText(value, text, kProblem);
  // The API server takes a write with version 0 for one without a precondition.
  run_.resource_version = ParseWhole(text).value_or(0);
  if (run_.resource_version == 0) Blame(kProblem);
}

void ObjectReader::TakeGeneration(ondemand::value& value) {
  const std::optional<std::uint64_t> number = ParseWhole(Token(value));
  if (!number) Blame("metadata.generation: expected a whole number");
  run_.generation = number.value_or(0);
}

void ObjectReader::TakeCreated(ondemand::value& value) {
  constexpr std::string_view kProblem = "metadata.creationTimestamp: expected an RFC 3339 time";
  std::string_view text;
  TakeText(value, text, kProblem);
  const std::optional<ServerTime> time = ParseRfc3339(text);
  if (!time) Blame(kProblem);
  has_created_ = time.has_value();
  run_.created = time.value_or(ServerTime{});
}

void ObjectReader::TakeCancelled(ondemand::value& value) {
  const std::string_view token = Token(value);
  run_.cancelled = token == "true";
  if (token != "true" && token != "false" && token != "null") {
    Blame("spec.cancelled: expected true or false");
  }
}

void ObjectReader::TakeAttempt(ondemand::value& value) {
  run_.attempt = 1;
  if (IsNull(value)) return;
  const std::optional<std::int32_t> number = ParseInt32(Token(value));
  if (!number || *number < 1) Blame("spec.attempt: expected a whole number from 1 to 2147483647");
  run_.attempt = static_cast<std::uint32_t>(number.value_or(1));
}

void ObjectReader::TakeExitCode(ondemand::value& value) {
  run_.exit_code.reset();
  if (IsNull(value)) return;
  run_.exit_code = ParseInt32(Token(value));
  if (!run_.exit_code) Blame("status.exitCode: expected a whole number of 32 bits");
}

void ObjectReader::TakePhase(ondemand::value& value) {
  constexpr std::string_view kProblem =
      "status.phase: expected Pending, Running, Succeeded, Failed or Stuck";
  run_.phase = Phase::kPending;
  if (IsNull(value)) return;
  std::string_view text;
  TakeText(value, text, kProblem);
  const std::optional<Phase> phase = ParsePhase(text);
  if (!phase) Blame(kProblem);
  run_.phase = phase.value_or(Phase::kPending);
}

void ObjectReader::Blame(std::string_view problem) {
  if (problem_.empty()) problem_ = problem;
}

std::string_view ObjectReader::FirstProblem() const {
  if (!problem_.empty()) return problem_;
  if (!witness_.problem.empty()) return witness_.problem;
  if (run_.name.empty()) return "metadata.name: expected a name, found none";
  if (run_.name_space.empty()) return "metadata.namespace: expected a name, found none";
  if (run_.uid.IsNone()) return "metadata.uid: expected a UUID, found none";
  if (run_.resource_version == 0) return "metadata.resourceVersion: expected a number, found none";
  if (!has_created_) return "metadata.creationTimestamp: expected a time, found none";
  return {};
}

Event ObjectReader::RunEvent(EventType type) const {
  const std::string_view problem = FirstProblem();
  if (!problem.empty()) return InvalidEvent(problem);
  Event event;
  event.type = type;
  event.run = run_;
  event.pod = witness_.pod;
  event.renew_time = witness_.renew_time;
  return event;
}

Event ObjectReader::BookmarkEvent() const {
  if (run_.resource_version == 0) {
    return InvalidEvent("metadata.resourceVersion of a bookmark: expected a positive number");
  }
  Event event;
  event.type = EventType::kBookmark;
  event.initial_events_end = initial_events_end_;
  event.resource_version = run_.resource_version;
  return event;
}

Event ObjectReader::ErrorEvent() const {
  Event event;
  event.type = EventType::kError;
  event.status_code = code_;
  event.message = message_;
  return event;
}

Event ObjectReader::InvalidEvent(std::string_view problem) const {
  Event event;
  event.run = run_;
  event.message = problem;
  return event;
}

}  // namespace jobrun::json
