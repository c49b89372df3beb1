// The watch of what tells of runs from the outside, in one scope: pods or Leases.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "controller/engine/collection_watch.h"

namespace jobrun {

// Whom it tells. `scope`: the place of the watch among those of its kind.
class WitnessSink {
 public:
  virtual ~WitnessSink() = default;
  // kAdded, kModified or kDeleted; `epoch` of the list that is under way or was the last.
  virtual void OnWitness(const Event& event, std::uint8_t scope, std::uint16_t epoch) = 0;
  // A complete list: what has another epoch is gone.
  virtual void OnWitnessesReplaced(std::uint8_t scope, std::uint16_t epoch) = 0;
};

class WitnessWatch final : public CollectionWatch {
 public:
  struct Place {
    WitnessSink& sink;
    std::uint8_t scope;
  };
  // One for each scope, begun; `options` say what they are for people.
  [[nodiscard]] static std::vector<std::unique_ptr<WitnessWatch>> OpenAll(
      Parts parts, WitnessSink& sink, const std::vector<WatchScope>& scopes,
      const ReflectorOptions& options, std::uint64_t seed);

  WitnessWatch(Parts parts, Place place, WatchScope scope, const ReflectorOptions& options,
               std::uint64_t seed)
      : CollectionWatch(parts, std::move(scope), options, seed), place_(place) {}

 private:
  void OnReplaced() override { place_.sink.OnWitnessesReplaced(place_.scope, Epoch()); }
  void OnEvent(const Event& event, bool) override {
    if (event.type != EventType::kInvalid) place_.sink.OnWitness(event, place_.scope, Epoch());
  }

  Place place_;
};

}  // namespace jobrun
