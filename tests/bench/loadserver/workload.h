// What the runs of a benchmark do: beat evenly, fall silent at random, beat late; and what becomes
// of them. It knows when each run was last heard of, so it can judge every verdict. No I/O, and no
// clock of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controller/base/random.h"
#include "controller/base/time.h"
#include "tests/bench/loadserver/run_text.h"

namespace jobrun::bench {

struct WorkloadOptions {
  std::uint32_t runs{1000};
  double rate{0};  // heartbeats a second over all runs
  std::chrono::seconds timeout{150};
  double silences{0};                   // runs that fall silent, a second
  std::chrono::seconds silence_for{0};  // how long runs go on falling silent; 0: to the end
  // Of those that fall silent this part beats again between 0.6 and 1.1 timeouts after its last
  // heartbeat.
  double late_share{0.25};
  std::uint64_t seed{1};
};

struct WorkloadCounts {
  std::uint64_t heartbeats{0};
  std::uint64_t silenced{0};
  std::uint64_t late_accepted{0};  // heartbeats of silent runs that came before any verdict
  std::uint64_t late_refused{0};   // … after their verdict
  std::uint64_t verdicts{0};       // committed
  std::uint64_t visits{0};         // committed writes that are no verdict
  std::uint64_t conflicts{0};
  std::uint64_t false_reaps{0};  // committed within the timeout of a heartbeat
};

class Workload {
 public:
  explicit Workload(const WorkloadOptions& options);

  [[nodiscard]] std::uint32_t Runs() const { return options_.runs; }
  // The newest version of all.
  [[nodiscard]] std::uint64_t Version() const { return version_; }
  [[nodiscard]] RunFields Fields(std::uint32_t number) const {
    const Run& run = runs_[number];
    return {.number = number, .version = run.version, .heartbeat = run.heartbeat};
  }
  // Null while it runs.
  [[nodiscard]] const Verdict* VerdictOf(std::uint32_t number) const;

  struct Time {
    Mono mono{};
    ServerTime wall{};
  };
  // A client is told of a run for the first time: the run beat just then.
  void FirstTold(std::uint32_t number, Time now);

  // Heartbeats are sent from `now` on.
  void Begin(Mono now);
  [[nodiscard]] bool Begun() const { return begun_; }

  // Calls `each` for every run that beats up to `now`, after its record was changed.
  void Advance(Time now, const std::function<void(std::uint32_t)>& each);

  enum class Written : std::uint8_t { kCommitted, kConflict };
  // A status write for a run; `guard` is the version it was judged at, 0 without one.
  [[nodiscard]] Written Write(std::uint32_t number, std::uint64_t guard, Verdict verdict, Mono now);

  [[nodiscard]] const WorkloadCounts& Counts() const { return counts_; }
  // From due to written, sorted.
  [[nodiscard]] std::vector<Nanos> Lags() const;
  // Runs that have fallen silent, and have neither a verdict nor beaten again.
  [[nodiscard]] std::uint64_t Silent() const;
  // Runs that are due for longer than any bound allows, and have no verdict.
  [[nodiscard]] std::uint64_t Missed(Mono now) const;

 private:
  enum class Doing : std::uint8_t { kBeating, kSilent, kOver };
  struct Run {
    std::uint64_t version{0};
    ServerTime heartbeat{};
    Mono last_beat{Mono::min()};
    Doing doing{Doing::kBeating};
  };
  using LateBeat = std::pair<Mono, std::uint32_t>;

  void Beat(std::uint32_t number, Time now);
  void BeatInTurn(Time now, const std::function<void(std::uint32_t)>& each);
  void BeatLate(Time now, const std::function<void(std::uint32_t)>& each);
  void FallSilent(Mono now);
  [[nodiscard]] double SinceBegin(Mono now) const;

  WorkloadOptions options_;
  Random random_;
  std::vector<Run> runs_;
  std::unordered_map<std::uint32_t, Verdict> verdicts_;
  std::priority_queue<LateBeat, std::vector<LateBeat>, std::greater<>> late_;
  std::vector<Nanos> lags_;
  WorkloadCounts counts_{};
  std::uint64_t version_;
  Mono begin_{};
  bool begun_{false};
  std::uint32_t stride_{1};  // the order of beats: far from that of the list
  std::uint32_t turn_{0};
  std::uint64_t turns_{0};
  std::uint64_t draws_{0};  // of runs to fall silent
};

}  // namespace jobrun::bench
