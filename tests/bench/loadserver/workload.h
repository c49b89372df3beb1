// What the runs of a benchmark do: beat evenly, fall silent at random or all at once, beat late,
// come and go; and what becomes of them. It knows when each run was last heard of, so it can judge
// every verdict. No I/O, and no clock of its own.
#pragma once

#include <array>
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

// Runs are numbered: those that beat, those of the storm, those that are finished, and from there
// on those that come and go.
struct WorkloadOptions {
  std::uint32_t runs{1000};  // that beat
  double rate{0};            // heartbeats a second over all of them
  std::chrono::seconds interval{30};
  std::chrono::seconds timeout{150};
  std::uint32_t storm{0};     // runs that beat one last time, all of them together, and fall silent
  std::uint32_t finished{0};  // runs that are over since before it began
  double churn{0};            // runs that are created a second, and as many that complete
  double silences{0};         // runs that fall silent, a second
  std::chrono::seconds silence_for{0};  // how long runs go on falling silent; 0: to the end
  // Of those that fall silent this part beats again between 0.6 and 1.1 timeouts after its last
  // heartbeat.
  double late_share{0.25};
  // A dead run has its verdict so long after it was due.
  std::chrono::seconds lag_max{1};
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
  std::uint64_t repeats{0};      // writes to a run that has a verdict already
  std::uint64_t false_reaps{0};  // committed within the timeout of a heartbeat
  std::uint64_t late_reaps{0};   // committed later than lag_max after it was due
  std::uint64_t unreaped{0};     // dead runs that were deleted without a verdict so long after
  std::uint64_t created{0};
  std::uint64_t completed{0};
  std::uint64_t deleted{0};
};

class Workload {
 public:
  explicit Workload(const WorkloadOptions& options);

  // How many there have been. Of those that came and went some are no more.
  [[nodiscard]] std::uint32_t Runs() const { return static_cast<std::uint32_t>(runs_.size()); }
  [[nodiscard]] bool Exists(std::uint32_t number) const {
    return number < Runs() && runs_[number].doing != Doing::kGone;
  }
  // The newest version of all.
  [[nodiscard]] std::uint64_t Version() const { return version_; }
  [[nodiscard]] RunFields Fields(std::uint32_t number) const;

  struct Time {
    Mono mono{};
    ServerTime wall{};
  };
  // A client is told of a run for the first time: the run beat just then.
  void FirstTold(std::uint32_t number, Time now);

  // Heartbeats are sent from `now` on.
  void Begin(Mono now);
  [[nodiscard]] bool Begun() const { return begun_; }

  // Calls `tell` for whatever happens to a run up to `now`, after its record was changed.
  using Tell = std::function<void(std::uint32_t, RunText::Event)>;
  void Advance(Time now, const Tell& tell);

  enum class Written : std::uint8_t { kCommitted, kConflict };
  // A status write for a run that exists; `guard` is the version it was judged at, 0 without one.
  // `now` is when it arrived. A verdict without a phase is none, but a visit.
  [[nodiscard]] Written Write(std::uint32_t number, std::uint64_t guard, Verdict verdict, Mono now);

  [[nodiscard]] const WorkloadCounts& Counts() const { return counts_; }
  // From due to written, sorted.
  [[nodiscard]] std::vector<Nanos> Lags() const;
  // Runs that have fallen silent, and have neither a verdict nor beaten again.
  [[nodiscard]] std::uint64_t Silent() const;
  // Runs that are due for longer than lag_max, and have no verdict or had none when they went.
  [[nodiscard]] std::uint64_t Missed(Mono now) const;
  // From the first verdict to the last.
  [[nodiscard]] Nanos ReapedFor() const { return last_reap_ - first_reap_; }

 private:
  // kOver: by a verdict. kSucceeded, kFailed: by their worker.
  enum class Doing : std::uint8_t {
    kPending,
    kBeating,
    kSilent,
    kOver,
    kSucceeded,
    kFailed,
    kGone,
  };
  struct Run {
    std::uint64_t version{0};
    ServerTime created{};  // of those that come and go
    ServerTime heartbeat{};
    Mono last_beat{Mono::min()};
    Doing doing{Doing::kBeating};
  };
  // The life of one that comes and goes, in the order of its moments.
  enum class Moment : std::uint8_t {
    kCreated,
    kClaimed,
    kFirstBeat,
    kSecondBeat,
    kThirdBeat,
    kCompleted,
    kDeleted,
  };
  static constexpr std::size_t kMoments = 7;
  using LateBeat = std::pair<Mono, std::uint32_t>;

  void Beat(std::uint32_t number, Time now);
  void BeatInTurn(Time now, const Tell& tell);
  void BeatBeforeStorm(Time now, const Tell& tell);
  void BeatLate(Time now, const Tell& tell);
  void FallSilent(Mono now);
  void SilenceOne(std::uint32_t number);
  void ComeAndGo(Time now, const Tell& tell);
  void Live(std::uint32_t number, Moment moment, Time now, const Tell& tell);
  void Create(Time now);
  void Delete(std::uint32_t number, Time now);
  [[nodiscard]] bool IsOverdue(const Run& run, Mono now) const;
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
  Mono first_reap_{};
  Mono last_reap_{};
  std::uint32_t stride_{1};  // the order of beats: far from that of the list
  std::uint32_t turn_{0};
  std::uint64_t turns_{0};
  std::uint32_t storm_beats_{0};
  std::uint32_t churn_from_;                       // the number of the first that comes and goes
  std::array<std::uint64_t, kMoments> moments_{};  // how many have lived through each
  std::uint64_t draws_{0};                         // of runs to fall silent
};

}  // namespace jobrun::bench
