// A small API server with whole JobRuns, for the engine's soak: versions, a log that is compacted,
// lists in pages, status patches guarded by the version. It keeps every state that a run was ever
// in. What goes wrong on the way to it is the soak's business.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/engine/soak_model.h"
#include "tests/watch/watch_text.h"

namespace jobrun {

// The value of the first string field of that name in a JSON text; empty without one.
inline std::string TextField(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":\"";
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + key.size();
  return std::string(json.substr(begin, json.find('"', begin) - begin));
}

inline std::string SpecText(const Thresholds& spec) {
  std::string top;
  std::string heartbeat;
  const auto add = [](std::string& out, std::string_view name, const std::string& value) {
    out += ",\"" + std::string(name) + "\":" + value;
  };
  for (const SecondsField& field : kSecondsFields) {
    if (!(spec.*field.member)) continue;
    const bool nested = field.path.starts_with("heartbeat.");
    add(nested ? heartbeat : top, nested ? field.path.substr(10) : field.path,
        std::to_string((spec.*field.member)->count()));
  }
  const auto quoted = [](std::string_view text) { return "\"" + std::string(text) + "\""; };
  if (spec.reaping) add(top, "reaping", quoted(kReapingNames.at(std::size_t(*spec.reaping))));
  if (spec.heartbeat_mode)
    add(heartbeat, "mode", quoted(kHeartbeatModeNames.at(std::size_t(*spec.heartbeat_mode))));
  if (!heartbeat.empty()) add(top, "heartbeat", "{" + heartbeat.substr(1) + "}");
  return top;
}

class SoakApi {
 public:
  struct Change {
    std::string_view type;
    SoakRun run;
  };
  struct Answer {
    int status{200};
    std::string body{};
  };
  using Runs = std::map<std::string, SoakRun>;

  static ServerTime TimeAt(Mono mono) {
    return kServerStart +
           std::chrono::duration_cast<std::chrono::microseconds>(mono.time_since_epoch());
  }

  [[nodiscard]] const Runs& All() const { return runs_; }
  // By version, from the first on.
  [[nodiscard]] const std::map<std::uint64_t, Change>& Log() const { return log_; }
  [[nodiscard]] std::uint64_t Version() const { return version_; }
  [[nodiscard]] std::string LineAt(std::uint64_t version) const {
    const Change& change = log_.at(version);
    return change.run.object.Line(change.type);
  }
  // False: this version can't be watched from.
  [[nodiscard]] bool Remembers(std::uint64_t version) const { return version >= compacted_; }
  void Compact() {
    compacted_ = version_;
    pages_.clear();
  }

  // ---- what is written by others than the engine ----

  void Create(const std::string& name, SoakRun run, Mono now) {
    run.object.name = name;
    run.object.uid = Uid{1, ++uids_};
    run.object.spec = SpecText(run.spec);
    run.object.created = FormatTime(TimeAt(now));
    run.created = now;
    Put("ADDED", runs_.insert_or_assign(name, std::move(run)).first->second);
  }
  // With the claim's own heartbeat, or without one.
  void Claim(const std::string& name, bool beats, Mono now) {
    SoakRun& run = runs_.at(name);
    run.object.Claimed(FormatMicroTime(TimeAt(now)));
    if (beats) run.object.heartbeat = run.object.claimed_at;
    run.claimed = run.heartbeat = now;
    run.worker_lives = true;
    Put("MODIFIED", run);
  }
  void Beat(const std::string& name, Mono now) {
    SoakRun& run = runs_.at(name);
    const auto skew = std::chrono::duration_cast<std::chrono::microseconds>(run.worker_skew);
    run.object.heartbeat = FormatMicroTime(TimeAt(now) + skew);
    run.heartbeat = now;
    const Nanos apart = std::chrono::abs(now + run.worker_skew - run.claimed);
    run.has_beaten = run.has_beaten || apart >= std::chrono::seconds(1);
    Put("MODIFIED", run);
  }
  void End(const std::string& name, std::string_view phase, const std::string& verdict = {}) {
    SoakRun& run = runs_.at(name);
    run.object.Phase(phase).verdict_id = verdict;
    if (!verdict.empty()) run.object.reason = "HeartbeatTimeout";
    Put("MODIFIED", run);
  }
  void Edit(const std::string& name, const Thresholds& spec) {
    SoakRun& run = runs_.at(name);
    run.spec = spec;
    run.object.spec = SpecText(spec);
    ++run.object.generation;
    Put("MODIFIED", run);
  }
  // Something that says nothing of the worker; `condition`: for good.
  void Touch(const std::string& name, bool condition) {
    SoakRun& run = runs_.at(name);
    if (condition && !run.object.phase.empty() && run.object.conditions.empty())
      run.object.conditions = R"({"type":"Uploaded","status":"True"})";
    Put("MODIFIED", run);
  }
  // Marked first where a finalizer holds it.
  void Delete(const std::string& name, bool finalizer) {
    SoakRun& run = runs_.at(name);
    if (finalizer && !std::exchange(run.object.deleting, true)) return Put("MODIFIED", run);
    Put("DELETED", run);
    runs_.erase(name);
  }
  void FallSilent(const std::string& name) { runs_.at(name).worker_lives = false; }

  // ---- what the engine asks for ----

  [[nodiscard]] Answer Handle(const Request& request) {
    if (request.method == Method::kPatch) return Patch(request);
    if (request.target.find("/jobruns/") == std::string::npos) return Page(request.target);
    const auto found = runs_.find(NameIn(request.target));
    if (found == runs_.end()) return {404, StatusText(404, "not found")};
    return {200, found->second.object.Json()};
  }

  static std::string NameIn(const std::string& target) {
    const std::size_t begin = target.find("/jobruns/") + 9;
    return target.substr(begin, target.find('/', begin) - begin);
  }

 private:
  void Put(std::string_view type, SoakRun& run) {
    run.object.version = ++version_;
    log_.emplace_hint(log_.end(), version_, Change{type, run});
  }

  Answer Patch(const Request& request) {
    const auto found = runs_.find(NameIn(request.target));
    if (found == runs_.end()) return {404, StatusText(404, "not found")};
    SoakRun& run = found->second;
    const std::string version = TextField(request.body, "resourceVersion");
    if (!version.empty() && version != std::to_string(run.object.version))
      return {409, StatusText(409, "the object has been modified")};
    if (const std::string start = TextField(request.body, "startTime"); !start.empty()) {
      run.object.start_time = start;
    } else {
      TakeVerdict(run, request.body);
    }
    Put("MODIFIED", run);
    return {200, run.object.Json()};
  }

  static void TakeVerdict(SoakRun& run, const std::string& body) {
    EXPECT_TRUE(run.IsActive()) << run.object.name << " has ended as " << run.object.phase;
    EXPECT_FALSE(run.object.deleting);
    run.object.phase = TextField(body, "phase");
    run.object.reason = TextField(body, "reason");
    run.object.verdict_id = TextField(body, "verdictID");
    const bool had_condition = !run.object.conditions.empty();
    const std::size_t begin = body.find("\"conditions\":[") + 14;
    run.object.conditions = body.substr(begin, body.rfind(']') - begin);
    EXPECT_EQ(run.object.conditions.find("Uploaded") != std::string::npos, had_condition);
  }

  struct Pages {
    std::uint64_t version;
    std::vector<std::string> left;
  };

  Answer Page(const std::string& target) {
    const std::string token = Parameter(target, "continue");
    Pages pages{version_, {}};
    if (token.empty()) {
      for (const auto& [name, run] : runs_) pages.left.push_back(run.object.Json());
    } else {
      const auto found = pages_.find(token);
      if (found == pages_.end()) return {410, StatusText(410, "expired")};
      pages = found->second;
    }
    const std::size_t count = std::min<std::size_t>(pages.left.size(), 4);
    std::string items;
    for (std::size_t i = 0; i < count; ++i) items += (i == 0 ? "" : ",") + pages.left[i];
    pages.left.erase(pages.left.begin(), pages.left.begin() + static_cast<std::ptrdiff_t>(count));
    const std::string next = pages.left.empty() ? "" : "t" + std::to_string(++tokens_);
    const std::string head = R"({"kind":"JobRunList","metadata":{"resourceVersion":")" +
                             std::to_string(pages.version) + R"(","continue":")" + next;
    if (!next.empty()) pages_.emplace(next, std::move(pages));
    return {200, head + R"("},"items":[)" + items + "]}"};
  }

  Runs runs_;
  std::map<std::uint64_t, Change> log_;
  std::map<std::string, Pages> pages_;  // by continue token
  std::uint64_t version_{100};
  std::uint64_t compacted_{0};
  std::uint64_t uids_{0};
  std::uint64_t tokens_{0};
};

}  // namespace jobrun
