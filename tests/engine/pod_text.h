// Pods as the API server would send them: PodText("p").Ended("Failed", "OOMKilled", 137).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/model/uid.h"

namespace jobrun {

struct PodText {
  explicit PodText(std::string pod_name, std::uint64_t number = 7)
      : name(std::move(pod_name)), uid{2, number} {}

  std::string name;
  Uid uid;
  std::string phase = "Running";
  std::string reason;
  std::string disruption;  // reason of a condition DisruptionTarget
  std::string deletion;    // metadata.deletionTimestamp
  std::string state = R"("running":{"startedAt":"2026-11-22T12:00:00Z"})";

  // Its container has terminated.
  PodText& Ended(std::string_view with_phase, std::string_view why, int code) {
    phase = with_phase;
    state = R"("terminated":{"exitCode":)" + std::to_string(code) + R"(,"reason":")" +
            std::string(why) + R"("})";
    return *this;
  }
  PodText& Reason(std::string of_status) {
    reason = std::move(of_status);
    return *this;
  }
  PodText& Disrupted(std::string why) {
    disruption = std::move(why);
    return *this;
  }
  PodText& Deleting(std::string until) {
    deletion = std::move(until);
    return *this;
  }

  [[nodiscard]] std::string Json() const {
    std::string out = R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name +
                      R"(","namespace":"ns","uid":")" + FormatUid(uid) +
                      R"(","resourceVersion":"50","creationTimestamp":"2026-11-22T11:59:59Z")";
    if (!deletion.empty()) out += R"(,"deletionTimestamp":")" + deletion + "\"";
    out += R"(},"spec":{"nodeName":"n","containers":[{"name":"main"}]},"status":{"phase":")" +
           phase + "\"";
    if (!reason.empty()) out += R"(,"reason":")" + reason + "\"";
    out += R"(,"conditions":[{"type":"Ready","status":"True"})";
    if (!disruption.empty()) {
      out += R"(,{"type":"DisruptionTarget","status":"True","reason":")" + disruption + "\"}";
    }
    return out + R"(],"containerStatuses":[{"name":"main","restartCount":0,"state":{)" + state +
           "}}]}}";
  }
  [[nodiscard]] std::string Line(std::string_view type) const {
    return R"({"type":")" + std::string(type) + R"(","object":)" + Json() + "}";
  }
};

}  // namespace jobrun
