// What the parts of the engine share: the records, the clocks, and where effects go.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controller/base/random.h"
#include "controller/engine/executor.h"
#include "controller/engine/io.h"
#include "controller/engine/policy_table.h"
#include "controller/engine/server_clock.h"
#include "controller/engine/silence_clock.h"
#include "controller/engine/store.h"
#include "controller/engine/timers.h"
#include "controller/engine/worker_lease.h"
#include "controller/model/observed_run.h"
#include "controller/verdict/decide.h"

namespace jobrun {

// Namespace names, each held once. They are few and live as long as the process.
class Namespaces {
 public:
  [[nodiscard]] NamespaceId Intern(std::string_view name);
  [[nodiscard]] const std::string& Name(NamespaceId id) const { return names_[id]; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, NamespaceId> ids_;
  std::string last_{};  // objects of one namespace tend to come together
  NamespaceId last_id_{0};
};

struct Core {
  Core(const Settings& initial, std::string process, Mono start, std::uint64_t seed)
      : settings(initial),
        process_id(std::move(process)),
        timers(store),
        policies(initial),
        silence(start),
        server(initial.grace.server_skew),
        random(seed) {}

  Settings settings;
  std::string process_id;
  Store store{};
  Timers timers;
  PolicyTable policies;
  Namespaces namespaces{};
  SilenceClock silence;
  ServerClock server;
  Random random;

  Now now{};           // of the present step
  bool leading{true};  // may write; see elector.h
  // On the server's clock: since then workers could write all the time, as far as the silence clock
  // shows. What a run's stamps tell of earlier silence does not count.
  ServerTime writable_since{ServerTime::min()};
  // A stop that ended before all runs were listed: it began after `writable_since`, and is taken
  // off what their stamps tell.
  Nanos stopped_since_then{};
  std::string home{};                           // namespace of the canaries; empty: there are none
  Effects* effects{nullptr};                    // of the present step
  std::uint64_t next_id{1};                     // requests and streams
  Nanos backoff_cap{std::chrono::seconds(30)};  // no wait is longer: far below the shortest timeout
  // Runs by lane label and phase.
  std::vector<std::array<std::uint64_t, kPhaseCount>> runs_by_lane{};
  // How heartbeats come, by lane label and in all: too many for a Count each.
  std::vector<GapCounts> heartbeat_gaps{};
  SkewCounts worker_clock_skew{};
  std::unordered_map<Uid, RunDetails, UidHash> details{};     // of records with has_details
  std::unordered_map<Uid, RunExecutor, UidHash> executors{};  // of records with has_executor
  std::unordered_map<Uid, WorkerLease*, UidHash> leases{};    // of records with has_lease
  std::vector<bool> runs_synced{};                            // by scope: all runs there are known
  std::vector<bool> leases_synced{};  // by scope: all Leases there are known
  std::vector<bool> runs_selected{};  // by scope: runs that are over, and settled, are not watched

  [[nodiscard]] bool Selects() const {
    return std::ranges::find(runs_selected, true) != runs_selected.end();
  }
  // Those of this installation's replicas, which are no work. Whatever else is of that lane is a
  // run, so that nobody hides one in it by mistake; canaries of other installations say themselves
  // that they are not reaped.
  [[nodiscard]] bool IsCanary(const ObservedRun& run) const;

  // What is seen now for the first time is marked with this.
  [[nodiscard]] Silence Mark() const { return silence.Stamp(now.mono); }
  // The mark of what happened at `stamp` on the server's clock and is seen in a list only now.
  // Never earlier than it would have been had it been seen then.
  [[nodiscard]] Silence MarkOf(ServerTime stamp) const;

  void Emit(Effect effect) { effects->push_back(std::move(effect)); }
  // Those of one kind that follow each other become one effect: a storm counts 100,000 in a step.
  void CountOne(Metric metric, LaneIndex lane, std::uint8_t label) {
    Count* const last = effects->empty() ? nullptr : std::get_if<Count>(&effects->back());
    const bool same =
        last != nullptr && last->metric == metric && last->lane == lane && last->label == label;
    if (!same) return Emit(Count{metric, lane, label});
    last->value += 1;
  }
  // For a histogram without labels.
  void Observe(Metric metric, Nanos took) {
    Emit(Count{.metric = metric, .value = std::chrono::duration<double>(took).count()});
  }

  [[nodiscard]] const Policy& PolicyOf(const RunRecord& record) const {
    return policies.At(record.policy).policy;
  }
  [[nodiscard]] LaneIndex LabelOf(const RunRecord& record) const {
    return policies.At(record.policy).label;
  }
  [[nodiscard]] std::uint64_t& RunCount(LaneIndex lane, Phase phase) {
    if (runs_by_lane.size() <= lane) runs_by_lane.resize(lane + std::size_t{1});
    return runs_by_lane[lane][static_cast<std::size_t>(phase)];
  }
  [[nodiscard]] RunDetails& DetailsOf(RunRecord& record) {
    record.has_details = true;
    return details[record.uid];
  }
  // Whether beats in a Lease count for it.
  [[nodiscard]] bool IsBeatenForByLease(const RunRecord& record) const;
  // A hash that changes with every sign of life.
  [[nodiscard]] std::uint64_t SignOfLife(const RunRecord& record) const;
  // When the last one was first seen, on the silence clock; of a run that has not beaten: the
  // claim.
  [[nodiscard]] Silence LastSign(const RunRecord& record) const;
  // Views in it live until the run's record changes.
  [[nodiscard]] Subject SubjectOf(const RunRecord& record) const;
  // "namespace/name", for people.
  [[nodiscard]] std::string FullName(const RunRecord& record) const;
};

}  // namespace jobrun
