// One run and the process that does its work: a session, a child, and what passes between them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/event_loop.h"
#include "worker/cli/api_client.h"
#include "worker/process/child_process.h"
#include "worker/process/payload_file.h"
#include "worker/process/progress_pipe.h"
#include "worker/session/run_session.h"

namespace jobrun {

struct JobOptions {
  SessionOptions session{};
  std::vector<std::string> command{};
  Nanos grace{std::chrono::seconds(10)};  // between TERM and KILL of work that must stop
  std::string progress_file{};            // its last line is the progress; empty: none
  bool foreground{false};                 // the work gets the terminal
};

struct JobResult {
  SessionOver over{};
  std::optional<int> status{};  // of the work, as a shell has it; nothing when it never began
};

class Job;
class JobListener {
 public:
  virtual ~JobListener() = default;
  virtual void OnClaimed(Job& job) = 0;
  // Last of all, once; not from within a call of Job's. The job may be destroyed in it.
  virtual void OnOver(Job& job, const JobResult& result) = 0;
};

// Belongs to the loop's thread. Destroyed while its work runs it kills it.
class Job : private SessionHost {
 public:
  // `client` and `listener` outlive it. `seed` makes its jitter.
  Job(ApiClient& client, JobListener& listener, JobOptions options, std::uint64_t seed);
  ~Job() override;

  // As RunSession's.
  void Start();
  void Start(Uid uid, std::uint64_t resource_version);

  // A child of this process has ended: looks whether it was this job's, and reaps it then.
  void CheckChild();
  [[nodiscard]] bool IsChild(pid_t pid) const { return child_ == pid; }
  // Passes a signal on to the work. TERM means that this worker is to stop: work that it ends is
  // handed back. Before the work has begun it never will.
  void Forward(int signal);
  // The same with TERM, and with KILL after the grace.
  void Drain();

  void OnLeaseRenewed(Clocks sent);
  void BeatNow();
  [[nodiscard]] const RunSession& Session() const { return session_; }

 private:
  RequestId Send(Request request) override;
  void OnClaimed(const ClaimedRun& run) override;
  void OnStopAsked(StopCause cause, const std::string& why) override;
  void OnOver(const SessionOver& over) override;
  void Log(LogLine line) override;

  void OnAnswer(const Response& response);
  void Begin();
  [[nodiscard]] Result<pid_t> StartWork();
  void Stop();
  void Ended(int status, std::string message);
  void ReadProgress();
  void ReadProgressFile();
  void Rearm();

  ApiClient& client_;
  JobListener& listener_;
  const JobOptions options_;
  RunSession session_;
  Timer wake_;
  Timer kill_;
  Timer progress_wake_;
  RequestId request_{0};

  std::optional<PayloadFile> payload_{};
  std::optional<ProgressPipe> pipe_{};
  std::unique_ptr<Readable> pipe_readable_{};
  ProgressLines lines_{};
  std::string file_progress_{};
  pid_t child_{0};
  std::optional<int> status_{};
  StopCause stop_{StopCause::kNone};
  std::string why_{};
  std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};  // what posted functions look at
};

}  // namespace jobrun
