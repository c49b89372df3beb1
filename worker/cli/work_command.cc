// jobrun work: claims the Pending runs of a lane and runs a command for each.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <memory>
#include <unordered_map>
#include <utility>

#include "controller/base/object_name.h"
#include "controller/base/real_clock.h"
#include "controller/base/wording.h"
#include "worker/cli/identity.h"
#include "worker/cli/job_flags.h"
#include "worker/cli/lease_keeper.h"
#include "worker/cli/queue_watch.h"

namespace jobrun {
namespace {

constexpr int kConcurrencyMax = 1000;
// After a claim that failed for another reason than that somebody was faster.
constexpr Nanos kFirstPause = std::chrono::seconds(1);
constexpr Nanos kLongestPause = std::chrono::seconds(30);

struct WorkFlags {
  JobFlags job{};
  std::string lane{};
  bool all_namespaces{false};
  int concurrency{1};
  int drain_seconds{0};
  int runs_max{0};  // 0: no limit
};

class Crew final : private JobListener {
 public:
  Crew(Tool& tool, ApiClient& api, const WorkFlags& flags, JobOptions options)
      : tool_(tool),
        api_(api),
        flags_(flags),
        options_(std::move(options)),
        leases_(api, options_.session.worker),
        random_(Seed()),
        pause_(tool.Loop()),
        drain_(tool.Loop()),
        watch_(api, queue_,
               {.name_space = flags.all_namespaces ? "" : tool.Namespace(),
                .lane = flags.lane,
                .worker = options_.session.worker},
               [this] { Claim(); }) {
    tool.Loop().OnSignal({SIGTERM, SIGINT, SIGCHLD}, [this](int signal) { OnSignal(signal); });
  }

  int Run() {
    tool_.Log().Write({LogLevel::kInfo,
                       "waiting for runs",
                       {{"lane", flags_.lane}, {"worker", options_.session.worker}}});
    watch_.Start();
    while (!stopped_) tool_.Loop().Run();
    leases_.Release();
    tool_.Log().Write({LogLevel::kInfo,
                       "stopped",
                       {{"runs", std::to_string(claimed_)}, {"lost", std::to_string(lost_)}}});
    return kToolDone;
  }

 private:
  struct Worked {
    PendingRun run;
    std::unique_ptr<Job> job;
  };

  [[nodiscard]] bool MayClaim() const {
    const auto busy = static_cast<int>(jobs_.size());
    return !draining_ && !paused_ && busy < flags_.concurrency &&
           (flags_.runs_max == 0 || claimed_ + claiming_ < flags_.runs_max);
  }

  void Claim() {
    while (MayClaim()) {
      auto run = queue_.Take(random_);
      if (!run) {
        if (queue_.LeftOut()) Refill();
        return;
      }
      JobOptions options = options_;
      options.session.name_space = run->name_space;
      options.session.name = run->name;
      JobListener& listener = *this;
      auto job = std::make_unique<Job>(api_, listener, std::move(options), random_.Next());
      Job& started = *job;
      ++claiming_;
      jobs_.emplace(&started, Worked{*run, std::move(job)});
      started.Start(run->uid, run->resource_version);
    }
  }

  // The reflector may be in the middle of an event.
  void Refill() {
    if (std::exchange(refilling_, true)) return;
    tool_.Loop().Post([this] {
      refilling_ = false;
      if (queue_.Size() == 0) watch_.Resync();
    });
  }

  void OnClaimed(Job& job) override {
    --claiming_;
    ++claimed_;
    queue_.Won();
    next_pause_ = kFirstPause;
    tool_.Log().Write({LogLevel::kInfo,
                       "claimed",
                       {{"run", jobs_.at(&job).run.name_space + '/' + jobs_.at(&job).run.name}}});
    leases_.Add(job);
    if (draining_) job.Drain();
  }

  void OnOver(Job& job, const JobResult& result) override {
    const Worked worked = std::move(jobs_.at(&job));
    jobs_.erase(&job);
    if (result.status) {
      leases_.Remove(job);
      Tell(worked.run, result);
    } else {
      --claiming_;
      NotClaimed(worked.run, result.over);
    }
    if (flags_.runs_max != 0 && claimed_ >= flags_.runs_max) draining_ = true;
    if (draining_ && jobs_.empty()) return Stop();
    Claim();
  }

  void NotClaimed(const PendingRun& run, const SessionOver& over) {
    switch (over.end) {
      case SessionEnd::kTaken:
      case SessionEnd::kTerminal:
      case SessionEnd::kNotFound:
        ++lost_;
        return queue_.Lost();
      default:
        break;
    }
    // The same again at once would be refused again; others may have the same trouble.
    tool_.Log().Write({LogLevel::kWarn, "a run could not be claimed", {{"error", over.text}}});
    queue_.Add(run);
    paused_ = true;
    pause_.Set(ReadClocks().mono + next_pause_, [this] {
      paused_ = false;
      Claim();
    });
    next_pause_ = std::min(2 * next_pause_, kLongestPause);
  }

  void Tell(const PendingRun& run, const JobResult& result) {
    const bool well = result.over.end == SessionEnd::kReported;
    LogLine line{
        well ? LogLevel::kInfo : LogLevel::kWarn,
        "over",
        {{"run", run.name_space + '/' + run.name}, {"status", std::to_string(*result.status)}}};
    if (!result.over.text.empty()) line.fields.emplace_back("detail", result.over.text);
    tool_.Log().Write(line);
  }

  void OnSignal(int signal) {
    if (signal != SIGCHLD) return BeginDrain();
    for (const auto& [job, worked] : jobs_) worked.job->CheckChild();
    ReapOrphans([this](pid_t pid) {
      return std::ranges::any_of(jobs_,
                                 [pid](const auto& each) { return each.second.job->IsChild(pid); });
    });
  }

  // Nothing more is claimed; what runs may end by itself for a while, and is then handed back. A
  // second signal does not wait.
  void BeginDrain() {
    const bool again = std::exchange(draining_, true);
    if (jobs_.empty()) return Stop();
    tool_.Log().Write({LogLevel::kInfo, "draining", {{"runs", std::to_string(jobs_.size())}}});
    const Nanos wait = again ? Nanos{} : Nanos(Seconds(flags_.drain_seconds));
    drain_.Set(ReadClocks().mono + wait, [this] {
      for (const auto& [job, worked] : jobs_) worked.job->Drain();
    });
  }

  void Stop() {
    stopped_ = true;
    tool_.Loop().Stop();
  }

  Tool& tool_;
  ApiClient& api_;
  const WorkFlags& flags_;
  const JobOptions options_;
  LeaseKeeper leases_;
  Random random_;
  ClaimQueue queue_{};
  std::unordered_map<Job*, Worked> jobs_{};
  int claiming_{0};
  int claimed_{0};
  int lost_{0};
  bool draining_{false};
  bool stopped_{false};
  bool paused_{false};
  bool refilling_{false};
  Nanos next_pause_{kFirstPause};
  Timer pause_;
  Timer drain_;
  QueueWatch watch_;
};

int Work(Tool& tool, const WorkFlags& flags) {
  if (const auto mistake = MistakeIn(flags.job)) return tool.FailUsage(*mistake);
  if (!IsDnsLabel(flags.lane)) {
    return tool.FailUsage("--lane: expected the name of a lane, found " + ShownText(flags.lane));
  }
  if (flags.concurrency < 1 || flags.concurrency > kConcurrencyMax) {
    return tool.FailUsage("--concurrency: expected 1 to " + std::to_string(kConcurrencyMax) +
                          ", found " + std::to_string(flags.concurrency));
  }
  if (const auto code = MissingCommand(tool, flags.job)) return *code;
  const auto api = tool.Api();
  if (!api) return tool.FailCredentials(api.error());
  return Crew(tool, **api, flags, JobOptionsOf(flags.job)).Run();
}

}  // namespace

void AddWork(const CommandLine& line) {
  const auto flags = std::make_shared<WorkFlags>();
  CLI::App& command = *line.app.add_subcommand(
      "work", "Claim the Pending runs of a lane and run a command for each");
  AddCommonFlags(command, line.flags);
  command.add_option("--lane", flags->lane, "The lane")->option_text("NAME")->required();
  command.add_flag("-A,--all-namespaces", flags->all_namespaces, "Runs of all namespaces");
  command.add_option("--concurrency", flags->concurrency, "Most runs at a time (default 1)")
      ->option_text("N");
  command.add_option("--max-runs", flags->runs_max, "Stop after so many (default 0: never)")
      ->option_text("N")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--drain", flags->drain_seconds,
                  "Seconds that work may go on after TERM before it is stopped and handed back "
                  "(default 0)")
      ->option_text("SECONDS")
      ->check(CLI::NonNegativeNumber);
  AddJobFlags(command, flags->job);
  command.callback(
      [line, flags] { line.chosen = [flags](Tool& tool) { return Work(tool, *flags); }; });
}

}  // namespace jobrun
