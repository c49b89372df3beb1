// The phases of a JobRun. A new object has none: absent means Pending.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace jobrun {

enum class Phase : std::uint8_t { kPending, kRunning, kSucceeded, kFailed, kStuck };
inline constexpr std::size_t kPhaseCount = 5;
inline constexpr std::array<std::string_view, kPhaseCount> kPhaseNames = {
    "Pending", "Running", "Succeeded", "Failed", "Stuck"};

[[nodiscard]] constexpr std::string_view PhaseName(Phase phase) {
  return kPhaseNames[static_cast<std::size_t>(phase)];
}

[[nodiscard]] constexpr std::optional<Phase> ParsePhase(std::string_view name) {
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    if (kPhaseNames[i] == name) return static_cast<Phase>(i);
  }
  return std::nullopt;
}

// A terminal phase is final: the API server refuses to change it.
[[nodiscard]] constexpr bool IsTerminal(Phase phase) {
  return phase != Phase::kPending && phase != Phase::kRunning;
}

}  // namespace jobrun
