#include "controller/app/metric_table.h"

#include <charconv>

#include "controller/model/phase.h"
#include "controller/model/reason.h"

namespace jobrun {
namespace {

constexpr auto kReasonNames = [] {
  std::array<std::string_view, kReapReasonCount> names{};
  for (std::size_t i = 0; i < kReapReasonCount; ++i) names[i] = kReasons[i].name;
  return names;
}();
// The enumerators of EventType, in their order.
constexpr std::array<std::string_view, 6> kEventTypeNames = {"added",    "modified", "deleted",
                                                             "bookmark", "error",    "invalid"};
constexpr std::array<std::string_view, 1> kControllerNames = {"jobrun"};
constexpr std::array<std::string_view, 5> kMethodNames = {"GET", "POST", "PUT", "PATCH", "DELETE"};

constexpr std::array<double, 18> kLagBuckets = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 180, 300};
// client-go's.
constexpr std::array<double, 12> kRequestBuckets = {0.005, 0.025, 0.1, 0.25, 0.5, 1,
                                                    2,     4,     8,   15,   30,  60};

constexpr LabelRow kLane = {.name = "lane",
                            .meaning =
                                "the lanes of the configuration, `default`, and `other` "
                                "for all that are not configured"};
constexpr std::array<LabelRow, 2> kLaneReason = {{kLane, {"reason", kReasonNames, {}}}};
constexpr std::array<LabelRow, 2> kLaneRetryResult = {{kLane, {"result", kRetryResultNames, {}}}};
constexpr std::array<LabelRow, 2> kLaneCause = {{kLane, {"cause", kSuppressionNames, {}}}};
constexpr std::array<LabelRow, 2> kLanePhase = {{kLane, {"phase", kPhaseNames, {}}}};
constexpr std::array<LabelRow, 1> kLaneOnly = {{kLane}};
constexpr std::array<LabelRow, 1> kEndCause = {{{"cause", kWatchEndNames, {}}}};
constexpr std::array<LabelRow, 1> kListResult = {{{"result", kListResultNames, {}}}};
constexpr std::array<LabelRow, 1> kEventType = {{{"type", kEventTypeNames, {}}}};
constexpr std::array<LabelRow, 2> kReconcileLabels = {
    {{"controller", kControllerNames, {}}, {"result", kReconcileResultNames, {}}}};
constexpr std::array<LabelRow, 1> kCheckResult = {{{"result", kExecutorCheckNames, {}}}};
constexpr std::array<LabelRow, 1> kEventResult = {{{"result", kEventResultNames, {}}}};
constexpr std::array<LabelRow, 1> kStopCause = {{{"cause", kSilenceStopNames, {}}}};
constexpr std::array<LabelRow, 1> kLeaseName = {{{"name", {}, "the Lease's name"}}};
constexpr std::array<LabelRow, 3> kRequestLabels = {
    {{"code", {}, "the HTTP status, or `<error>` when no whole answer came"},
     {"method", kMethodNames, {}},
     {"host", {}, "the API server's host and port"}}};
constexpr std::array<LabelRow, 1> kVerb = {{{"verb", kMethodNames, {}}}};
constexpr std::array<LabelRow, 1> kQueueName = {{{"name", kControllerNames, {}}}};
constexpr std::array<LabelRow, 1> kController = {{{"controller", kControllerNames, {}}}};
constexpr std::array<LabelRow, 1> kVersion = {{{"version", {}, "this program's version"}}};
constexpr std::array<LabelRow, 3> kShard = {
    {{"lease", {}, "the name of its Lease"},
     {"namespaces", {}, "the namespaces that it watches, separated by commas; empty: all"},
     {"selector", {}, "the labels of the runs that it watches; empty: all"}}};

// client-go's, cut to what can be here.
constexpr std::array<double, 10> kQueueBuckets = {0.000'001, 0.000'01, 0.0001, 0.001, 0.01,
                                                  0.1,       1,        10,     100,   1000};
// controller-runtime's, every other one.
constexpr std::array<double, 12> kReconcileBuckets = {0.005, 0.025, 0.1, 0.2, 0.4, 0.6,
                                                      1,     2,     5,   10,  30,  60};

constexpr auto kCounter = SeriesKind::kCounter;
constexpr auto kGauge = SeriesKind::kGauge;
constexpr auto kHistogram = SeriesKind::kHistogram;

constexpr std::array<MetricRow, kMetricIdCount> kTable = {{
    {MetricId::kReaps,
     "jobrun_reaps_total",
     kCounter,
     "Runs moved to Stuck or Failed by a verdict whose write committed.",
     kLaneReason,
     {}},
    {MetricId::kFinalized,
     "jobrun_finalized_total",
     kCounter,
     "Runs with exit code 0 and all gates met that the controller moved to Succeeded, because "
     "their worker did not.",
     kLaneOnly,
     {}},
    {MetricId::kRetries,
     "jobrun_retries_total",
     kCounter,
     "What became of the retry of each run that ended Failed or Stuck.",
     kLaneRetryResult,
     {}},
    {MetricId::kSuppressed,
     "jobrun_verdicts_suppressed_total",
     kCounter,
     "Due verdicts that were not written; once per run, reason and cause until its heartbeat or "
     "spec changes.",
     kLaneCause,
     {}},
    {MetricId::kConflicts,
     "jobrun_reap_conflicts_total",
     kCounter,
     "Status writes refused because another writer came first; the run was judged again.",
     {},
     {}},
    {MetricId::kInvalidObjects,
     "jobrun_invalid_objects_total",
     kCounter,
     "JobRuns left alone because they could not be decoded.",
     {},
     {}},
    {MetricId::kDisputed,
     "jobrun_disputed_reaps_total",
     kCounter,
     "Runs of which a sign of life came after their verdict (status.lateHeartbeatTime).",
     kLaneOnly,
     {}},
    {MetricId::kDetectionLag,
     "jobrun_detection_lag_seconds",
     kHistogram,
     "Time from a verdict being due to its write being committed.",
     {},
     kLagBuckets},
    {MetricId::kWatchOpens, "jobrun_watch_opens_total", kCounter, "Watches opened.", {}, {}},
    {MetricId::kWatchEnds,
     "jobrun_watch_ends_total",
     kCounter,
     "Watches that ended, by cause.",
     kEndCause,
     {}},
    {MetricId::kLists,
     "jobrun_lists_total",
     kCounter,
     "Lists of all runs, by how they ended.",
     kListResult,
     {}},
    {MetricId::kWatchEvents,
     "jobrun_watch_events_total",
     kCounter,
     "Watch events received.",
     kEventType,
     {}},
    {MetricId::kReconcile,
     "controller_runtime_reconcile_total",
     kCounter,
     "Decisions about runs, by result.",
     kReconcileLabels,
     {}},
    {MetricId::kExecutorChecks,
     "jobrun_executor_checks_total",
     kCounter,
     "Live reads of pods that their watch says are gone or finished.",
     kCheckResult,
     {}},
    {MetricId::kEvents,
     "jobrun_events_total",
     kCounter,
     "Kubernetes Events about runs, by what became of them; repeats that wait to be added count "
     "when "
     "they are.",
     kEventResult,
     {}},
    {MetricId::kCanaryRoundTrip,
     "jobrun_canary_round_trip_seconds",
     kHistogram,
     "Time from the send of this replica's canary's beat until its watch showed it: how far behind "
     "we see.",
     {},
     kLagBuckets},
    {MetricId::kSilenceStops,
     "jobrun_silence_stops_total",
     kCounter,
     "How often time passed that does not count as silence: no canary's beat was seen, our own "
     "loop "
     "did not run, the machine was suspended.",
     kStopCause,
     {}},
    {MetricId::kQueueAdds,
     "workqueue_adds_total",
     kCounter,
     "Verdicts and first visits that came to wait for a slot.",
     kQueueName,
     {}},
    {MetricId::kQueueRetries,
     "workqueue_retries_total",
     kCounter,
     "Verdicts and first visits that were put off after a failure.",
     kQueueName,
     {}},
    {MetricId::kQueueWait, "workqueue_queue_duration_seconds", kHistogram,
     "Time that a verdict waited for its slot.", kQueueName, kQueueBuckets},
    {MetricId::kWork, "workqueue_work_duration_seconds", kHistogram,
     "Time that a verdict or first visit had its slot: until the answer that ended the matter.",
     kQueueName, kQueueBuckets},
    {MetricId::kReconcileErrors,
     "controller_runtime_reconcile_errors_total",
     kCounter,
     "Decisions about runs whose write was refused or failed.",
     kController,
     {}},
    {MetricId::kReconcileTime, "controller_runtime_reconcile_time_seconds", kHistogram,
     "The same time as workqueue_work_duration_seconds.", kController, kReconcileBuckets},
    {MetricId::kHeartbeatGap, "jobrun_heartbeat_gap_seconds", kHistogram,
     "Time from one heartbeat in a run's status to the next, as seen on the watch, without the "
     "time in which none could be seen.",
     kLaneOnly, kGapBounds},
    {MetricId::kClockSkew,
     "jobrun_worker_clock_skew_seconds",
     kHistogram,
     "How far a heartbeat's timestamp was from the API server's clock at least when it was seen, "
     "the time on the way included; of about one heartbeat in eight. Nothing is judged by it.",
     {},
     kSkewBounds},
    {MetricId::kRequests,
     "rest_client_requests_total",
     kCounter,
     "Requests to the API server, watches included.",
     kRequestLabels,
     {}},
    {MetricId::kRequestDuration, "rest_client_request_duration_seconds", kHistogram,
     "Time from sending a request to the last byte of its answer; of a watch, to its header.",
     kVerb, kRequestBuckets},
    {MetricId::kRuns,
     "jobrun_runs",
     kGauge,
     "Runs, by phase; of runs that are over only where they are watched.",
     kLanePhase,
     {}},
    {MetricId::kFinishedWatched,
     "jobrun_finished_runs_watched",
     kGauge,
     "1 while also runs that are over are watched: as configured (watch.finished), or because the "
     "API server can't select.",
     {},
     {}},
    {MetricId::kOldestHeartbeat,
     "jobrun_oldest_heartbeat_timestamp_seconds",
     kGauge,
     "When the quietest heartbeating run of the lane was last seen to beat; absent without one.",
     kLaneOnly,
     {}},
    {MetricId::kOldestPending,
     "jobrun_oldest_pending_timestamp_seconds",
     kGauge,
     "When the run was created that has waited longest for a worker; absent without one.",
     kLaneOnly,
     {}},
    {MetricId::kSilenceClockStopped,
     "jobrun_silence_clock_stopped",
     kGauge,
     "1 while silence does not count because heartbeats could not be seen.",
     {},
     {}},
    {MetricId::kBreakerOpen,
     "jobrun_breaker_open",
     kGauge,
     "1 while verdicts on silence are held because too many runs of the lane fell silent together; "
     "lane `*`: of all lanes, and while an operator holds them all.",
     kLaneOnly,
     {}},
    {MetricId::kLaneHeld,
     "jobrun_lane_held",
     kGauge,
     "1 while a mistake in the lane's configuration holds its verdicts.",
     kLaneOnly,
     {}},
    {MetricId::kLeaderMaster,
     "leader_election_master_status",
     kGauge,
     "1 while this replica holds the Lease, and without election; only then it writes.",
     kLeaseName,
     {}},
    {MetricId::kConfigReload,
     "jobrun_config_last_reload_successful",
     kGauge,
     "0 while the configuration file holds a mistake and the one before it is in force.",
     {},
     {}},
    {MetricId::kLastSweep,
     "jobrun_last_successful_sweep_timestamp_seconds",
     kGauge,
     "When nothing due was last left unhandled; 0 before the first time.",
     {},
     {}},
    {MetricId::kQueueDepth,
     "workqueue_depth",
     kGauge,
     "Verdicts and first visits that wait for a slot.",
     kQueueName,
     {}},
    {MetricId::kUnfinishedWork,
     "workqueue_unfinished_work_seconds",
     kGauge,
     "How long the verdicts and first visits under way have taken, together.",
     kQueueName,
     {}},
    {MetricId::kLongestRunning,
     "workqueue_longest_running_processor_seconds",
     kGauge,
     "How long the one that has taken longest has.",
     kQueueName,
     {}},
    {MetricId::kReconcilesMax,
     "controller_runtime_max_concurrent_reconciles",
     kGauge,
     "Slots for verdicts and first visits: rateLimit.inFlight.",
     kController,
     {}},
    {MetricId::kActiveWorkers,
     "controller_runtime_active_workers",
     kGauge,
     "Verdicts and first visits under way.",
     kController,
     {}},
    {MetricId::kBuildInfo, "jobrun_build_info", kGauge, "Always 1.", kVersion, {}},
    {MetricId::kShardInfo,
     "jobrun_shard_info",
     kGauge,
     "Which runs this replica watches. Always 1.",
     kShard,
     {}},
    {MetricId::kProcessCpu,
     "process_cpu_seconds_total",
     kCounter,
     "CPU time used, user and system.",
     {},
     {}},
    {MetricId::kProcessResident,
     "process_resident_memory_bytes",
     kGauge,
     "Resident memory.",
     {},
     {}},
    {MetricId::kProcessVirtual, "process_virtual_memory_bytes", kGauge, "Virtual memory.", {}, {}},
    {MetricId::kProcessStart,
     "process_start_time_seconds",
     kGauge,
     "When the process started, since the epoch.",
     {},
     {}},
    {MetricId::kProcessOpenFds, "process_open_fds", kGauge, "Open file descriptors.", {}, {}},
    {MetricId::kProcessMaxFds, "process_max_fds", kGauge, "Most file descriptors allowed.", {}, {}},
}};

constexpr bool InOrder() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].id) != i) return false;
  }
  return true;
}
static_assert(InOrder());
static_assert(static_cast<int>(Metric::kReaps) == static_cast<int>(MetricId::kReaps));
static_assert(static_cast<int>(Metric::kDetectionLag) == static_cast<int>(MetricId::kDetectionLag));
static_assert(static_cast<int>(Metric::kReconcile) == static_cast<int>(MetricId::kReconcile));
static_assert(static_cast<int>(Metric::kEvents) == static_cast<int>(MetricId::kEvents));
static_assert(static_cast<int>(Metric::kSilenceStops) == static_cast<int>(MetricId::kSilenceStops));
static_assert(static_cast<int>(Metric::kWork) == static_cast<int>(MetricId::kWork));

std::string FormatSeconds(double seconds) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), seconds);
  return {text.data(), end.ptr};
}

std::string DescribeLabel(const LabelRow& label) {
  std::string text = "  - `" + std::string(label.name) + "`: ";
  if (label.values.empty()) return text + std::string(label.meaning) + '\n';
  for (const std::string_view value : label.values) {
    text += '`' + std::string(value) + (value == label.values.back() ? "`\n" : "`, ");
  }
  return text;
}

}  // namespace

std::span<const MetricRow, kMetricIdCount> MetricTable() { return kTable; }

const MetricRow& RowOf(MetricId id) { return kTable[static_cast<std::size_t>(id)]; }

std::string MetricsDocument() {
  constexpr std::array<std::string_view, 3> kKinds = {"counter", "gauge", "histogram"};
  std::string text =
      "# Metrics\n\n"
      "Written by `jobrun-controller --print-metrics-doc`; don't edit.\n\n"
      "What `/metrics` shows. Every counter and histogram whose label values are known is there "
      "from\n"
      "the start, at 0.\n\n";
  for (const MetricRow& row : kTable) {
    text += "- **`" + std::string(row.name) + "`** (" +
            std::string(kKinds[static_cast<std::size_t>(row.kind)]) +
            "): " + std::string(row.help) + '\n';
    for (const LabelRow& label : row.labels) text += DescribeLabel(label);
    if (row.buckets.empty()) continue;
    text += "  - buckets, in seconds:";
    for (const double bucket : row.buckets) text += ' ' + FormatSeconds(bucket);
    text += '\n';
  }
  return text;
}

}  // namespace jobrun
