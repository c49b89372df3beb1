// Every metric the engine counts, as data: app/metrics.h makes Prometheus series of this table, the
// documents are generated from it. Labels are bounded: lanes as configured plus `other`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "controller/base/bucket_counts.h"

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
  kQueueAdds,        // verdicts and visits that came to wait for a slot
  kQueueRetries,     // of them, those put off after a failure
  kQueueWait,        // histogram, seconds that a verdict waited for its slot
  kWork,             // histogram, seconds from its slot to the answer that ended the matter
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kWork) + 1;

// Bounds of what the engine counts as it comes, seconds. The gaps: around the usual intervals and
// timeouts. The clocks: from what NTP leaves to a day.
inline constexpr std::array<double, 16> kGapBounds = {0.5, 1,  2,   5,   10,  20,  30,   45,
                                                      60,  90, 120, 150, 300, 600, 1800, 3600};
inline constexpr std::array<double, 11> kSkewBounds = {0.1, 0.5, 1,   2,    5,    10,
                                                       30,  60,  300, 3600, 86400};
using GapCounts = BucketCounts<kGapBounds.size()>;
using SkewCounts = BucketCounts<kSkewBounds.size()>;

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
