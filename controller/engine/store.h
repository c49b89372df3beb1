// The runs as the engine knows them: one small record each. One writer, the engine's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/time.h"
#include "controller/engine/name_pool.h"
#include "controller/model/phase.h"
#include "controller/model/uid.h"

namespace jobrun {

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = UINT32_MAX;
using PolicyId = std::uint32_t;
using NamespaceId = std::uint32_t;

// 88 bytes, and a name in a pool. With its places in the index and the timers a run
// costs at most 160 bytes (docs/benchmarks.md).
struct RunRecord {
  Uid uid{};
  std::uint64_t resource_version{0};
  std::uint64_t heartbeat{0};   // hash of lastHeartbeatAt's text; 0 without one
  Silence since{};              // Subject::since
  ServerTime started_at{};      // Subject::started_at; of a Pending run its creation
  Mono timer{Mono::max()};      // when it is judged next; max: not until something changes
  const char* name{nullptr};    // of the Store's pool
  std::uint32_t generation{0};  // low 32 bits: only compared
  PolicyId policy{0};
  NamespaceId name_space{0};
  Phase phase{Phase::kPending};
  std::uint8_t scope{0};              // which watch tells of it
  std::uint16_t epoch{0};             // the last complete list of that watch that had it
  std::uint8_t attempt{1};            // spec.attempt, at most 255
  std::uint8_t suppressed{0};         // causes counted as having suppressed its verdict, a bit each
  std::uint8_t suppressed_reason{0};  // of that verdict
  bool has_beaten : 1 {false};
  bool being_deleted : 1 {false};
  bool start_recorded : 1 {false};  // status.startTime is set
  bool foreign_conditions : 1 {false};
  bool queued : 1 {false};        // its verdict waits to be sent
  bool busy : 1 {false};          // its verdict is being written, or read anew for it
  bool visiting : 1 {false};      // its first visit is queued or under way
  bool has_details : 1 {false};   // Core::details holds more about it
  bool has_executor : 1 {false};  // Core::executors holds its pod
  bool lease_known : 1 {false};   // where heartbeats come by Lease: its claimedBy was looked at
  bool has_lease : 1 {false};     // Core::leases holds the one by which its worker beats
  bool disputed : 1 {false};      // its worker was heard of after its end
  bool verdict_sent : 1 {false};  // a verdict of this process, which may have committed
  bool departed : 1 {false};      // its watch tells of it no more (departures.h)
};
static_assert(sizeof(RunRecord) <= 88);

// What only few runs have: those whose work has exited, that were cancelled, or that must progress.
struct RunDetails {
  std::optional<std::int32_t> exit_code{};
  Silence exit_seen{};
  std::vector<std::string> true_conditions{};  // what completion gates may ask for
  std::uint64_t progress{0};                   // hash of status.progress
  std::optional<Silence> progress_since{};     // while Running
  std::optional<Silence> cancelled_since{};
};

// Slots are stable until erased and reused afterwards. Records live in fixed blocks, so that growth
// copies only the index (4 bytes a place).
class Store {
 public:
  Store();

  [[nodiscard]] Slot Find(Uid uid) const;
  // Hints for a batch of Finds, whose cache misses then overlap: first one call of each kind per
  // uid.
  void PrefetchPlace(Uid uid) const;
  void PrefetchRecord(Uid uid) const;
  // The uid must not be there yet.
  [[nodiscard]] Slot Insert(Uid uid, std::string_view name);
  void Erase(Slot slot);

  [[nodiscard]] RunRecord& At(Slot slot) { return blocks_[slot / kBlock][slot % kBlock]; }
  [[nodiscard]] const RunRecord& At(Slot slot) const {
    return blocks_[slot / kBlock][slot % kBlock];
  }
  // Whether `slot` still holds the run of this uid.
  [[nodiscard]] bool Holds(Slot slot, Uid uid) const { return At(slot).uid == uid; }

  [[nodiscard]] std::size_t Size() const { return size_; }

  // Every live slot, in no order. `each` may erase the slot it is given.
  template <class Each>
  void ForEach(Each each) {
    for (Slot slot = 0; slot < used_; ++slot) {
      if (!At(slot).uid.IsNone()) each(slot, At(slot));
    }
  }
  template <class Each>
  void ForEach(Each each) const {
    for (Slot slot = 0; slot < used_; ++slot) {
      if (!At(slot).uid.IsNone()) each(slot, At(slot));
    }
  }

 private:
  static constexpr Slot kBlock = 1024;

  [[nodiscard]] std::size_t PlaceOf(Uid uid) const;
  void Grow();

  std::vector<std::unique_ptr<RunRecord[]>> blocks_;
  NamePool names_;
  std::vector<Slot> index_;  // open addressing, linear probing; a power of two
  std::vector<Slot> free_;
  Slot used_{0};
  std::size_t size_{0};
};

}  // namespace jobrun
