// Lease heartbeats: one Lease, named by status.claimedBy, in which a worker beats for all runs it
// has claimed that say `heartbeat.source: Lease`. It judges nobody; what it finds out stands in
// Core::leases.
//
// A beat in a Lease does not move the runs' resourceVersions, so that a verdict on silence could
// hit a run that was beaten for meanwhile. Therefore such a verdict deletes the Lease first, in the
// version that was judged; and a worker that finds its Lease gone, or makes its first one, beats in
// the status of each of its runs before it makes the Lease (docs/workers.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/engine/core.h"
#include "controller/engine/witness_watch.h"

namespace jobrun {

class Leases final : private WitnessSink {
 public:
  // `scopes`: where runs are watched.
  Leases(Core& core, EventDecoder& decoder, std::vector<WatchScope> scopes, std::uint64_t seed);

  // Begins to watch Leases once a policy asks for them; without one nobody needs the right. Call
  // once in a step.
  void WatchIfAsked();
  void Stop();

  // Takes in who beats for a run that is not terminal. True: judge it.
  [[nodiscard]] bool OnSeen(Slot slot, const ObservedRun& run);
  // The run is gone, or has ended.
  void Forget(Uid run);

  // What must be done about its Lease before silence of this run is written.
  enum class Need : std::uint8_t {
    kNothing,  // no renewal can have been missed
    kDelete,   // there is one
    kRead,     // the watch knows of none, which may be old news
    kWait,     // it is gone, but may have been renewed until not long ago
  };
  [[nodiscard]] Need NeedOf(const RunRecord& record) const;
  // kWait: how long.
  [[nodiscard]] Nanos WaitLeft(const RunRecord& record) const;

  // Its Lease as it was read live.
  void TakeIn(const RunRecord& record, const Event& event);
  // We have deleted it in the version that was judged; or it was found to be gone. Other runs that
  // waited for that are judged again.
  void OnDeleted(const RunRecord& record);
  void OnGone(const RunRecord& record);

  [[nodiscard]] const std::vector<std::unique_ptr<WitnessWatch>>& Watches() const {
    return watches_;
  }

 private:
  void OnWitness(const Event& event, std::uint8_t scope, std::uint16_t epoch) override;
  void OnWitnessesReplaced(std::uint8_t scope, std::uint16_t epoch) override;

  void Renew(WorkerLease& lease, const Event& event);
  // Its runs are judged in this step, but for `except`.
  void Nudge(const WorkerLease& lease, Uid except = {});

  Core& core_;
  EventDecoder& decoder_;
  std::vector<WatchScope> scopes_;
  std::uint64_t seed_;
  std::uint64_t asked_for_{0};  // PolicyTable::Version
  bool stopping_{false};
  std::vector<std::unique_ptr<WitnessWatch>> watches_;
  std::unordered_map<std::string, std::unique_ptr<WorkerLease>> leases_;  // by key
};

}  // namespace jobrun
