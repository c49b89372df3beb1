#include "worker/cli/runs_watch.h"

#include <utility>

#include "controller/base/real_clock.h"
#include "worker/cli/identity.h"

namespace jobrun {

RunsWatch::RunsWatch(ApiClient& client, WatchScope scope)
    : client_(client),
      scope_(std::move(scope)),
      wake_(client.Loop()),
      reflector_(*this,
                 {.if_missing = "it is not installed there: kubectl apply -f crds/jobruns.yaml",
                  .if_forbidden = "get, list and watch on jobruns.jobrun.dev are needed"},
                 Seed()) {}

RunsWatch::~RunsWatch() {
  client_.Close(stream_);
  if (request_ != 0) client_.Forget(request_);
}

void RunsWatch::Start() {
  reflector_.Start(ReadClocks().mono);
  Turned();
}

void RunsWatch::Resync() {
  reflector_.Resync(ReadClocks().mono);
  Turned();
}

std::string RunsWatch::ListTarget(const ListOptions& options) const {
  return jobrun::ListTarget(scope_, options);
}

std::string RunsWatch::WatchTarget(const WatchOptions& options) const {
  return jobrun::WatchTarget(scope_, options);
}

Result<EventDecoder::Page> RunsWatch::ReadPage(const std::string& body) {
  return decoder_.DecodePage(
      body, [this](const Event& event) { OnEvent(event, true); }, body.capacity());
}

RequestId RunsWatch::Send(Request request) {
  request.klass = RequestClass::kData;
  request_ = client_.Send(std::move(request), [this](const Response& answer) {
    request_ = 0;
    reflector_.OnResponse(answer, ReadClocks().mono);
    Turned();
  });
  return request_;
}

StreamId RunsWatch::Open(OpenStream stream) {
  stream_ = client_.Open(std::move(stream), *this);
  return stream_;
}

void RunsWatch::Close(StreamId stream) { client_.Close(stream); }

void RunsWatch::OnProblem(std::string_view problem) {
  if (problem.empty()) {
    client_.Log().Write({LogLevel::kInfo, "the runs can be watched again"});
  } else {
    client_.Log().Write({LogLevel::kWarn,
                         "the runs can't be watched; trying again",
                         {{"error", std::string(problem)}}});
  }
}

void RunsWatch::OnStreamOpened(const StreamOpened& opened) {
  reflector_.OnOpened(opened, ReadClocks().mono);
  Turned();
}

void RunsWatch::OnStreamEvents(const StreamEvents& events) {
  reflector_.OnEvents(events, ReadClocks().mono);
  Turned();
}

void RunsWatch::OnStreamClosed(const StreamClosed& closed) {
  reflector_.OnClosed(closed, ReadClocks().mono);
  Turned();
}

// After whatever the reflector was told.
void RunsWatch::Turned() {
  if (const auto next = reflector_.NextWake()) {
    wake_.Set(*next, [this] {
      reflector_.OnWake(ReadClocks().mono);
      Turned();
    });
  } else {
    wake_.Clear();
  }
  OnTurn(reflector_.Synced());
}

}  // namespace jobrun
