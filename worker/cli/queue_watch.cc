#include "worker/cli/queue_watch.h"

#include <utility>

#include "controller/base/real_clock.h"
#include "controller/wire/worker_patch.h"
#include "worker/cli/identity.h"

namespace jobrun {
namespace {

// Pending is also a run without a phase, which only "none of the others" selects.
WatchScope ScopeOf(const QueueWatch::What& what) {
  return {.name_space = what.name_space,
          .field_selector = "spec.lane=" + what.lane +
                            ",status.phase!=Running,status.phase!=Succeeded,status.phase!=Failed,"
                            "status.phase!=Stuck"};
}

}  // namespace

QueueWatch::QueueWatch(ApiClient& client, ClaimQueue& queue, What what,
                       std::function<void()> changed)
    : client_(client),
      queue_(queue),
      what_(std::move(what)),
      scope_(ScopeOf(what_)),
      changed_(std::move(changed)),
      wake_(client.Loop()),
      reflector_(*this,
                 {.if_missing = "it is not installed there: kubectl apply -f crds/jobruns.yaml",
                  .if_forbidden = "a worker needs get, list and watch on jobruns.jobrun.dev"},
                 Seed()) {}

QueueWatch::~QueueWatch() {
  client_.Close(stream_);
  if (request_ != 0) client_.Forget(request_);
}

void QueueWatch::Start() {
  reflector_.Start(ReadClocks().mono);
  Turned();
}

void QueueWatch::Resync() {
  reflector_.Resync(ReadClocks().mono);
  Turned();
}

std::string QueueWatch::ListTarget(const ListOptions& options) const {
  return jobrun::ListTarget(scope_, options);
}

std::string QueueWatch::WatchTarget(const WatchOptions& options) const {
  return jobrun::WatchTarget(scope_, options);
}

Result<EventDecoder::Page> QueueWatch::ReadPage(const std::string& body) {
  return decoder_.DecodePage(
      body, [this](const Event& event) { OnEvent(event, true); }, body.capacity());
}

RequestId QueueWatch::Send(Request request) {
  request.klass = RequestClass::kData;
  request_ = client_.Send(std::move(request), [this](const Response& answer) {
    request_ = 0;
    reflector_.OnResponse(answer, ReadClocks().mono);
    Turned();
  });
  return request_;
}

StreamId QueueWatch::Open(OpenStream stream) {
  stream_ = client_.Open(std::move(stream), *this);
  return stream_;
}

void QueueWatch::Close(StreamId stream) { client_.Close(stream); }

void QueueWatch::OnEvent(const Event& event, bool) {
  if (event.type == EventType::kInvalid) return;  // the controller tells of those
  const ObservedRun& run = event.run;
  const bool pending = event.type != EventType::kDeleted && run.phase == Phase::kPending;
  const auto order = ReadWorkOrder(run.spec_json);
  const bool may = order && (order->assigned_to.empty() || order->assigned_to == what_.worker);
  if (!pending || !may || run.cancelled || run.being_deleted) return queue_.Remove(run.uid);
  queue_.Add({.name_space = std::string(run.name_space),
              .name = std::string(run.name),
              .uid = run.uid,
              .resource_version = run.resource_version,
              .created = run.created});
}

void QueueWatch::OnProblem(std::string_view problem) {
  if (problem.empty()) {
    client_.Log().Write({LogLevel::kInfo, "the runs of the lane can be watched again"});
  } else {
    client_.Log().Write({LogLevel::kWarn,
                         "the runs of the lane can't be watched; trying again",
                         {{"error", std::string(problem)}}});
  }
}

void QueueWatch::OnStreamOpened(const StreamOpened& opened) {
  reflector_.OnOpened(opened, ReadClocks().mono);
  Turned();
}

void QueueWatch::OnStreamEvents(const StreamEvents& events) {
  reflector_.OnEvents(events, ReadClocks().mono);
  Turned();
}

void QueueWatch::OnStreamClosed(const StreamClosed& closed) {
  reflector_.OnClosed(closed, ReadClocks().mono);
  Turned();
}

// After whatever the reflector was told.
void QueueWatch::Turned() {
  if (const auto next = reflector_.NextWake()) {
    wake_.Set(*next, [this] {
      reflector_.OnWake(ReadClocks().mono);
      Turned();
    });
  } else {
    wake_.Clear();
  }
  changed_();
}

}  // namespace jobrun
