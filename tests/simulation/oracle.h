// Judges the engine by what truly happened: the history of the store, in true time. It shares no
// code with the engine, holds no opinion of how something is done, and knows no fault but those
// that excuse it (README.md has the list of invariants).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/engine/engine.h"
#include "controller/model/reason.h"
#include "controller/model/uid.h"
#include "tests/simulation/world.h"

namespace jobrun::simulation {

class Replica;

// Whether its heartbeat is one: less than a second from the claim it counts as the claim's own
// (docs/workers.md), but where it beats by Lease.
[[nodiscard]] bool IsBeat(const Object& run);

// What the history says of one run.
struct RunFacts {
  ObjectPtr now{};
  ObjectPtr before_edit{};  // the last version with another spec
  Nanos created{};
  std::optional<Nanos> claimed{};
  std::optional<Nanos> beaten{};        // the last change of its heartbeat
  std::optional<Nanos> lease_beaten{};  // the same in its worker's Lease
  std::optional<Nanos> progressed{};
  std::optional<Nanos> exited{};
  std::optional<Nanos> cancelled{};
  std::optional<Nanos> ended{};
  bool gone{false};
  bool taken_away{false};  // by a user
  bool restored{false};    // a backup was put back: its past does not count
};

class Oracle {
 public:
  // Resolution and skew of the API servers' stamps.
  static constexpr Nanos kStampError = std::chrono::seconds(7);

  explicit Oracle(World& world) : world_(world) {}

  // From the world.
  void OnChange(const Change& change);
  void OnRewind();
  void OnOutage(Nanos from, Nanos to);
  void OnRate(const Replica& replica, double rate);
  void OnSightAgain(const Replica& replica);

  // From the replicas.
  void OnStart(const Replica& replica);
  void OnDeath(const Replica& replica);
  void OnExit(const Replica& replica, ExitCause cause);
  void OnCount(const Replica& replica, const Count& count);
  void OnSend(const Replica& replica, const Call& call, RequestClass klass);
  void OnAnswer(const Replica& replica, const Call& call, const Reply& reply);
  void OnEvents(const Replica& replica, const std::vector<Event>& events);
  void OnLeaseWritten(const Replica& replica, std::uint64_t process, const Call& call, Nanos sent);

  // When the faults are over and all has settled: what must be so by then.
  void CheckCounters(const std::vector<Replica*>& alive);
  [[nodiscard]] const std::map<std::string, RunFacts>& Runs() const { return runs_; }
  [[nodiscard]] std::uint64_t Verdicts() const { return verdicts_; }

 private:
  struct Delivered {
    std::uint64_t version{0};  // the newest
    Nanos first{};
  };
  struct Process {
    int replica{0};
    std::map<Reason, double> reaps{};
    double finalized{0};
    double retries{0};
    std::map<Reason, double> committed{};
    double finalized_committed{0};
    bool alive{true};
    // When it was told of a canary's beat that was older than their period. It can't know that, and
    // takes it for evidence of now.
    std::vector<Nanos> late_beats{};
    Nanos started{};
    Nanos blind{};  // when its silence clock last stopped, or ran on
    std::unordered_map<std::uint64_t, Delivered> delivered{};  // by a hash of the name
    double fastest{1};                                         // its clock against the true time
    double slowest{1};
    std::optional<Nanos> leads_until{};
    std::vector<Nanos> sent{};  // the last requests, to see how many there are
  };
  struct Outage {
    Nanos from{};
    Nanos to{};
  };

  void CheckFinal(const Change& change);
  void CheckConditions(const Change& change);
  void CheckSentVerdict(const Replica& replica, const Call& call);
  void CheckVerdict(const Change& change, const RunFacts& facts);
  void CheckReason(const Change& change, const RunFacts& facts, Reason reason);
  void NoteLateBeat(Process& process, const Event& event) const;
  void CheckElapsed(const Change& change, std::string_view invariant, Nanos since, Nanos limit);
  void CheckStart(const Change& change, const RunFacts& facts, Nanos limit);
  void CheckExecutor(const Change& change);
  void CheckBreaker(const Change& change);
  void CheckRetry(const Change& change, const RunFacts& facts);
  void CheckCreated(const Change& change);
  void CheckCopied(const Object& run, const RunFacts& parent);
  static std::uint64_t KeyOf(std::string_view key) { return std::hash<std::string_view>{}(key); }
  void Deliver(Process& process, std::string_view key, std::uint64_t version) const;
  [[nodiscard]] static Nanos AgeUnsure(const Process& process, const RunFacts& facts);
  void Note(const Change& change, RunFacts& facts);
  void NoteCanary(Nanos at);
  [[nodiscard]] Nanos Blind(Nanos from, Nanos to) const;
  void Fail(std::string invariant, const Object& run, std::string_view what);
  [[nodiscard]] Process* ProcessOf(const Replica& replica);
  static bool RestsOnBeats(Reason reason);
  static bool SpecHas(const Object& run, std::string_view text);
  static std::string ParentOf(const Object& run);
  static std::uint64_t AttemptsMax(const Object& run);
  static std::optional<Nanos> SecondsIn(const Object& run, std::string_view field,
                                        const std::string& member);

  World& world_;
  std::map<std::string, RunFacts> runs_{};             // by uid
  std::map<std::string, std::string> successor_of_{};  // parent's uid to that of its successor
  std::map<std::string, Process> processes_{};         // by process id
  std::vector<Outage> outages_{};
  Nanos canary_written_{};
  std::uint64_t verdicts_{0};
  double retries_settled_{0};
  std::map<std::string, std::set<std::string>> retry_writers_{};  // by target
  double retries_counted_{0};
};

}  // namespace jobrun::simulation
