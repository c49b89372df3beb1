// JobRuns as the API server would send them, for engine tests: RunText("a").Claimed().Beat(1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/rfc3339.h"
#include "controller/model/phase.h"
#include "controller/model/uid.h"

namespace jobrun {

// The API server's clock at virtual time zero.
inline const ServerTime kServerStart = *ParseRfc3339("2026-11-22T12:00:00Z");

struct RunText {
  explicit RunText(std::string run_name, std::uint64_t number = 0)
      : name(std::move(run_name)), uid{1, number == 0 ? std::hash<std::string>{}(name) : number} {}

  std::string name;
  Uid uid;
  std::string name_space = "ns";
  std::uint64_t version = 1;
  std::uint64_t generation = 1;
  std::string created = "2026-11-22T11:59:59Z";
  std::string lane = "default";
  std::string spec;   // further fields of the spec: ,"deadlineSeconds":60
  std::string phase;  // empty: no status
  std::string claimed_at;
  std::string claimed_by;
  std::string heartbeat;
  std::string start_time;
  std::string progress;
  std::string executor;  // status.executor's content
  std::optional<int> exit_code;
  std::string reason;
  std::string verdict_id;
  std::string completion_time;
  std::string late_heartbeat;
  std::string retry;        // status.retry's content
  std::string conditions;   // the list's content
  std::string stamp;        // when the API server noted the heartbeat
  std::string claim_stamp;  // when it noted the claim
  std::string late_stamp;   // when it noted the sign of life after the end
  bool deleting = false;

  RunText& Spec(std::string fields) {
    spec = "," + std::move(fields);
    return *this;
  }
  RunText& Lane(std::string of) {
    lane = std::move(of);
    return *this;
  }
  RunText& Claimed(std::string at = "2026-11-22T12:00:00Z") {
    phase = "Running";
    claimed_at = std::move(at);
    return *this;
  }
  RunText& ClaimedBy(std::string worker) {
    claimed_by = std::move(worker);
    return Claimed();
  }
  RunText& Beat(int number) {
    heartbeat = FormatMicroTime(kServerStart + std::chrono::seconds(1000 + number));
    return *this;
  }
  RunText& BeatStamped(int number, ServerTime at) {
    stamp = FormatTime(at);
    return Beat(number);
  }
  RunText& Version(std::uint64_t to) {
    version = to;
    return *this;
  }
  RunText& Exited(int code) {
    exit_code = code;
    return *this;
  }
  RunText& Progress(std::string mark) {
    progress = std::move(mark);
    return *this;
  }
  RunText& Conditions(std::string content) {
    conditions = std::move(content);
    return *this;
  }
  RunText& Executor(const std::string& pod, Uid of) {
    executor = R"("podName":")" + pod + R"(","podUID":")" + FormatUid(of) + R"(","nodeName":"n")";
    return *this;
  }
  RunText& Retry(std::string content) {
    retry = std::move(content);
    return *this;
  }
  // A later version of the object, with a spec of its own.
  RunText& Edited(std::string fields) {
    ++generation;
    return Spec(std::move(fields)).Version(version + 1);
  }
  // Of what ended nothing is left to do, unless Retry says otherwise.
  RunText& Phase(std::string_view to) {
    phase = to;
    if (to == "Failed" || to == "Stuck") retry = R"("state":"NotDue")";
    return *this;
  }

  [[nodiscard]] std::string Json() const {
    std::string out = R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":")" +
                      name + R"(","namespace":")" + name_space + R"(","uid":")" + FormatUid(uid) +
                      R"(","resourceVersion":")" + std::to_string(version) + R"(","generation":)" +
                      std::to_string(generation) + R"(,"creationTimestamp":")" + created + "\"";
    if (deleting) out += R"(,"deletionTimestamp":"2026-11-22T12:00:00Z")";
    if (!stamp.empty()) out += Noted("f:lastHeartbeatAt", stamp);
    if (!late_stamp.empty()) out += Noted("f:lateHeartbeatTime", late_stamp);
    if (!claim_stamp.empty()) out += Noted("f:claimedAt", claim_stamp);
    out += R"(},"spec":{"lane":")" + lane + "\"" + spec + "}";
    if (phase.empty()) return out + "}";
    out += R"(,"status":{"phase":")" + phase + "\"";
    Field(out, "claimedAt", claimed_at);
    Field(out, "claimedBy", claimed_by);
    Field(out, "lastHeartbeatAt", heartbeat);
    Field(out, "startTime", start_time);
    Field(out, "progress", progress);
    if (!executor.empty()) out += ",\"executor\":{" + executor + "}";
    if (exit_code) out += ",\"exitCode\":" + std::to_string(*exit_code);
    Field(out, "reason", reason);
    Field(out, "verdictID", verdict_id);
    Field(out, "completionTime", completion_time);
    Field(out, "lateHeartbeatTime", late_heartbeat);
    if (!retry.empty()) out += ",\"retry\":{" + retry + "}";
    if (!conditions.empty()) out += R"(,"conditions":[)" + conditions + "]";
    return out + "}}";
  }

  [[nodiscard]] std::string Line(std::string_view type) const {
    return R"({"type":")" + std::string(type) + R"(","object":)" + Json() + "}";
  }

 private:
  static std::string Noted(const std::string& field, const std::string& at) {
    return R"(,"managedFields":[{"manager":"worker","operation":"Update","apiVersion":)"
           R"("jobrun.dev/v1","time":")" +
           at + R"(","fieldsType":"FieldsV1","fieldsV1":{"f:status":{")" + field +
           R"(":{}}},"subresource":"status"}])";
  }
  static void Field(std::string& out, std::string_view field, const std::string& value) {
    if (!value.empty()) out += ",\"" + std::string(field) + "\":\"" + value + "\"";
  }
};

}  // namespace jobrun
