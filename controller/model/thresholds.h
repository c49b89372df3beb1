// What a run, a lane or the defaults may say about reaping; and what holds for one run once the
// three are put together. The field names are those of the JobRun's spec and of the configuration
// file.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/model/retry.h"

namespace jobrun {

using Seconds = std::chrono::seconds;

enum class Reaping : std::uint8_t { kEnabled, kDryRun, kDisabled };
enum class HeartbeatMode : std::uint8_t { kAuto, kRequired, kIgnored };
enum class HeartbeatSource : std::uint8_t { kStatus, kLease };

inline constexpr std::array<std::string_view, 3> kReapingNames = {"Enabled", "DryRun", "Disabled"};
inline constexpr std::array<std::string_view, 3> kHeartbeatModeNames = {"Auto", "Required",
                                                                        "Ignored"};
inline constexpr std::array<std::string_view, 2> kHeartbeatSourceNames = {"Status", "Lease"};

// The enumerator whose name stands at the same place in `names`, or nothing.
template <class Enum, std::size_t N>
[[nodiscard]] constexpr std::optional<Enum> ParseEnum(const std::array<std::string_view, N>& names,
                                                      std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

// Nothing = not said: the next level speaks (run, lane, defaults, built-in).
struct Thresholds {
  std::optional<Reaping> reaping{};
  std::optional<Seconds> pending_deadline{};
  std::optional<Seconds> deadline{};
  std::optional<Seconds> backstop{};
  std::optional<Seconds> claim_ttl{};
  std::optional<HeartbeatMode> heartbeat_mode{};
  std::optional<HeartbeatSource> heartbeat_source{};
  std::optional<Seconds> heartbeat_interval{};
  std::optional<Seconds> heartbeat_timeout{};
  std::optional<Seconds> first_timeout{};
  std::optional<Seconds> progress_timeout{};
  std::optional<Seconds> finalize_grace{};
  std::optional<Seconds> cancel_grace{};
  std::optional<Seconds> ttl{};                                // after the end, until deletion
  std::optional<std::vector<std::string>> completion_gates{};  // types of conditions
  RetryRules retry{};

  bool operator==(const Thresholds&) const = default;
};

// One field of Thresholds that counts seconds: its place in the struct, its name in spec and
// configuration ("heartbeat.timeoutSeconds"), and the smallest and largest value the CRD accepts.
struct SecondsField {
  std::string_view path;
  std::optional<Seconds> Thresholds::* member;
  std::int64_t min;
  std::int64_t max;
};
inline constexpr std::int64_t kSecondsMax = 2147483647;
inline constexpr std::array<SecondsField, 11> kSecondsFields = {{
    {"pendingDeadlineSeconds", &Thresholds::pending_deadline, 1, kSecondsMax},
    {"deadlineSeconds", &Thresholds::deadline, 1, kSecondsMax},
    {"backstopSeconds", &Thresholds::backstop, 1, kSecondsMax},
    {"claimTTLSeconds", &Thresholds::claim_ttl, 1, kSecondsMax},
    {"progressTimeoutSeconds", &Thresholds::progress_timeout, 1, kSecondsMax},
    {"finalizeGraceSeconds", &Thresholds::finalize_grace, 0, kSecondsMax},
    {"cancelGraceSeconds", &Thresholds::cancel_grace, 0, kSecondsMax},
    {"ttlSecondsAfterFinished", &Thresholds::ttl, 0, kSecondsMax},
    {"heartbeat.intervalSeconds", &Thresholds::heartbeat_interval, 1, kSecondsMax},
    {"heartbeat.timeoutSeconds", &Thresholds::heartbeat_timeout, 2, kSecondsMax},
    {"heartbeat.firstTimeoutSeconds", &Thresholds::first_timeout, 1, kSecondsMax},
}};

// What holds for one run: every question answered. Absent limits never come due.
struct Policy {
  Reaping reaping{Reaping::kEnabled};
  std::optional<Seconds> pending_deadline{};
  std::optional<Seconds> deadline{};
  std::optional<Seconds> backstop{};
  std::optional<Seconds> claim_ttl{};
  HeartbeatMode heartbeat_mode{HeartbeatMode::kAuto};
  HeartbeatSource heartbeat_source{HeartbeatSource::kStatus};
  Seconds heartbeat_interval{30};
  Seconds heartbeat_timeout{150};
  Seconds first_timeout{150};
  std::optional<Seconds> progress_timeout{};
  Seconds finalize_grace{300};
  Seconds cancel_grace{60};
  std::optional<Seconds> ttl{};
  bool held{false};            // its lane's configuration is broken: no verdict until it is mended
  bool timeout_raised{false};  // the timeout asked for was shorter than two intervals

  bool operator==(const Policy&) const = default;
};

}  // namespace jobrun
