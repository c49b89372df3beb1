// Every metric that /metrics shows, as one table: the series are made from it, docs/metrics.md too.
// Names and labels are interface (dashboards, alerts). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "controller/engine/metrics.h"

namespace jobrun {

// A row's place in the table. The first ones are engine Metrics in their own order.
enum class MetricId : std::uint8_t {
  kReaps,
  kFinalized,
  kRetries,
  kSuppressed,
  kConflicts,
  kInvalidObjects,
  kDisputed,
  kDetectionLag,
  kWatchOpens,
  kWatchEnds,
  kLists,
  kWatchEvents,
  kReconcile,
  kExecutorChecks,
  kEvents,
  kCanaryRoundTrip,
  kSilenceStops,
  kQueueAdds,
  kQueueRetries,
  kQueueWait,
  kWork,
  kReconcileErrors,
  kReconcileTime,
  kHeartbeatGap,
  kClockSkew,
  kRequests,
  kRequestDuration,
  kRuns,
  kFinishedWatched,
  kOldestHeartbeat,
  kOldestPending,
  kSilenceClockStopped,
  kBreakerOpen,
  kLaneHeld,
  kLeaderMaster,
  kConfigReload,
  kLastSweep,
  kQueueDepth,
  kUnfinishedWork,
  kLongestRunning,
  kReconcilesMax,
  kActiveWorkers,
  kBuildInfo,
  kShardInfo,
  kProcessCpu,
  kProcessResident,
  kProcessVirtual,
  kProcessStart,
  kProcessOpenFds,
  kProcessMaxFds,
};
inline constexpr std::size_t kMetricIdCount = 50;

enum class SeriesKind : std::uint8_t { kCounter, kGauge, kHistogram };

struct LabelRow {
  std::string_view name{};
  std::span<const std::string_view> values{};  // empty: only known at run time
  std::string_view meaning{};                  // then: what they are
};

struct MetricRow {
  MetricId id{};
  std::string_view name{};
  SeriesKind kind{};
  std::string_view help{};
  std::span<const LabelRow> labels{};
  std::span<const double> buckets{};  // kHistogram, upper bounds in seconds
};

[[nodiscard]] std::span<const MetricRow, kMetricIdCount> MetricTable();
[[nodiscard]] const MetricRow& RowOf(MetricId id);

// docs/metrics.md.
[[nodiscard]] std::string MetricsDocument();

}  // namespace jobrun
