// jobrun-loadserver: an API server that plays a great many JobRuns, and judges the controller that
// watches them.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>

#include "controller/base/real_clock.h"
#include "tests/bench/loadserver/server.h"
#include "tests/devserver/pki.h"

namespace jobrun::bench {
namespace {

struct Flags {
  std::string dir{};
  WorkloadOptions workload{};
  RunSpec spec{};
  int silence_seconds{0};
  int lag_seconds_max{1};
  int write_delay_ms{0};
  bool no_watch_list{false};
};

// Fields of one flat JSON object.
class JsonFields {
 public:
  JsonFields& Add(const char* name, std::uint64_t value) {
    return Raw(name, std::to_string(value));
  }
  JsonFields& Add(const char* name, double value) {
    std::array<char, 32> text{};
    (void)std::snprintf(text.data(), text.size(), "%.3f", value);
    return Raw(name, text.data());
  }
  [[nodiscard]] std::string Text() const { return "{" + text_ + "}"; }

 private:
  JsonFields& Raw(const char* name, const std::string& value) {
    text_ += (text_.empty() ? "\"" : ", \"") + std::string(name) + "\": " + value;
    return *this;
  }
  std::string text_{};
};

double InMilliseconds(Nanos time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

// The value below which this part of the sorted values lies.
double Quantile(const std::vector<Nanos>& sorted, double part) {
  if (sorted.empty()) return 0;
  const auto place = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
  return InMilliseconds(sorted[std::min(place, sorted.size() - 1)]);
}

double LatenessQuantile(const std::vector<std::uint64_t>& histogram, double part) {
  const auto all = std::accumulate(histogram.begin(), histogram.end(), std::uint64_t{0});
  std::uint64_t seen = 0;
  for (std::size_t place = 0; place < histogram.size(); ++place) {
    seen += histogram[place];
    if (static_cast<double>(seen) >= part * static_cast<double>(all))
      return static_cast<double>(place);
  }
  return 0;
}

double OwnCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string Report(const Workload& workload, const Api& api, const Server& server,
                   const RunText& text) {
  const WorkloadCounts& counts = workload.Counts();
  const Api::Counts& asked = api.Counted();
  const std::vector<Nanos> lags = workload.Lags();
  const auto& lateness = server.TickLateness();
  const Mono now = ReadClocks().mono;
  return JsonFields()
      .Add("monotonic_seconds", std::chrono::duration<double>(now.time_since_epoch()).count())
      .Add("object_bytes_min", std::uint64_t{text.Sizes()[0]})
      .Add("object_bytes_max", std::uint64_t{text.Sizes()[1]})
      .Add("initial_events", asked.initial_events)
      .Add("heartbeats", counts.heartbeats)
      .Add("events", asked.events)
      .Add("watches", asked.watches)
      .Add("lists", asked.lists)
      .Add("reads", asked.reads)
      .Add("patches", asked.patches)
      .Add("kubernetes_events", asked.told)
      .Add("unknown_requests", asked.others)
      .Add("writes_in_flight_max", asked.writes_max)
      .Add("write_ms_mean",
           InMilliseconds(asked.writes_took) / std::max(1.0, static_cast<double>(asked.patches)))
      .Add("lease_renewals", api.Leases().Renewals())
      .Add("lease_gap_ms_max", InMilliseconds(api.Leases().LongestGap(now)))
      .Add("canary_gap_ms_max", InMilliseconds(api.Canaries().LongestGap(now)))
      .Add("verdicts", counts.verdicts)
      .Add("visits", counts.visits)
      .Add("conflicts", counts.conflicts)
      .Add("repeated_verdicts", counts.repeats)
      .Add("silenced", counts.silenced)
      .Add("silent_now", workload.Silent())
      .Add("late_accepted", counts.late_accepted)
      .Add("late_refused", counts.late_refused)
      .Add("false_reaps", counts.false_reaps)
      .Add("late_reaps", counts.late_reaps)
      .Add("missed_reaps", workload.Missed(now))
      .Add("reaped_for_ms", InMilliseconds(workload.ReapedFor()))
      .Add("created", counts.created)
      .Add("completed", counts.completed)
      .Add("deleted", counts.deleted)
      .Add("lag_ms_p50", Quantile(lags, 0.5))
      .Add("lag_ms_p99", Quantile(lags, 0.99))
      .Add("lag_ms_max", Quantile(lags, 1))
      .Add("tick_late_ms_p99", LatenessQuantile(lateness, 0.99))
      .Add("tick_late_ms_max", LatenessQuantile(lateness, 1))
      .Add("pending_bytes_max", asked.pending_max)
      .Add("bytes_sent", server.BytesSent())
      .Add("cpu_seconds", OwnCpuSeconds())
      .Text();
}

Outcome WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return Error{Code::kInvalid, "write " + path, "check the folder and its permissions"};
  return Ok();
}

Outcome WriteKubeconfig(const std::string& dir, const Server& server, const Pki& pki) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return Error{Code::kInvalid, "create " + dir, error.message()};
  const std::string url = "https://127.0.0.1:" + std::to_string(server.Port());
  return WriteText(dir + "/kubeconfig",
                   "apiVersion: v1\nkind: Config\n"
                   "clusters: [{name: load, cluster: {server: \"" +
                       url + "\", certificate-authority-data: " + Base64(pki.ca_certificate) +
                       "}}]\n"
                       "users: [{name: load, user: {token: " +
                       RandomHex(16) +
                       "}}]\n"
                       "contexts: [{name: load, context: {cluster: load, user: load}}]\n"
                       "current-context: load\n");
}

Outcome Serve(const Flags& flags) {
  const ServerTime now = ReadWallClock();
  auto pki = MakePki("127.0.0.1", now);
  if (!pki) return pki.error();
  SslContext context = MakeServerContext(pki->server_certificate, pki->server_key);
  if (!context) return Error{Code::kInternal, "start TLS", "OpenSSL refused the certificate"};
  Workload workload(flags.workload);
  // Claimed a minute ago: a heartbeat of now is none that the claim itself wrote.
  RunText text(flags.spec, now - std::chrono::minutes(1));
  Api api(workload, text,
          {.watch_lists = !flags.no_watch_list,
           .write_delay = std::chrono::milliseconds(flags.write_delay_ms)});
  const Server* reported = nullptr;
  const auto report = [&] { return Report(workload, api, *reported, text); };
  auto server = Server::Listen({.api = api,
                                .context = std::move(context),
                                .on_command = [&report](const std::string& command) {
                                  if (command == "report") std::cout << report() << std::endl;
                                }});
  if (!server) return server.error();
  reported = server->get();
  if (auto written = WriteKubeconfig(flags.dir, **server, *pki); !written) return written;
  std::cout << "ready: export KUBECONFIG=" << std::filesystem::absolute(flags.dir).string()
            << "/kubeconfig" << std::endl;
  (*server)->Run();
  return WriteText(flags.dir + "/report.json", report() + "\n");
}

void AddOptions(CLI::App& app, Flags& flags) {
  app.add_option("--dir", flags.dir, "Folder for kubeconfig and report.json")->required();
  app.add_option("--runs", flags.workload.runs, "How many runs beat")
      ->check(CLI::Range(0U, kRunsMax))
      ->capture_default_str();
  app.add_option("--rate", flags.workload.rate,
                 "Heartbeats a second over all of them, once a watch is in step")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--interval-seconds", flags.spec.interval_seconds,
                 "spec.heartbeat.intervalSeconds")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--timeout-seconds", flags.spec.timeout_seconds, "spec.heartbeat.timeoutSeconds")
      ->check(CLI::Range(2, 86400))
      ->capture_default_str();
  app.add_flag("--no-watch-list", flags.no_watch_list,
               "Refuse sendInitialEvents, as older servers do");
  app.add_option("--write-delay-ms", flags.write_delay_ms,
                 "How long the server takes for a status write of a run")
      ->check(CLI::Range(0, 60'000))
      ->capture_default_str();
}

void AddTroubles(CLI::App& app, Flags& flags) {
  app.add_option("--silences", flags.workload.silences,
                 "Runs that fall silent, a second, at random")
      ->check(CLI::Range(0.0, 1e5))
      ->capture_default_str();
  app.add_option("--silence-seconds", flags.silence_seconds, "For how long they do; 0: to the end")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  app.add_option("--storm", flags.workload.storm, "Further runs, that fall silent all at once")
      ->check(CLI::Range(0U, kRunsMax))
      ->capture_default_str();
  app.add_option("--late-share", flags.workload.late_share,
                 "The part of the silent that beats again, 0.6 to 1.1 timeouts after its last "
                 "heartbeat")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--lag-seconds-max", flags.lag_seconds_max,
                 "How long after it was due a verdict may come")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--finished", flags.workload.finished, "Further runs, that are over already")
      ->check(CLI::Range(0U, kRunsMax))
      ->capture_default_str();
  app.add_option("--churn", flags.workload.churn,
                 "Further runs that are created a second, claimed, beat, complete and are deleted; "
                 "one of a hundred falls silent. Made for a timeout of 5 seconds")
      ->check(CLI::Range(0.0, 1e5))
      ->capture_default_str();
  app.add_option("--seed", flags.workload.seed, "Of what is random")->capture_default_str();
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "An API server that plays a great many JobRuns and judges the controller that watches them. "
      "SIGTERM ends it and writes DIR/report.json; `report` on stdin prints one now.",
      "jobrun-loadserver");
  AddOptions(app, flags);
  AddTroubles(app, flags);
  CLI11_PARSE(app, argc, argv);
  flags.workload.interval = std::chrono::seconds(flags.spec.interval_seconds);
  flags.workload.timeout = std::chrono::seconds(flags.spec.timeout_seconds);
  flags.workload.silence_for = std::chrono::seconds(flags.silence_seconds);
  flags.workload.lag_max = std::chrono::seconds(flags.lag_seconds_max);
  const auto served = Serve(flags);
  if (served) return 0;
  std::cerr << "jobrun-loadserver: " << served.error().ToString() << '\n';
  return 1;
}

}  // namespace
}  // namespace jobrun::bench

int main(int argc, char** argv) { return jobrun::bench::Main(argc, argv); }
