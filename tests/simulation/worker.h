// Workers as docs/workers.md wants them, and as they are: slow, dead, back from the dead, with
// clocks that are wrong or stand still. And the users who create their runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace jobrun::simulation {

// One run and whoever works on it.
class Worker {
 public:
  Worker(World& world, Network& network, Job job, std::string name);
  virtual ~Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // From the creation of the run on; or, for a successor, from its claim.
  void Create();
  void LookForIt(Nanos wait);

  [[nodiscard]] const Job& GetJob() const { return job_; }
  [[nodiscard]] const std::string& Name() const { return name_; }
  [[nodiscard]] const std::string& Uid() const { return uid_; }
  // It beats, and will for ever if nobody stops it.
  [[nodiscard]] bool LivesOn() const {
    return state_ == State::kWorking && ended_ && works_ && Beats() &&
           job_.behaviour != Behaviour::kFrozen;
  }
  [[nodiscard]] bool HasClaimed() const { return claimed_; }
  // It has yet to find its run, or to claim it.
  [[nodiscard]] bool Coming() const {
    return state_ == State::kWaiting && job_.behaviour != Behaviour::kUnclaimed;
  }
  // It has something left to do but to beat.
  [[nodiscard]] bool Busy() const { return state_ == State::kWorking && (!ended_ || !works_); }
  void HalfOpen(Nanos length) { cut_until_ = world_.Now() + length; }
  void Cancel();
  void DeleteRun();
  void Edit(std::uint64_t size);
  [[nodiscard]] std::string Key() const { return job_.name_space + "/" + job_.name; }
  [[nodiscard]] bool WasDeleted() const { return deleted_; }

 private:
  enum class State : std::uint8_t { kWaiting, kWorking, kGone };
  using Done = std::function<void(const Reply&)>;

  void Patch(const std::string& status, Done done, const std::string& version = {});
  void Send(Method method, std::string target, std::string body, Done done);
  void TryClaim();
  void Claim(const std::string& version);
  void Begin();
  void BeatLater();
  void Beat();
  void OnBeaten(const Reply& reply);
  void Fenced();
  void End();
  void Report(const std::string& status);
  void MakePod();
  void LosePod();
  void Spam();
  void AddCondition();
  // Beats in a Lease: beats first, makes it, renews it.
  void BeatBeforeLease();
  void MakeLease();
  void Renew();
  [[nodiscard]] std::string Stamp();
  [[nodiscard]] std::string Run() const;
  [[nodiscard]] bool ByLease() const {
    return job_.spec.heartbeat_source == HeartbeatSource::kLease;
  }
  [[nodiscard]] bool Beats() const;
  [[nodiscard]] std::string LeaseTarget() const;

  World& world_;
  Network& network_;
  Job job_;
  std::string name_;
  std::string uid_{};
  State state_{State::kWaiting};
  bool claimed_{false};
  bool ended_{false};  // what its behaviour wants of it is done
  bool works_{true};   // false: its end has been reported, or nothing is to come of it
  bool deleted_{false};
  bool lease_made_{false};
  Nanos beaten_{};  // before the Lease is made
  Nanos ends_{};
  Nanos cut_until_{};
  std::string claim_time_{};
  std::uint64_t beats_{0};
};

// All of them; also those who take up successors.
class Crew {
 public:
  Crew(World& world, Network& network) : world_(world), network_(network) {}

  void Start();
  // Somebody takes up what was created.
  void OnChange(const Change& change);
  void Act(const Action& action);
  [[nodiscard]] Worker* Of(const std::string& uid) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Worker>>& All() const { return workers_; }

 private:
  void TakeUp(const ObjectPtr& run);
  void DeleteASuccessor(std::uint64_t size);
  void TakeANameFirst(std::uint64_t size);

  World& world_;
  Network& network_;
  std::vector<std::unique_ptr<Worker>> workers_{};
};

}  // namespace jobrun::simulation
