// The part of an API server that one run's worker meets: reads, guarded patches of the status, held
// to those rules of crds/jobruns.yaml that a worker can break. Small, because a soak plays years of
// heartbeats; tests/api_model/run_server_test.cc holds it to the model of the whole server.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace jobrun {

class RunServer {
 public:
  using Object = nlohmann::json;
  struct Answer {
    int status{0};
    std::string body{};
  };

  static constexpr std::string_view kTarget = "/apis/jobrun.dev/v1/namespaces/ns/jobruns/a";

  // What there is; null when it was deleted.
  [[nodiscard]] const Object& Run() const { return run_; }
  [[nodiscard]] std::string Status(const std::string& field) const {
    if (run_.is_null() || !run_.contains("status")) return "";
    const auto found = run_["status"].find(field);
    if (found == run_["status"].end()) return "";
    return found->is_string() ? found->get<std::string>() : found->dump();
  }
  [[nodiscard]] std::string Phase() const { return Status("phase"); }
  [[nodiscard]] std::string UidText() const { return run_["metadata"]["uid"]; }
  [[nodiscard]] std::uint64_t Version() const { return version_; }

  // ---- what a client asks for ----

  Answer Get(std::string_view target) const {
    if (run_.is_null() || target != kTarget) return NotFound();
    return {200, run_.dump()};
  }

  Answer Patch(std::string_view target, std::string_view content_type, const std::string& body) {
    if (run_.is_null() || target != std::string(kTarget) + "/status") return NotFound();
    const Object patch = Object::parse(body);
    Object next = run_;
    if (content_type == "application/merge-patch+json") {
      const Object metadata = patch.value("metadata", Object::object());
      const std::string version = metadata.value("resourceVersion", std::to_string(version_));
      if (version != std::to_string(version_)) {
        return Refusal(409, "Conflict",
                       "Operation cannot be fulfilled on jobruns.jobrun.dev \"a\": the object has "
                       "been modified; please apply your changes to the latest version");
      }
      next.merge_patch({{"status", patch.value("status", Object::object())}});
    } else if (content_type == "application/json-patch+json") {
      try {
        next = next.patch(patch);
      } catch (const Object::exception&) {
        return Refusal(422, "Invalid", "the server rejected our request due to an error in it");
      }
    } else {
      return Refusal(415, "UnsupportedMediaType",
                     "the body of the request was in an unknown format");
    }
    if (run_.value("status", Object()) == next.value("status", Object())) return {200, run_.dump()};
    const Object before = run_.value("status", Object::object());
    const Object after = next.value("status", Object::object());
    if (const std::string broken = BrokenRule(before, after); !broken.empty()) {
      return Refusal(422, "Invalid", "JobRun.jobrun.dev \"a\" is invalid: status: " + broken);
    }
    run_["status"] = after;
    Bump();
    return {200, run_.dump()};
  }

  // ---- what others do ----

  void Create(Object spec = Object::object()) {
    char uid[40];
    std::snprintf(uid, sizeof uid, "00000000-0000-4000-8000-%012llx",
                  static_cast<unsigned long long>(++uids_));
    spec.emplace("lane", "default");
    run_ = {{"apiVersion", "jobrun.dev/v1"},
            {"kind", "JobRun"},
            {"metadata",
             {{"name", "a"},
              {"namespace", "ns"},
              {"uid", uid},
              {"generation", 1},
              {"creationTimestamp", "2026-11-22T11:59:59Z"}}},
            {"spec", std::move(spec)}};
    Bump();
  }
  void Delete() { run_ = nullptr; }
  // Held by a finalizer.
  void MarkDeleted() {
    run_["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z";
    Bump();
  }
  void Edit(const Object& spec) {
    run_["spec"].merge_patch(spec);
    Bump();
  }
  // Whoever may write anything.
  void Write(const Object& status) {
    run_["status"].merge_patch(status);
    Bump();
  }

 private:
  static Answer Refusal(int code, std::string_view reason, std::string_view message) {
    const Object status = {{"kind", "Status"},
                           {"apiVersion", "v1"},
                           {"status", "Failure"},
                           {"reason", reason},
                           {"message", message},
                           {"code", code},
                           {"details", {{"name", "a"}, {"kind", "jobruns"}}}};
    return {code, status.dump()};
  }
  static Answer NotFound() {
    return Refusal(404, "NotFound", "jobruns.jobrun.dev \"a\" not found");
  }

  // The message of a rule that going from one status to the other breaks; empty when none is.
  static std::string BrokenRule(const Object& before, const Object& after) {
    const std::string was = before.value("phase", "Pending");
    const std::string is = after.value("phase", "Pending");
    const auto ended = [](const std::string& phase) {
      return phase != "Pending" && phase != "Running";
    };
    const auto changed = [&](const char* field) {
      return before.value(field, Object()) != after.value(field, Object());
    };
    for (const char* once : {"claimedAt", "claimedBy", "exitCode", "exitTime"}) {
      if (before.contains(once) && changed(once)) return std::string(once) + " is set once";
    }
    if (is != was && (ended(was) || (was == "Running" && is == "Pending")))
      return "phases only move forward and a terminal phase is final";
    for (const char* claim : {"claimedAt", "claimedBy"}) {
      if (is == "Running" && !after.contains(claim))
        return "a Running run has claimedAt and claimedBy";
    }
    for (const char* beat : {"claimedAt", "claimedBy", "lastHeartbeatAt"}) {
      if (is == "Pending" && after.contains(beat))
        return "a claim or a heartbeat needs phase Running";
    }
    constexpr std::array kFinal = {"lastHeartbeatAt", "startTime", "executor", "progress",
                                   "completionTime",  "reason",    "message",  "claimedAt",
                                   "claimedBy",       "exitCode",  "exitTime"};
    for (const char* field : kFinal) {
      if (ended(was) && changed(field)) return "the run is finished and its status is final";
    }
    return "";
  }

  void Bump() { run_["metadata"]["resourceVersion"] = std::to_string(++version_); }

  Object run_{};
  std::uint64_t version_{100};
  std::uint64_t uids_{0};
};

}  // namespace jobrun
