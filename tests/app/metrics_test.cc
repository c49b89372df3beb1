#include "controller/app/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <span>
#include <sstream>

#include "controller/app/metric_table.h"
#include "controller/base/rfc3339.h"
#include "controller/model/reason.h"

namespace jobrun {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Mono kNow{std::chrono::hours(1)};

Gauges SampleGauges() {
  Gauges gauges{.last_sweep = kNow - std::chrono::milliseconds(1500),
                .mono = kNow,
                .wall = *ParseRfc3339("2026-11-22T00:00:00Z"),
                .process = ProcessStats{1.5, 1e7, 2e8, 1.7e9, 12, 1024}};
  gauges.snapshot.lanes = {{"default", {1, 2, 3, 4, 5}, kNow - std::chrono::seconds(30)},
                           {"etl", {0, 0, 0, 0, 0}, std::nullopt},
                           {"other", {7, 0, 0, 0, 0}, std::nullopt}};
  gauges.snapshot.lanes[0].oldest_pending = gauges.wall - std::chrono::minutes(2);
  gauges.snapshot.lanes[0].heartbeat_gaps.Observe(kGapBounds, 31);
  gauges.snapshot.lanes[1].held = true;
  gauges.snapshot.worker_clock_skew.Observe(kSkewBounds, 0);
  gauges.snapshot.worker_clock_skew.Observe(kSkewBounds, 100'000);
  gauges.snapshot.waiting = 9;
  gauges.snapshot.working = 3;
  gauges.snapshot.in_flight_max = 32;
  gauges.snapshot.unfinished = std::chrono::milliseconds(500);
  gauges.snapshot.longest_running = std::chrono::milliseconds(300);
  return gauges;
}

// Everything moved once, so that every kind of line is there.
std::string SampleText() {
  Metrics metrics({"1.2.3", "10.0.0.1:6443", "jobrun-controller", "a,b", "team=\"a\""});
  metrics.SetLanes({"default", "etl", "other"});
  metrics.Apply({Metric::kReaps, 1, static_cast<std::uint8_t>(Reason::kHeartbeatTimeout)});
  metrics.Apply({Metric::kSuppressed, 0, static_cast<std::uint8_t>(Suppression::kDryRun)});
  metrics.Apply({Metric::kConflicts});
  metrics.Apply({Metric::kDetectionLag, 0, 0, 0.004});
  metrics.Apply({Metric::kWatchEvents, 0, static_cast<std::uint8_t>(EventType::kModified), 500});
  metrics.Apply({Metric::kReconcile, 0, static_cast<std::uint8_t>(ReconcileResult::kError)});
  metrics.CountRequest(Method::kPatch, 200, std::chrono::milliseconds(3));
  metrics.CountRequest(Method::kGet, 0, std::nullopt);
  metrics.CountRequest(Method::kGet, 503, std::nullopt);
  return metrics.Render(SampleGauges());
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(MetricsTest, TheTextIsTheGoldenOne) {
  const std::string path = JOBRUN_GOLDEN_DIR "/metrics.txt";
  if (std::getenv("JOBRUN_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << SampleText();
  EXPECT_EQ(SampleText(), ReadFile(path)) << "JOBRUN_UPDATE_GOLDEN=1 writes the new one";
}

TEST(MetricsTest, PromtoolFindsNothingWrong) {
  if (std::system("promtool --version >/dev/null 2>&1") != 0) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << "promtool is missing (Debian package prometheus)";
    GTEST_SKIP() << "SKIPPED: promtool is missing; apt-get install prometheus";
  }
  std::FILE* promtool = popen("promtool check metrics 2>&1", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = SampleText();
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(pclose(promtool), 0) << "promtool's complaints stand above";
}

TEST(MetricsTest, EverySeriesIsThereFromTheStart) {
  Metrics metrics({"1", "h"});
  metrics.SetLanes({"default", "other"});
  const std::string text = metrics.Render({});
  for (const ReasonInfo& reason : std::span(kReasons).first(kReapReasonCount)) {
    EXPECT_THAT(text, HasSubstr("jobrun_reaps_total{lane=\"default\",reason=\"" +
                                std::string(reason.name) + "\"} 0\n"));
  }
  for (const std::string line :
       {"jobrun_verdicts_suppressed_total{cause=\"held_lane\",lane=\"other\"} 0\n",
        "jobrun_reap_conflicts_total 0\n", "jobrun_invalid_objects_total 0\n",
        "jobrun_detection_lag_seconds_bucket{le=\"300\"} 0\n", "jobrun_watch_opens_total 0\n",
        "jobrun_watch_ends_total{cause=\"expired\"} 0\n",
        "jobrun_lists_total{result=\"complete\"} 0\n",
        "jobrun_watch_events_total{type=\"invalid\"} 0\n",
        "controller_runtime_reconcile_total{controller=\"jobrun\",result=\"requeue_after\"} 0\n",
        "jobrun_events_total{result=\"filtered\"} 0\n",
        "rest_client_requests_total{code=\"409\",host=\"h\",method=\"PATCH\"} 0\n",
        "rest_client_request_duration_seconds_count{verb=\"PATCH\"} 0\n",
        "jobrun_silence_clock_stopped 0\n", "jobrun_last_successful_sweep_timestamp_seconds 0\n",
        "workqueue_depth{name=\"jobrun\"} 0\n", "jobrun_build_info{version=\"1\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, EveryRowOfTheTableIsShown) {
  const std::string text = SampleText();
  for (const MetricRow& row : MetricTable()) {
    EXPECT_THAT(text, HasSubstr("# TYPE " + std::string(row.name) + ' ')) << row.name;
  }
}

TEST(MetricsTest, WhateverTheEngineCountsIsShown) {
  Metrics metrics({"1", "h"});
  metrics.SetLanes({"default", "other"});
  for (std::size_t metric = 0; metric < kMetricCount; ++metric) {
    const std::string before = metrics.Render({});
    metrics.Apply({static_cast<Metric>(metric)});
    EXPECT_NE(metrics.Render({}), before) << metric;
  }
}

TEST(MetricsTest, RunsThatAreNotWatchedAreNotCounted) {
  Metrics metrics({"1", "h"});
  Gauges gauges = SampleGauges();
  gauges.snapshot.selects = true;
  const std::string text = metrics.Render(gauges);
  EXPECT_THAT(text, HasSubstr("jobrun_runs{lane=\"other\",phase=\"Pending\"} 7\n"));
  EXPECT_EQ(text.find("phase=\"Succeeded\""), std::string::npos);
  EXPECT_THAT(text, HasSubstr("jobrun_finished_runs_watched 0\n"));
}

TEST(MetricsTest, NoSeriesStandsTwice) {
  Metrics metrics({"1", "h"});
  // A lane may be called like the label of all that are not configured.
  metrics.SetLanes({"default", "other", "other"});
  metrics.Apply({Metric::kReaps, 1, 0});
  metrics.Apply({Metric::kReaps, 2, 0});
  Gauges gauges = SampleGauges();
  gauges.snapshot.lanes.push_back({"other", {1, 0, 0, 0, 0}, std::nullopt});
  std::istringstream text(metrics.Render(gauges));
  std::set<std::string> seen;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with('#')) continue;
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
  EXPECT_THAT(text.str(), HasSubstr("jobrun_runs{lane=\"other\",phase=\"Pending\"} 8\n"));
  EXPECT_THAT(
      text.str(),
      HasSubstr("jobrun_reaps_total{lane=\"other\",reason=\"PendingDeadlineExceeded\"} 2\n"));
}

TEST(MetricsTest, LanesThatComeLaterAreCountedApart) {
  Metrics metrics({"1", "h"});
  metrics.SetLanes({"default"});
  metrics.Apply({Metric::kReaps, 1, 0});  // not known: left out
  metrics.SetLanes({"default", "late"});
  metrics.Apply({Metric::kReaps, 1, 0});
  const std::string text = metrics.Render({});
  EXPECT_THAT(text, HasSubstr("{lane=\"late\",reason=\"PendingDeadlineExceeded\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{lane=\"default\",reason=\"PendingDeadlineExceeded\"} 0\n"));
}

TEST(MetricsTest, AnUnknownLabelIsLeftOut) {
  Metrics metrics({"1", "h"});
  metrics.SetLanes({"default", "other"});
  metrics.Apply({Metric::kReaps, 0, kReapReasonCount});  // would be the next lane's first
  EXPECT_THAT(metrics.Render({}), Not(HasSubstr("PendingDeadlineExceeded\"} 1")));
}

TEST(MetricsTest, HeartbeatsAreToldInWallClockTime) {
  const std::string text = SampleText();
  // 2026-11-22T00:00:00Z less 30 s.
  EXPECT_THAT(
      text, HasSubstr("jobrun_oldest_heartbeat_timestamp_seconds{lane=\"default\"} 1795305570\n"));
  EXPECT_THAT(text, Not(HasSubstr("jobrun_oldest_heartbeat_timestamp_seconds{lane=\"etl\"}")));
  EXPECT_THAT(text, HasSubstr("jobrun_last_successful_sweep_timestamp_seconds 1795305598.5\n"));
}

TEST(MetricsTest, StatusesOutOfAnyRangeCountAsErrors) {
  Metrics metrics({"1", "h"});
  for (const int status : {-1, 0, 99, 600, 100000})
    metrics.CountRequest(Method::kPut, status, std::nullopt);
  EXPECT_THAT(
      metrics.Render({}),
      HasSubstr("rest_client_requests_total{code=\"<error>\",host=\"h\",method=\"PUT\"} 5\n"));
}

TEST(MetricsTest, TheDocumentNamesEveryMetric) {
  const std::string document = MetricsDocument();
  for (const MetricRow& row : MetricTable())
    EXPECT_THAT(document, HasSubstr(std::string(row.name)));
}

TEST(MetricsTest, TheDocumentIsTheOneInDocs) {
  EXPECT_EQ(MetricsDocument(), ReadFile(JOBRUN_DOCS_DIR "/metrics.md"))
      << "jobrun-controller --print-metrics-doc writes it";
}

TEST(ProcessStatsTest, ReadsTheFieldsBehindTheName) {
  const auto stats = ParseProcessStat(
      "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 1000 104857600 256 "
      "184467 1 1",
      1e9);
  ASSERT_TRUE(stats);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(stats->cpu_seconds, 300 / ticks);
  EXPECT_DOUBLE_EQ(stats->virtual_bytes, 104857600);
  EXPECT_DOUBLE_EQ(stats->resident_bytes, 256.0 * static_cast<double>(sysconf(_SC_PAGESIZE)));
  EXPECT_DOUBLE_EQ(stats->start_unix_seconds, 1e9 + 1000 / ticks);
  EXPECT_FALSE(ParseProcessStat("", 0));
  EXPECT_FALSE(ParseProcessStat("42 (a) S 1", 0));
}

TEST(ProcessStatsTest, ThisProcessHasSome) {
  const auto stats = ReadProcessStats();
  ASSERT_TRUE(stats);
  EXPECT_GT(stats->resident_bytes, 1e5);
  EXPECT_GE(stats->open_fds, 3);
  EXPECT_GT(stats->max_fds, stats->open_fds);
  EXPECT_GT(stats->start_unix_seconds, 1.6e9);
}

}  // namespace
}  // namespace jobrun
