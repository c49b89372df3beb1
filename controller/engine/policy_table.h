// The policies in force, each held once however many runs share it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/engine/metrics.h"
#include "controller/engine/settings.h"
#include "controller/engine/store.h"
#include "controller/model/thresholds.h"

namespace jobrun {

// Lane names as metric labels. Place 0 is `other`, 1 the default lane. Grows at reloads, never
// shrinks.
class LaneLabels {
 public:
  explicit LaneLabels(const Settings& settings);
  void Add(const Settings& settings);

  [[nodiscard]] const std::vector<std::string>& Names() const { return names_; }
  // `other` for a lane that the present settings do not name.
  [[nodiscard]] LaneIndex Find(std::string_view lane) const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, LaneIndex> configured_;
};

// Distinct (lane, thresholds of the run) pairs, counted by the runs that hold them, with the policy
// each resolves to under the present settings.
class PolicyTable {
 public:
  explicit PolicyTable(const Settings& settings);

  struct Entry {
    std::string lane;
    Thresholds thresholds{};
    Policy policy{};
    std::vector<std::string> gates{};  // conditions that exit code 0 needs
    RetryPolicy retry{};
    LaneIndex label{0};
    std::uint32_t holders{0};
  };

  // One more holder. Release each exactly once.
  [[nodiscard]] PolicyId Acquire(std::string_view lane, const Thresholds& thresholds);
  void Release(PolicyId id);

  [[nodiscard]] const Entry& At(PolicyId id) const { return entries_[id]; }

  // Every entry that runs hold.
  template <class Each>
  void ForEachHeld(Each each) const {
    for (const Entry& entry : entries_) {
      if (entry.holders > 0) each(entry);
    }
  }

  // Resolves everything anew. Old policies by id go to `before`, so that callers can compare.
  void Reload(const Settings& settings, std::vector<Policy>& before);

  [[nodiscard]] const LaneLabels& Labels() const { return labels_; }
  [[nodiscard]] std::size_t Size() const { return ids_.size(); }
  // The shortest heartbeat timeout that any held policy has; an hour without one.
  [[nodiscard]] Nanos ShortestTimeout() const;
  // Whether a held policy takes heartbeats from Leases.
  [[nodiscard]] bool AsksForLeases() const;
  // Moves whenever the two above may have changed.
  [[nodiscard]] std::uint64_t Version() const { return version_; }

 private:
  struct Key {
    std::string lane;
    Thresholds thresholds;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  void Resolve(Entry& entry) const;

  Settings settings_;
  std::unordered_map<std::string_view, const Lane*> lanes_;
  LaneLabels labels_;
  std::vector<Entry> entries_;
  std::vector<PolicyId> free_;
  std::unordered_map<Key, PolicyId, KeyHash> ids_;
  std::uint64_t version_{1};
};

}  // namespace jobrun
