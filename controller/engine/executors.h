// Executor liveness, row 5 of the verdict table: watches the pods that runs name in status.executor
// and confirms by live reads that one is lost. It judges nobody; what it finds out stands in
// Core::executors.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/engine/core.h"
#include "controller/engine/witness_watch.h"

namespace jobrun {

class Executors final : private WitnessSink {
 public:
  // `scopes`: where runs are watched; their executors are in the same namespaces.
  Executors(Core& core, EventDecoder& decoder, std::vector<WatchScope> scopes, std::uint64_t seed);

  // Begins to watch, if the settings say so.
  void Start();
  // True when pods are watched from now on that were not before: what runs say of their executors
  // has not been kept and must be told again.
  [[nodiscard]] bool OnSettings();
  void Stop();

  // Takes in what a run that is not terminal says of its executor. True: judge it.
  [[nodiscard]] bool OnSeen(Slot slot, const ObservedRun& run);
  // Looks whether the run's pod is alive as far as the watch knows, and asks for a live read when
  // it is not. Call when the run's timer fired or it changed.
  void Look(Slot slot);
  // The run is gone, or has ended.
  void Forget(Uid run);

  // Whether its run is still to be told, in a condition, that the executor was seen alive.
  [[nodiscard]] bool WantsRecord(const RunRecord& record) const;
  [[nodiscard]] std::string FoundCondition(const RunRecord& record) const;

  // Sends what is queued. Call at the end of each step.
  void Pump();
  [[nodiscard]] bool Owns(RequestId id) const { return in_flight_.contains(id); }
  // The run to be judged now, if there is one.
  [[nodiscard]] std::optional<Slot> OnResponse(const Response& response);
  [[nodiscard]] std::optional<Mono> NextWake() const;

  [[nodiscard]] const std::vector<std::unique_ptr<WitnessWatch>>& Watches() const {
    return watches_;
  }

 private:
  // A pod that is watched, or named by runs.
  struct Pod {
    Uid uid{};  // none: the watch knows no pod of this name
    std::uint8_t scope{0};
    std::uint16_t epoch{0};
    bool finished{false};
    PodCause cause{PodCause::kNone};  // also of one that is gone
    bool node_lost{false};
    std::string container{};
    std::optional<std::int32_t> exit_code{};
    std::optional<ServerTime> grace_ends{};  // of one that is being deleted
    std::vector<Uid> runs{};                 // that name it
  };

  void OnWitness(const Event& event, std::uint8_t scope, std::uint16_t epoch) override;
  void OnWitnessesReplaced(std::uint8_t scope, std::uint16_t epoch) override;

  void Unwatch();
  static void TakeIn(Pod& pod, const Event& event);
  void Nudge(const Pod& pod);
  [[nodiscard]] bool IsAlive(const Pod& pod, Uid uid) const;
  [[nodiscard]] bool Concerned(const RunRecord& record) const;
  void Follow(RunRecord& record, std::string key, Uid pod);
  [[nodiscard]] ExecutorCheck Take(const Response& response, const RunExecutor& executor,
                                   Pod& seen);
  bool NoteSignOfLife(const RunRecord& record, RunExecutor& executor) const;
  void ComeBack(Slot slot, ServerTime at);
  void OnDead(RunExecutor& executor, const Pod& pod) const;
  static void OnAlive(RunExecutor& executor);
  void LogUnknown(Slot slot, const Response& response);

  Core& core_;
  EventDecoder& decoder_;
  std::vector<WatchScope> scopes_;
  std::uint64_t seed_;
  ExecutorChecks settings_{};  // those in force
  bool started_{false};
  bool stopping_{false};
  std::vector<std::unique_ptr<WitnessWatch>> watches_;
  std::unordered_map<std::string, Pod> pods_;  // by ObjectKey
  // A live read, to be made or under way.
  struct Flight {
    Uid run;
    Uid pod;
  };
  std::deque<Flight> queue_;
  std::unordered_map<RequestId, Flight> in_flight_;
  Mono throttled_until_{};
  std::optional<Mono> unknown_logged_at_{};
};

}  // namespace jobrun
