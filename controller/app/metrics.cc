#include "controller/app/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "controller/app/metric_table.h"

namespace jobrun {
namespace {

using prometheus::ClientMetric;
using prometheus::Counter;
using prometheus::Histogram;
using prometheus::MetricFamily;

constexpr int kStatusMax = 599;
// Made at the start; others come when they are first seen. 0 is "no answer".
constexpr std::array<int, 9> kUsualStatuses = {0, 200, 201, 401, 403, 404, 409, 429, 500};

bool HasLane(const MetricRow& row) { return !row.labels.empty() && row.labels[0].name == "lane"; }

double UnixSeconds(Mono at, const Gauges& gauges) {
  const std::chrono::duration<double> wall = gauges.wall.time_since_epoch();
  const std::chrono::duration<double> ago = gauges.mono - at;
  return (wall - ago).count();
}

ClientMetric GaugeOf(std::vector<ClientMetric::Label> labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  return metric;
}

// A family without series of its own, from its row.
MetricFamily FamilyOf(MetricId id, std::vector<ClientMetric> metrics) {
  const MetricRow& row = RowOf(id);
  MetricFamily family;
  family.name = row.name;
  family.help = row.help;
  constexpr std::array kTypes = {prometheus::MetricType::Counter, prometheus::MetricType::Gauge,
                                 prometheus::MetricType::Histogram};
  family.type = kTypes[static_cast<std::size_t>(row.kind)];
  for (ClientMetric& metric : metrics) metric.counter.value = metric.gauge.value;
  family.metric = std::move(metrics);
  return family;
}

MetricFamily RunsFamily(const Snapshot& snapshot) {
  // A lane named like the label of the unknown ones shares its series with them.
  std::map<std::string, std::array<std::uint64_t, kPhaseCount>> lanes;
  for (const auto& lane : snapshot.lanes) {
    for (std::size_t i = 0; i < kPhaseCount; ++i) lanes[lane.lane][i] += lane.runs[i];
  }
  std::vector<ClientMetric> metrics;
  for (const auto& [lane, runs] : lanes) {
    for (std::size_t i = 0; i < kPhaseCount; ++i) {
      // Nobody knows how many there are: no number is better than a wrong one.
      if (snapshot.selects && IsTerminal(static_cast<Phase>(i))) continue;
      metrics.push_back(GaugeOf({{"lane", lane}, {"phase", std::string(kPhaseNames[i])}},
                                static_cast<double>(runs[i])));
    }
  }
  return FamilyOf(MetricId::kRuns, std::move(metrics));
}

MetricFamily OldestHeartbeatFamily(const Gauges& gauges) {
  std::map<std::string, Mono> lanes;
  for (const auto& lane : gauges.snapshot.lanes) {
    if (!lane.oldest_heartbeat) continue;
    const auto [entry, is_new] = lanes.emplace(lane.lane, *lane.oldest_heartbeat);
    if (!is_new) entry->second = std::min(entry->second, *lane.oldest_heartbeat);
  }
  std::vector<ClientMetric> metrics;
  for (const auto& [lane, at] : lanes) {
    metrics.push_back(GaugeOf({{"lane", lane}}, UnixSeconds(at, gauges)));
  }
  return FamilyOf(MetricId::kOldestHeartbeat, std::move(metrics));
}

MetricFamily OldestPendingFamily(const Snapshot& snapshot) {
  std::map<std::string, ServerTime> lanes;
  for (const auto& lane : snapshot.lanes) {
    if (!lane.oldest_pending) continue;
    const auto [entry, is_new] = lanes.emplace(lane.lane, *lane.oldest_pending);
    if (!is_new) entry->second = std::min(entry->second, *lane.oldest_pending);
  }
  std::vector<ClientMetric> metrics;
  for (const auto& [lane, at] : lanes) {
    const std::chrono::duration<double> since_epoch = at.time_since_epoch();
    metrics.push_back(GaugeOf({{"lane", lane}}, since_epoch.count()));
  }
  return FamilyOf(MetricId::kOldestPending, std::move(metrics));
}

MetricFamily LaneHeldFamily(const Snapshot& snapshot) {
  std::map<std::string, bool> lanes;
  for (const auto& lane : snapshot.lanes) lanes[lane.lane] |= lane.held;
  std::vector<ClientMetric> metrics;
  for (const auto& [lane, held] : lanes) {
    metrics.push_back(GaugeOf({{"lane", lane}}, held ? 1 : 0));
  }
  return FamilyOf(MetricId::kLaneHeld, std::move(metrics));
}

template <std::size_t N>
ClientMetric HistogramOf(std::vector<ClientMetric::Label> labels,
                         const std::array<double, N>& bounds, const BucketCounts<N>& counted) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.histogram.sample_sum = counted.sum;
  std::uint64_t at_most = 0;
  for (std::size_t i = 0; i <= N; ++i) {
    at_most += counted.counts[i];
    const double bound = i < N ? bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({.cumulative_count = at_most, .upper_bound = bound});
  }
  metric.histogram.sample_count = at_most;
  return metric;
}

MetricFamily HeartbeatGapFamily(const Snapshot& snapshot) {
  std::map<std::string, GapCounts> lanes;
  for (const auto& lane : snapshot.lanes) lanes[lane.lane].Add(lane.heartbeat_gaps);
  std::vector<ClientMetric> metrics;
  for (const auto& [lane, gaps] : lanes) {
    metrics.push_back(HistogramOf({{"lane", lane}}, kGapBounds, gaps));
  }
  return FamilyOf(MetricId::kHeartbeatGap, std::move(metrics));
}

MetricFamily BreakerFamily(const Snapshot& snapshot) {
  std::map<std::string, bool> lanes = {{"*", snapshot.breaker_open_for_all}};
  for (const auto& lane : snapshot.lanes) lanes[lane.lane] |= lane.breaker_open;
  std::vector<ClientMetric> metrics;
  for (const auto& [lane, open] : lanes) {
    metrics.push_back(GaugeOf({{"lane", lane}}, open ? 1 : 0));
  }
  return FamilyOf(MetricId::kBreakerOpen, std::move(metrics));
}

void AppendProcess(std::vector<MetricFamily>& families, const ProcessStats& stats) {
  const std::pair<MetricId, double> values[] = {{MetricId::kProcessCpu, stats.cpu_seconds},
                                                {MetricId::kProcessResident, stats.resident_bytes},
                                                {MetricId::kProcessVirtual, stats.virtual_bytes},
                                                {MetricId::kProcessStart, stats.start_unix_seconds},
                                                {MetricId::kProcessOpenFds, stats.open_fds},
                                                {MetricId::kProcessMaxFds, stats.max_fds}};
  for (const auto& [id, value] : values) families.push_back(FamilyOf(id, {GaugeOf({}, value)}));
}

void AppendQueue(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  const auto seconds = [](Nanos time) { return std::chrono::duration<double>(time).count(); };
  const std::pair<MetricId, double> values[] = {
      {MetricId::kQueueDepth, static_cast<double>(snapshot.waiting)},
      {MetricId::kUnfinishedWork, seconds(snapshot.unfinished)},
      {MetricId::kLongestRunning, seconds(snapshot.longest_running)},
      {MetricId::kReconcilesMax, snapshot.in_flight_max},
      {MetricId::kActiveWorkers, static_cast<double>(snapshot.working)}};
  for (const auto& [id, value] : values) {
    const LabelRow& label = RowOf(id).labels.front();
    families.push_back(FamilyOf(
        id, {GaugeOf({{std::string(label.name), std::string(label.values.front())}}, value)}));
  }
}

// The table's order, labels sorted: the registry has none.
void Sort(std::vector<MetricFamily>& families) {
  std::map<std::string_view, std::size_t> places;
  for (const MetricRow& row : MetricTable()) places.emplace(row.name, places.size());
  std::sort(families.begin(), families.end(), [&](const MetricFamily& a, const MetricFamily& b) {
    return places[a.name] < places[b.name];
  });
  for (MetricFamily& family : families) {
    for (ClientMetric& metric : family.metric) std::sort(metric.label.begin(), metric.label.end());
    std::sort(family.metric.begin(), family.metric.end(),
              [](const ClientMetric& a, const ClientMetric& b) { return a.label < b.label; });
  }
}

}  // namespace

struct Metrics::Impl {
  struct Series {  // of one engine metric: a counter per lane and label, in this order
    prometheus::Family<Counter>* family{nullptr};
    std::size_t labels{1};
    std::vector<Counter*> counters{};
  };

  Counter* RequestCounter(Method method, int status);
  // Those of one lane; of the whole metric when it has no lanes.
  static void AppendCounters(Series& series, const MetricRow& row, const std::string& lane);

  std::string version;
  std::string api_host;
  std::string lease, namespaces, selector;
  prometheus::Registry registry{};
  // By Metric; each has at most a lane and one more label with known values.
  std::array<Series, kMetricCount> series{};
  std::size_t lanes{0};
  std::atomic<bool> config_in_force{true};
  // By Metric; those of the engine have no label of more than one value.
  std::array<Histogram*, kMetricCount> histograms{};
  Counter* reconcile_errors{nullptr};
  Histogram* reconcile_time{nullptr};
  prometheus::Family<Counter>* requests{nullptr};
  std::unordered_map<int, Counter*> request_counters{};
  std::array<Histogram*, 5> request_durations{};
};

namespace {

template <class Builder>
auto& MakeFamily(Builder builder, MetricId id, prometheus::Registry& registry) {
  const MetricRow& row = RowOf(id);
  return builder.Name(std::string(row.name)).Help(std::string(row.help)).Register(registry);
}

Histogram& MakeHistogram(prometheus::Family<Histogram>& family, MetricId id,
                         const prometheus::Labels& labels) {
  const MetricRow& row = RowOf(id);
  return family.Add(labels, Histogram::BucketBoundaries(row.buckets.begin(), row.buckets.end()));
}

// The labels of a row of which each has one value.
prometheus::Labels OnlyLabels(MetricId id) {
  prometheus::Labels labels;
  for (const LabelRow& label : RowOf(id).labels) {
    labels.emplace(std::string(label.name), std::string(label.values.front()));
  }
  return labels;
}

Histogram& MakeHistogram(MetricId id, prometheus::Registry& registry) {
  return MakeHistogram(MakeFamily(prometheus::BuildHistogram(), id, registry), id, OnlyLabels(id));
}

std::string MethodLabel(Method method) {
  return std::string(
      RowOf(MetricId::kRequestDuration).labels[0].values[static_cast<std::size_t>(method)]);
}

}  // namespace

Metrics::Metrics(MetricsOptions options) : impl_(std::make_unique<Impl>()) {
  Impl& m = *impl_;
  m.version = std::move(options.version);
  m.api_host = std::move(options.api_host);
  m.lease = std::move(options.lease);
  m.namespaces = std::move(options.namespaces);
  m.selector = std::move(options.selector);
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    const MetricRow& row = MetricTable()[i];
    if (row.kind == SeriesKind::kHistogram) {
      m.histograms[i] = &MakeHistogram(row.id, m.registry);
      continue;
    }
    m.series[i].family = &MakeFamily(prometheus::BuildCounter(), row.id, m.registry);
    for (const LabelRow& label : row.labels) {
      m.series[i].labels *= std::max<std::size_t>(label.values.size(), 1);
    }
    if (!HasLane(row)) Impl::AppendCounters(m.series[i], row, "");
  }
  m.reconcile_errors =
      &MakeFamily(prometheus::BuildCounter(), MetricId::kReconcileErrors, m.registry)
           .Add(OnlyLabels(MetricId::kReconcileErrors));
  m.reconcile_time = &MakeHistogram(MetricId::kReconcileTime, m.registry);

  m.requests = &MakeFamily(prometheus::BuildCounter(), MetricId::kRequests, m.registry);
  auto& took = MakeFamily(prometheus::BuildHistogram(), MetricId::kRequestDuration, m.registry);
  for (std::size_t i = 0; i < m.request_durations.size(); ++i) {
    m.request_durations[i] = &MakeHistogram(took, MetricId::kRequestDuration,
                                            {{"verb", MethodLabel(static_cast<Method>(i))}});
  }
  for (const Method method : {Method::kGet, Method::kPatch, Method::kPost, Method::kDelete}) {
    for (const int status : kUsualStatuses) m.RequestCounter(method, status);
  }
}

Metrics::~Metrics() = default;

void Metrics::Impl::AppendCounters(Series& series, const MetricRow& row, const std::string& lane) {
  for (std::size_t i = 0; i < series.labels; ++i) {
    prometheus::Labels labels;
    for (const LabelRow& label : row.labels) {
      labels[std::string(label.name)] =
          label.name == "lane" ? lane : std::string(label.values[i % label.values.size()]);
    }
    series.counters.push_back(&series.family->Add(labels));
  }
}

Counter* Metrics::Impl::RequestCounter(Method method, int status) {
  const int known = status >= 100 && status <= kStatusMax ? status : 0;
  Counter*& counter = request_counters[static_cast<int>(method) * (kStatusMax + 1) + known];
  if (counter == nullptr) {
    counter = &requests->Add({{"code", known == 0 ? "<error>" : std::to_string(known)},
                              {"method", MethodLabel(method)},
                              {"host", api_host}});
  }
  return counter;
}

void Metrics::SetLanes(const std::vector<std::string>& lanes) {
  for (; impl_->lanes < lanes.size(); ++impl_->lanes) {
    for (std::size_t i = 0; i < kMetricCount; ++i) {
      const MetricRow& row = MetricTable()[i];
      if (HasLane(row)) Impl::AppendCounters(impl_->series[i], row, lanes[impl_->lanes]);
    }
  }
}

void Metrics::Apply(const Count& count) {
  const auto metric = static_cast<std::size_t>(count.metric);
  if (count.metric == Metric::kWork) impl_->reconcile_time->Observe(count.value);
  if (impl_->histograms[metric] != nullptr) return impl_->histograms[metric]->Observe(count.value);
  if (count.metric == Metric::kReconcile &&
      count.label == static_cast<std::uint8_t>(ReconcileResult::kError)) {
    impl_->reconcile_errors->Increment(count.value);
  }
  const Impl::Series& series = impl_->series[metric];
  const std::size_t lane = HasLane(MetricTable()[metric]) ? count.lane : 0;
  const std::size_t place = lane * series.labels + count.label;
  if (count.label >= series.labels || place >= series.counters.size()) return;
  series.counters[place]->Increment(count.value);
}

void Metrics::CountRequest(Method method, int status, std::optional<Nanos> took) {
  impl_->RequestCounter(method, status)->Increment();
  if (!took) return;
  impl_->request_durations[static_cast<std::size_t>(method)]->Observe(
      std::chrono::duration<double>(*took).count());
}

void Metrics::SetConfigInForce(bool in_force) { impl_->config_in_force = in_force; }

std::string Metrics::Render(const Gauges& gauges) const {
  std::vector<MetricFamily> families = impl_->registry.Collect();
  const auto single = [&families](MetricId id, double value) {
    families.push_back(FamilyOf(id, {GaugeOf({}, value)}));
  };
  families.push_back(RunsFamily(gauges.snapshot));
  single(MetricId::kFinishedWatched, gauges.snapshot.selects ? 0 : 1);
  families.push_back(OldestHeartbeatFamily(gauges));
  families.push_back(OldestPendingFamily(gauges.snapshot));
  families.push_back(HeartbeatGapFamily(gauges.snapshot));
  families.push_back(FamilyOf(MetricId::kClockSkew,
                              {HistogramOf({}, kSkewBounds, gauges.snapshot.worker_clock_skew)}));
  single(MetricId::kSilenceClockStopped, gauges.snapshot.silence_clock_stopped ? 1 : 0);
  families.push_back(BreakerFamily(gauges.snapshot));
  families.push_back(LaneHeldFamily(gauges.snapshot));
  families.push_back(FamilyOf(MetricId::kLeaderMaster, {GaugeOf({{"name", impl_->lease}},
                                                                gauges.snapshot.leading ? 1 : 0)}));
  single(MetricId::kConfigReload, impl_->config_in_force ? 1 : 0);
  single(MetricId::kLastSweep,
         gauges.last_sweep == Mono{} ? 0 : UnixSeconds(gauges.last_sweep, gauges));
  AppendQueue(families, gauges.snapshot);
  families.push_back(FamilyOf(MetricId::kBuildInfo, {GaugeOf({{"version", impl_->version}}, 1)}));
  families.push_back(FamilyOf(MetricId::kShardInfo, {GaugeOf({{"lease", impl_->lease},
                                                              {"namespaces", impl_->namespaces},
                                                              {"selector", impl_->selector}},
                                                             1)}));
  if (gauges.process) AppendProcess(families, *gauges.process);
  Sort(families);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

}  // namespace jobrun
