#include "worker/cli/lease_keeper.h"

#include <algorithm>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/wire/targets.h"
#include "worker/cli/identity.h"

namespace jobrun {
namespace {

constexpr Nanos kReleaseDeadline = std::chrono::seconds(2);

}  // namespace

class LeaseKeeper::Keeper final : private LeaseHeartbeatHost {
 public:
  Keeper(ApiClient& client, const std::string& name_space, const std::string& worker)
      : client_(client),
        heartbeat_(*this, client.Stamp(), name_space, worker, Seed()),
        wake_(client.Loop()) {}
  ~Keeper() override {
    if (request_ != 0) client_.Forget(request_);
  }

  void Add(Job& job) {
    jobs_.push_back(&job);
    heartbeat_.Beat(CadenceOfAll(), ReadClocks());
    Rearm();
  }

  void Remove(Job& job) {
    std::erase(jobs_, &job);
    jobs_.empty() ? heartbeat_.Pause() : heartbeat_.Beat(CadenceOfAll(), ReadClocks());
    Rearm();
  }

  [[nodiscard]] bool Made() const { return heartbeat_.Made(); }

 private:
  RequestId Send(Request request) override {
    request_ = client_.Send(std::move(request), [this](const Response& answer) {
      request_ = 0;
      heartbeat_.OnResponse(answer, ReadClocks());
      Rearm();
    });
    return request_;
  }
  void BeatAll() override {
    for (Job* job : jobs_) job->BeatNow();
  }
  [[nodiscard]] bool AllHaveBeaten() const override {
    return std::ranges::all_of(jobs_, [](const Job* job) { return job->Session().HasBeaten(); });
  }
  void OnRenewed(Clocks sent) override {
    for (Job* job : jobs_) job->OnLeaseRenewed(sent);
  }
  void Log(LogLine line) override { client_.Log().Write(line); }

  [[nodiscard]] Cadence CadenceOfAll() const {
    const auto hurry = [](const Job* job) { return job->Session().TheCadence().period; };
    return (*std::ranges::min_element(jobs_, {}, hurry))->Session().TheCadence();
  }

  void Rearm() {
    const auto next = heartbeat_.NextWake();
    if (!next) return wake_.Clear();
    wake_.Set(*next, [this] {
      heartbeat_.OnWake(ReadClocks());
      Rearm();
    });
  }

  ApiClient& client_;
  LeaseHeartbeat heartbeat_;
  Timer wake_;
  RequestId request_{0};
  std::vector<Job*> jobs_{};
};

LeaseKeeper::LeaseKeeper(ApiClient& client, std::string worker)
    : client_(client), worker_(std::move(worker)) {}

LeaseKeeper::~LeaseKeeper() = default;

void LeaseKeeper::Add(Job& job) {
  if (!job.Session().BeatsByLease()) return;
  const std::string& name_space = job.Session().Run().name_space;
  auto& keeper = keepers_[name_space];
  if (keeper == nullptr) keeper = std::make_unique<Keeper>(client_, name_space, worker_);
  keeper->Add(job);
}

void LeaseKeeper::Remove(Job& job) {
  const auto found = keepers_.find(job.Session().Run().name_space);
  if (found != keepers_.end()) found->second->Remove(job);
}

void LeaseKeeper::Release() {
  for (const auto& [name_space, keeper] : keepers_) {
    if (!keeper->Made()) continue;
    (void)client_.Call({.klass = RequestClass::kData,
                        .method = Method::kDelete,
                        .target = LeaseTarget(name_space, worker_),
                        .deadline = kReleaseDeadline});
  }
  keepers_.clear();
}

}  // namespace jobrun
