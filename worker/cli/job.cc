#include "worker/cli/job.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "controller/base/real_clock.h"

namespace jobrun {
namespace {

constexpr Nanos kProgressFilePoll = std::chrono::seconds(1);

int StatusOf(const Error& error) {
  return error.code == Code::kNotFound ? kStatusNotFound : kStatusNotExecutable;
}

}  // namespace

Job::Job(ApiClient& client, JobListener& listener, JobOptions options, std::uint64_t seed)
    : client_(client),
      listener_(listener),
      options_(std::move(options)),
      session_(*this, client.Stamp(), client.Decoder(), options_.session, seed),
      wake_(client.Loop()),
      kill_(client.Loop()),
      progress_wake_(client.Loop()) {}

Job::~Job() {
  if (request_ != 0) client_.Forget(request_);
  SignalGroup(child_, SIGKILL);
}

void Job::Start() {
  session_.Start(ReadClocks());
  Rearm();
}

void Job::Start(Uid uid, std::uint64_t resource_version) {
  session_.Start(uid, resource_version, ReadClocks());
  Rearm();
}

RequestId Job::Send(Request request) {
  request_ = client_.Send(std::move(request), [this](const Response& answer) { OnAnswer(answer); });
  return request_;
}

void Job::OnAnswer(const Response& response) {
  if (request_ == response.id) request_ = 0;
  session_.OnResponse(response, ReadClocks());
  Rearm();
}

void Job::Rearm() {
  const std::optional<Mono> next = session_.NextWake();
  if (!next) return wake_.Clear();
  wake_.Set(*next, [this] {
    session_.OnWake(ReadClocks());
    Rearm();
  });
}

void Job::OnClaimed(const ClaimedRun&) {
  // The session is in the middle of an answer.
  client_.Loop().Post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) Begin();
  });
}

void Job::Begin() {
  listener_.OnClaimed(*this);
  if (stop_ != StopCause::kNone) {  // cancelled, or we are to stop, before it could begin
    return Ended(kStatusSignalBase + SIGTERM, why_);
  }
  const Result<pid_t> child = StartWork();
  if (!child) {
    Log({LogLevel::kError, "the work could not be started", {{"error", child.error().ToString()}}});
    return Ended(StatusOf(child.error()), child.error().ToString());
  }
  child_ = *child;
}

Result<pid_t> Job::StartWork() {
  const ClaimedRun& run = session_.Run();
  ChildOptions child{.command = options_.command,
                     .environment = {{"JOBRUN_NAME", run.name},
                                     {"JOBRUN_NAMESPACE", run.name_space},
                                     {"JOBRUN_LANE", run.lane},
                                     {"JOBRUN_ATTEMPT", std::to_string(run.attempt)},
                                     {"JOBRUN_WORKER", options_.session.worker}},
                     .foreground = options_.foreground};
  if (!run.payload_json.empty()) {
    auto payload = PayloadFile::Make(run.payload_json);
    if (!payload) return payload.error();
    payload_.emplace(std::move(*payload));
    child.environment.emplace_back("JOBRUN_PAYLOAD_FILE", payload_->path());
  }
  auto pipe = ProgressPipe::Make();
  if (!pipe) return pipe.error();
  pipe_.emplace(std::move(*pipe));
  child.passed_as = FreeChildFd();
  if (child.passed_as >= 0) {
    child.passed_fd = pipe_->WriteEnd();
    child.environment.emplace_back("JOBRUN_PROGRESS_FD", std::to_string(child.passed_as));
  }
  Result<pid_t> started = StartChild(child);
  pipe_->CloseWriteEnd();
  if (!started) return started;
  pipe_readable_ =
      std::make_unique<Readable>(client_.Loop(), pipe_->ReadEnd(), [this] { ReadProgress(); });
  pipe_readable_->Await();
  if (!options_.progress_file.empty()) ReadProgressFile();
  return started;
}

void Job::ReadProgress() {
  const bool more = pipe_->Drain(lines_);
  if (const auto line = lines_.Take()) session_.OnProgress(*line, ReadClocks());
  if (more) pipe_readable_->Await();
  Rearm();
}

void Job::ReadProgressFile() {
  const auto line = ReadLastLine(options_.progress_file);
  if (line && *line != file_progress_) {
    file_progress_ = *line;
    session_.OnProgress(*line, ReadClocks());
    Rearm();
  }
  progress_wake_.Set(ReadClocks().mono + kProgressFilePoll, [this] { ReadProgressFile(); });
}

void Job::OnStopAsked(StopCause cause, const std::string& why) {
  stop_ = cause;
  why_ = why;
  if (child_ == 0) return;
  Log({LogLevel::kError, "stopping the work", {{"reason", why}}});
  Stop();
}

void Job::Stop() {
  SignalGroup(child_, SIGTERM);
  SignalGroup(child_, SIGCONT);  // what is stopped would not notice
  kill_.Set(ReadClocks().mono + options_.grace, [this] { SignalGroup(child_, SIGKILL); });
}

void Job::Forward(int signal) {
  if (signal == SIGTERM && stop_ == StopCause::kNone) {
    stop_ = StopCause::kDrained;
    why_ = "the worker was asked to stop";
  }
  SignalGroup(child_, signal);
}

void Job::Drain() {
  Forward(SIGTERM);
  if (child_ != 0) Stop();
}

void Job::CheckChild() {
  const std::optional<int> status = child_ == 0 ? std::nullopt : StatusIfEnded(child_);
  if (!status) return;
  // What must stop stops with all that it has started. Work that is handed back ends as it likes.
  if (stop_ > StopCause::kDrained) SignalGroup(child_, SIGKILL);
  Reap(child_);
  child_ = 0;
  if (pipe_readable_ != nullptr) ReadProgress();
  if (!options_.progress_file.empty()) ReadProgressFile();
  Ended(*status, stop_ == StopCause::kNone ? "" : why_);
}

void Job::Ended(int status, std::string message) {
  status_ = status;
  kill_.Clear();
  progress_wake_.Clear();
  session_.OnWorkEnded({.status = status, .cause = stop_, .message = std::move(message)},
                       ReadClocks());
  Rearm();
}

void Job::OnOver(const SessionOver& over) {
  client_.Loop().Post([this, over, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) listener_.OnOver(*this, {over, status_});
  });
}

void Job::Log(LogLine line) { client_.Log().Write(line); }

void Job::OnLeaseRenewed(Clocks sent) {
  session_.OnLeaseRenewed(sent);
  Rearm();
}

void Job::BeatNow() {
  session_.BeatNow(ReadClocks());
  Rearm();
}

}  // namespace jobrun
