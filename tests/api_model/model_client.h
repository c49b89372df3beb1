// A client of an ApiModel for tests: short calls, decoded answers, a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "controller/base/rfc3339.h"
#include "tests/api_model/api_model.h"

namespace jobrun::api_model {

struct Answer {
  int code = 0;
  Json body{};
  Reply reply{};

  [[nodiscard]] std::string message() const { return std::string(StringMember(body, "message")); }
  [[nodiscard]] std::string reason() const { return std::string(StringMember(body, "reason")); }
  [[nodiscard]] std::string version() const {
    const Json* version = MemberAt(body, {"metadata", "resourceVersion"});
    return version == nullptr ? "" : version->get<std::string>();
  }
  [[nodiscard]] std::string uid() const { return body.at("metadata").at("uid").get<std::string>(); }
};

// One watch event.
struct Seen {
  std::string type{};
  Json object{};

  [[nodiscard]] std::string name() const {
    return std::string(StringMember(object.at("metadata"), "name"));
  }
  [[nodiscard]] std::string version() const {
    return std::string(StringMember(object.at("metadata"), "resourceVersion"));
  }
};

class ModelClient {
 public:
  static constexpr const char* kRuns = "/apis/jobrun.dev/v1/namespaces/default/jobruns";
  static constexpr const char* kLeases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  static constexpr const char* kMerge = "application/merge-patch+json";

  explicit ModelClient(ApiModelOptions options = {}) {
    auto made = ApiModel::Create(std::move(options), now);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().ToString());
    model = std::move(made).value();
  }

  Answer Send(Request request) {
    if (request.user_agent.empty()) request.user_agent = agent;
    Answer answer;
    answer.reply = model->Handle(request, now);
    answer.code = answer.reply.status;
    answer.body = Json::parse(answer.reply.body, nullptr, false);
    return answer;
  }
  Answer Get(const std::string& target, const std::string& accept = "") {
    return Send({.method = "GET", .target = target, .accept = accept});
  }
  Answer Post(const std::string& target, const Json& body) {
    return Send({.method = "POST",
                 .target = target,
                 .content_type = "application/json",
                 .body = body.dump()});
  }
  Answer Put(const std::string& target, const Json& body) {
    return Send({.method = "PUT",
                 .target = target,
                 .content_type = "application/json",
                 .body = body.dump()});
  }
  Answer Patch(const std::string& target, const Json& body, const std::string& kind = kMerge) {
    return Send({.method = "PATCH", .target = target, .content_type = kind, .body = body.dump()});
  }
  Answer Delete(const std::string& target, const Json& options = nullptr) {
    return Send(
        {.method = "DELETE", .target = target, .body = options.is_null() ? "" : options.dump()});
  }

  static std::string Run(const std::string& name) { return std::string(kRuns) + "/" + name; }
  static std::string Status(const std::string& name) { return Run(name) + "/status"; }
  static Json Manifest(const std::string& name, Json spec = Json::object()) {
    return {{"apiVersion", "jobrun.dev/v1"},
            {"kind", "JobRun"},
            {"metadata", {{"name", name}}},
            {"spec", std::move(spec)}};
  }
  static Json Claim() {
    return {{"phase", "Running"}, {"claimedAt", "2026-01-01T00:00:00Z"}, {"claimedBy", "w1"}};
  }
  Answer Create(const std::string& name, Json spec = Json::object()) {
    return Post(kRuns, Manifest(name, std::move(spec)));
  }
  Answer PatchStatus(const std::string& name, const Json& status) {
    return Patch(Status(name), {{"status", status}});
  }
  Answer Beat(const std::string& name, const std::string& time) {
    return PatchStatus(name, {{"lastHeartbeatAt", time}});
  }
  std::string Version() { return Get(kRuns).version(); }

  // Opens a watch; the answer's code is 200 and `watch` set when it was accepted.
  Answer Watch(const std::string& query, const std::string& path = kRuns,
               const std::string& accept = "") {
    return Get(path + "?watch=true&" + query, accept);
  }
  // What a watch has to say now.
  std::vector<Seen> Drain(const Answer& watch, bool* closed = nullptr) {
    std::vector<Seen> events;
    Drained drained;
    do {
      drained = model->Drain(*watch.reply.watch, now);
      for (const std::string& line : Split(drained.bytes, '\n')) {
        if (line.empty()) continue;
        const Json event = Json::parse(line);
        events.push_back({event.at("type"), event.at("object")});
      }
    } while (drained.more);
    if (closed != nullptr) *closed = drained.closed;
    return events;
  }

  ServerTime now = *ParseRfc3339("2026-11-22T00:00:00Z");
  std::string agent{"tester/1.0"};
  std::unique_ptr<ApiModel> model{};
};

}  // namespace jobrun::api_model
