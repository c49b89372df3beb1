// What users, kubelets and other parties do to runs; and who takes up the work.
#include <algorithm>

#include "tests/simulation/worker.h"

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kSpamEvery = seconds(2);

}  // namespace

// ---- to one run ----

void Worker::Cancel() {
  world_.Hit(Fault::kCancelled);
  Send(Method::kPatch, Run(), R"({"spec":{"cancelled":true}})", [this](const Reply& reply) {
    if (reply.status == 200 || reply.status == 404) return;
    world_.time.In(seconds(1), [this] { Cancel(); });
  });
}

void Worker::DeleteRun() {
  deleted_ = true;
  world_.Hit(Fault::kDeleted);
  Send(Method::kDelete, Run(), "", [](const Reply&) {});
}

// Makes its limits shorter or longer.
void Worker::Edit(std::uint64_t size) {
  world_.Hit(Fault::kEdited);
  const Seconds interval = *job_.spec.heartbeat_interval;
  const Seconds timeout = interval * static_cast<int>(2 + size % 3);
  Send(Method::kPatch, Run(),
       R"({"spec":{"heartbeat":{"timeoutSeconds":)" + std::to_string(timeout.count()) + "}}}",
       [this, timeout](const Reply& reply) {
         if (reply.status == 200) job_.spec.heartbeat_timeout = timeout;
       });
}

void Worker::Spam() {
  if (!world_.faults_on) return;
  world_.Hit(Fault::kAnnotationSpam);
  const std::string note = std::to_string(world_.Now().count());
  Send(Method::kPatch, Run(), R"({"metadata":{"annotations":{"note":")" + note + "\"}}}",
       [this](const Reply& reply) {
         if (reply.status == 404) return;
         world_.time.In(kSpamEvery, [this] { Spam(); });
       });
}

// Another party's condition, which everybody has to leave alone.
void Worker::AddCondition() {
  Patch(R"("conditions":[{"type":"Checked","status":"True","reason":"Ok","message":"",)"
        R"("lastTransitionTime":"2026-11-22T00:00:00Z"}])",
        [](const Reply&) {});
}

void Worker::MakePod() {
  const std::string pod = "pod-" + name_;
  Send(Method::kPost, "/api/v1/namespaces/" + job_.name_space + "/pods",
       R"({"metadata":{"name":")" + pod +
           R"("},"spec":{"nodeName":"n"},"status":{"phase":"Running"}})",
       [this, pod](const Reply& reply) {
         if (reply.status != 201) return;
         const std::string uid(Unquoted(MemberText(MemberText(reply.body, "metadata"), "uid")));
         Patch(R"("executor":{"podName":")" + pod + R"(","podUID":")" + uid + "\"}",
               [](const Reply&) {});
       });
}

void Worker::LosePod() {
  world_.Hit(Fault::kPodLost);
  Send(Method::kDelete, "/api/v1/namespaces/" + job_.name_space + "/pods/pod-" + name_, "",
       [this](const Reply& reply) {
         if (reply.status == 200 || reply.status == 404) return;
         world_.time.In(seconds(1), [this] { LosePod(); });
       });
}

// ---- all of them ----

void Crew::Start() {
  for (std::size_t i = 0; i < world_.plan.jobs.size(); ++i) {
    workers_.push_back(
        std::make_unique<Worker>(world_, network_, world_.plan.jobs[i], "w" + std::to_string(i)));
    Worker* const worker = workers_.back().get();
    world_.time.At(world_.plan.jobs[i].created, [worker] { worker->Create(); });
  }
}

void Crew::OnChange(const Change& change) {
  if (change.type != ChangeType::kAdded || change.object->kind != Kind::kRun) return;
  if (change.object->spec->contains("retryOf")) TakeUp(change.object);
}

// A successor finishes, or dies as the run before it did.
void Crew::TakeUp(const ObjectPtr& run) {
  const std::string parent(Unquoted(MemberText(run->spec->at("retryOf"), "uid")));
  const Worker* const before = Of(parent);
  Job job;
  if (before != nullptr) job = before->GetJob();
  job.name = run->name;
  job.name_space = run->name_space;
  job.finalizer = false;
  job.spammed = false;
  job.forged_claim = false;
  job.stamps = Stamps::kRight;
  const bool again = world_.workers.Below(3) == 0 && job.behaviour == Behaviour::kDies;
  if (!again && job.behaviour != Behaviour::kHandsBack) job.behaviour = Behaviour::kFinishes;
  if (job.behaviour == Behaviour::kHandsBack) {
    job.behaviour = world_.workers.Below(2) == 0 ? Behaviour::kHandsBack : Behaviour::kFinishes;
  }
  job.works_for = seconds(2 + world_.workers.Below(10));
  workers_.push_back(
      std::make_unique<Worker>(world_, network_, job, "w" + std::to_string(workers_.size())));
  workers_.back()->LookForIt(milliseconds(100 + world_.workers.Below(4000)));
}

Worker* Crew::Of(const std::string& uid) const {
  Worker* one = nullptr;
  for (const auto& worker : workers_) {
    if (worker->Uid() != uid) continue;
    if (one == nullptr || worker->HasClaimed()) one = worker.get();
  }
  return one;
}

void Crew::Act(const Action& action) {
  if (workers_.empty()) return;
  Worker& one = *workers_[action.size % workers_.size()];
  switch (action.fault) {
    case Fault::kWorkerHalfOpen:
      return one.HalfOpen(action.length);
    case Fault::kDeleted:
      return one.DeleteRun();
    case Fault::kRecreated:
      one.DeleteRun();
      return world_.time.In(milliseconds(action.size % 3000), [this, job = one.GetJob()] {
        world_.Hit(Fault::kRecreated);
        workers_.push_back(
            std::make_unique<Worker>(world_, network_, job, "w" + std::to_string(workers_.size())));
        workers_.back()->Create();
      });
    case Fault::kEdited:
      return one.Edit(action.size);
    case Fault::kCancelled:
      return one.Cancel();
    case Fault::kSuccessorDeleted:
      return DeleteASuccessor(action.size);
    case Fault::kForeignSuccessor:
      return TakeANameFirst(action.size);
    default:
      return;
  }
}

void Crew::DeleteASuccessor(std::uint64_t size) {
  std::vector<ObjectPtr> successors;
  for (const auto& [key, run] : world_.server.All(Kind::kRun)) {
    if (run->spec->contains("retryOf")) successors.push_back(run);
  }
  if (successors.empty()) return;
  const ObjectPtr& run = successors[size % successors.size()];
  world_.Hit(Fault::kSuccessorDeleted);
  network_.Call(
      {.method = Method::kDelete,
       .target = "/apis/jobrun.dev/v1/namespaces/" + run->name_space + "/jobruns/" + run->name,
       .manager = "user"},
      [](const Reply&) {});
}

// Somebody else's object has the name that a successor is to get.
void Crew::TakeANameFirst(std::uint64_t size) {
  std::vector<ObjectPtr> waiting;
  for (const auto& [key, run] : world_.server.All(Kind::kRun)) {
    const auto retry = run->status.find("retry");
    if (retry != run->status.end() && MemberText(retry->second, "state") == "\"Pending\"") {
      waiting.push_back(run);
    }
  }
  if (waiting.empty()) return;
  const ObjectPtr& run = waiting[size % waiting.size()];
  const std::string name = MemberText(run->status.at("retry"), "successorName");
  world_.Hit(Fault::kForeignSuccessor);
  network_.Call({.method = Method::kPost,
                 .target = "/apis/jobrun.dev/v1/namespaces/" + run->name_space + "/jobruns",
                 .content_type = "application/json",
                 .body = R"({"metadata":{"name":)" + name + R"(},"spec":{"reaping":"Disabled"}})",
                 .manager = "user"},
                [](const Reply&) {});
}

}  // namespace jobrun::simulation
