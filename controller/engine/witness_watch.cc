#include "controller/engine/witness_watch.h"

namespace jobrun {

std::vector<std::unique_ptr<WitnessWatch>> WitnessWatch::OpenAll(
    Parts parts, WitnessSink& sink, const std::vector<WatchScope>& scopes,
    const ReflectorOptions& options, std::uint64_t seed) {
  std::vector<std::unique_ptr<WitnessWatch>> watches;
  for (const WatchScope& scope : scopes) {
    const auto index = static_cast<std::uint8_t>(watches.size());
    watches.push_back(
        std::make_unique<WitnessWatch>(parts, Place{sink, index}, scope, options, seed + index));
    watches.back()->Machine().CapBackoff(parts.core.backoff_cap);
    watches.back()->Machine().Start(parts.core.now.mono);
  }
  return watches;
}

}  // namespace jobrun
