// A small API server with whole JobRuns, for the engine's soak: versions, a log that is compacted,
// and what workers and operators write. It keeps every state that a run was ever in. What the
// engine asks it for is in soak_server.h, what goes wrong on the way in soak_network.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tests/engine/soak_model.h"

namespace jobrun {

class SoakApi {
 public:
  struct Change {
    std::string_view type;
    SoakRun run;
  };
  // While a run was active under its key.
  struct Activity {
    SoakRun run;  // as it was born
    Mono until{Mono::max()};
  };
  using Runs = std::map<std::string, SoakRun>;

  explicit SoakApi(std::function<Mono()> clock) : clock_(std::move(clock)) {}

  static ServerTime TimeAt(Mono mono) {
    return kServerStart +
           std::chrono::duration_cast<std::chrono::microseconds>(mono.time_since_epoch());
  }
  [[nodiscard]] Mono Now() const { return clock_(); }
  [[nodiscard]] ServerTime ServerNow() const { return TimeAt(Now()); }

  [[nodiscard]] const Runs& All() const { return runs_; }
  // By version, from the first on.
  [[nodiscard]] const std::map<std::uint64_t, Change>& Log() const { return log_; }
  // Every run there ever was.
  [[nodiscard]] const std::map<std::uint64_t, Activity>& Born() const { return born_; }
  [[nodiscard]] std::uint64_t Version() const { return version_; }
  [[nodiscard]] std::string LineAt(std::uint64_t version) const {
    const Change& change = log_.at(version);
    return change.run.object.Line(change.type);
  }
  // False: this version can't be watched from.
  [[nodiscard]] bool Remembers(std::uint64_t version) const { return version >= compacted_; }
  [[nodiscard]] std::uint64_t Compacted() const { return compacted_; }
  void Compact() { compacted_ = version_; }

  [[nodiscard]] SoakRun* Find(const std::string& name) {
    const auto found = runs_.find(name);
    return found == runs_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const SoakRun* FindUid(Uid uid) const {
    const auto found =
        std::ranges::find_if(runs_, [&](const auto& run) { return run.second.object.uid == uid; });
    return found == runs_.end() ? nullptr : &found->second;
  }

  // A new version of a run, as its fields now say.
  void Put(std::string_view type, SoakRun& run) {
    run.object.spec = SpecText(run);
    run.object.retry = RetryText(run.retry);
    run.object.conditions = ConditionsText(run);
    run.object.version = ++version_;
    log_.emplace_hint(log_.end(), version_, Change{type, run});
    Activity& activity = born_.try_emplace(run.object.uid.low, Activity{run}).first->second;
    const bool ends = !run.IsActive() || run.object.deleting || type == "DELETED";
    if (ends) activity.until = std::min(activity.until, Now());
  }

  // ---- what is written by others than the engine, but for successors ----

  void Create(const std::string& name, SoakRun run) {
    run.object.name = name;
    run.object.uid = Uid{1, ++uids_};
    run.object.created = FormatTime(ServerNow());
    run.created = Now();
    Put("ADDED", runs_.insert_or_assign(name, std::move(run)).first->second);
  }
  // With the claim's own heartbeat, or without one.
  void Claim(const std::string& name, bool beats) {
    SoakRun& run = runs_.at(name);
    run.object.Claimed(FormatMicroTime(ServerNow()));
    if (beats) run.object.heartbeat = run.object.claimed_at;
    run.claimed = run.heartbeat = run.progressed = Now();
    run.worker_lives = true;
    Put("MODIFIED", run);
  }
  void Beat(const std::string& name, bool with_progress) {
    SoakRun& run = runs_.at(name);
    const Mono now = Now();
    run.object.heartbeat = WorkersTime(run);
    run.heartbeat = now;
    const Nanos apart = std::chrono::abs(now + run.worker_skew - run.claimed);
    run.has_beaten = run.has_beaten || apart >= std::chrono::seconds(1);
    if (with_progress) Advance(run);
    Put("MODIFIED", run);
  }
  void Progress(const std::string& name) {
    SoakRun& run = runs_.at(name);
    Advance(run);
    Put("MODIFIED", run);
  }
  void Exit(const std::string& name, int code) {
    SoakRun& run = runs_.at(name);
    if (run.object.exit_code) return;
    run.object.exit_code = code;
    run.exited = Now();
    Put("MODIFIED", run);
  }
  // The worker's own report, or another controller's verdict with what it made of the retry.
  struct Ending {
    std::string_view phase;
    std::string reason{};
    std::string verdict{};
    bool tells_when{true};
    SoakRetry retry{};
  };
  void End(const std::string& name, const Ending& ending) {
    SoakRun& run = runs_.at(name);
    run.object.phase = ending.phase;
    run.object.reason = ending.reason;
    run.object.verdict_id = ending.verdict;
    if (ending.tells_when) run.object.completion_time = WorkersTime(run);
    run.retry = ending.retry;
    run.ended = Now();
    Put("MODIFIED", run);
  }
  void Edit(const std::string& name, const Thresholds& spec) {
    SoakRun& run = runs_.at(name);
    run.spec = spec;
    ++run.object.generation;
    Put("MODIFIED", run);
  }
  void Cancel(const std::string& name) {
    SoakRun& run = runs_.at(name);
    if (run.cancelled) return;
    run.cancelled = Now();
    ++run.object.generation;
    Put("MODIFIED", run);
  }
  // Something that says nothing of the worker.
  void Touch(const std::string& name) { Put("MODIFIED", runs_.at(name)); }
  void SetCondition(const std::string& name, const std::string& type, bool is_true) {
    SoakRun& run = runs_.at(name);
    if (run.object.phase.empty()) return;
    run.conditions[type] =
        R"({"type":")" + type + R"(","status":")" + (is_true ? "True" : "False") + "\"}";
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

 private:
  [[nodiscard]] std::string WorkersTime(const SoakRun& run) const {
    const auto skew = std::chrono::duration_cast<std::chrono::microseconds>(run.worker_skew);
    return FormatMicroTime(ServerNow() + skew);
  }
  void Advance(SoakRun& run) {
    run.object.progress = "step " + std::to_string(version_);
    run.progressed = Now();
  }

  std::function<Mono()> clock_;
  Runs runs_;
  std::map<std::uint64_t, Change> log_;
  std::map<std::uint64_t, Activity> born_;  // by the lower half of the uid
  std::uint64_t version_{100};
  std::uint64_t compacted_{0};
  std::uint64_t uids_{0};
};

}  // namespace jobrun
