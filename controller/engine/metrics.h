// Every metric the engine counts, as data: app/metrics.h makes Prometheus series of this table, the
// documents are generated from it. Labels are bounded: lanes as configured plus `other`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace jobrun {

// A lane as a label: its place in the engine's list of lane names (Snapshot::lanes).
using LaneIndex = std::uint16_t;

// Counters and histograms that move by a Count effect.
enum class Metric : std::uint8_t {
  kReaps,       // lane, reason: Stuck and Failed verdicts that committed
  kFinalized,   // lane: runs with exit code 0 finished by the controller
  kRetries,     // lane, result: what became of the retry of a run that ended
  kSuppressed,  // lane, cause
  kConflicts,   // a status write lost to another writer
  kInvalidObjects,
  kDisputed,         // lane: a heartbeat came after the verdict
  kDetectionLag,     // histogram, seconds from the engine's own due time to the committed write
  kWatchOpens,       // watches opened
  kWatchEnds,        // cause: why a watch ended
  kLists,            // result
  kWatchEvents,      // type
  kReconcile,        // result: what a decision led to
  kExecutorChecks,   // result: what a live read of a pod showed
  kEvents,           // result: what became of a Kubernetes Event (app/event_recorder.h)
  kCanaryRoundTrip,  // histogram, seconds from the send of our canary's beat until it was seen
  kSilenceStops,     // cause: why the silence clock stood still
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kSilenceStops) + 1;

// Count::label of kSilenceStops.
enum class SilenceStop : std::uint8_t { kNoBeat, kOwnPause, kSuspended };
inline constexpr std::array<std::string_view, 3> kSilenceStopNames = {"no_beat", "own_pause",
                                                                      "suspended"};

// Count::label of kRetries.
enum class RetryResult : std::uint8_t { kCreated, kSkipped, kBlocked, kExhausted, kNotDue };
inline constexpr std::array<std::string_view, 5> kRetryResultNames = {
    "created", "skipped", "blocked", "exhausted", "not_due"};

// Why a due verdict was not written (Count::label of kSuppressed).
enum class Suppression : std::uint8_t {
  kDryRun,
  kDisabled,
  kHeldLane,
  kRateLimit,
  kOutage,   // the silence clock stands still
  kGrace,    // it did until not long ago
  kBreaker,  // too many fell silent together
};
inline constexpr std::array<std::string_view, 7> kSuppressionNames = {
    "dry_run", "disabled", "held_lane", "rate_limit", "outage", "grace", "breaker"};

enum class WatchEnd : std::uint8_t { kServer, kTransport, kExpired, kError, kRefused };
inline constexpr std::array<std::string_view, 5> kWatchEndNames = {"server", "transport", "expired",
                                                                   "error", "refused"};

enum class ListResult : std::uint8_t { kComplete, kExpired, kFailed };
inline constexpr std::array<std::string_view, 3> kListResultNames = {"complete", "expired",
                                                                     "failed"};

// controller_runtime_reconcile_total's labels.
enum class ReconcileResult : std::uint8_t { kSuccess, kRequeue, kRequeueAfter, kError };
inline constexpr std::array<std::string_view, 4> kReconcileResultNames = {"success", "requeue",
                                                                          "requeue_after", "error"};

enum class ExecutorCheck : std::uint8_t { kAlive, kDead, kUnknown };
inline constexpr std::array<std::string_view, 3> kExecutorCheckNames = {"alive", "dead", "unknown"};

enum class EventResult : std::uint8_t {
  kCreated,
  kUpdated,   // a repeat was added to one that is there
  kFiltered,  // too many about one run
  kRefused,   // by the API server
  kDropped,   // tried too often, or there were too many
};
inline constexpr std::array<std::string_view, 5> kEventResultNames = {
    "created", "updated", "filtered", "refused", "dropped"};

}  // namespace jobrun
