#include "worker/cli/queue_watch.h"

#include <utility>

#include "controller/wire/worker_patch.h"

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

QueueWatch::QueueWatch(ApiClient& client, ClaimQueue& queue, const What& what,
                       std::function<void()> changed)
    : RunsWatch(client, ScopeOf(what)),
      queue_(queue),
      worker_(what.worker),
      changed_(std::move(changed)) {}

void QueueWatch::OnEvent(const Event& event, bool) {
  if (event.type == EventType::kInvalid) return;  // the controller tells of those
  const ObservedRun& run = event.run;
  const bool pending = event.type != EventType::kDeleted && run.phase == Phase::kPending;
  const auto order = ReadWorkOrder(run.spec_json);
  const bool may = order && (order->assigned_to.empty() || order->assigned_to == worker_);
  if (!pending || !may || run.cancelled || run.being_deleted) return queue_.Remove(run.uid);
  queue_.Add({.name_space = std::string(run.name_space),
              .name = std::string(run.name),
              .uid = run.uid,
              .resource_version = run.resource_version,
              .created = run.created});
}

}  // namespace jobrun
