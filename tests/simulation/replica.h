// One replica of the controller: the production engine with clocks of its own, in a process that
// can be paused, suspended, killed between any two effects, and started again.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "controller/engine/engine.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/world.h"

namespace jobrun::simulation {

class Network;

class Replica {
 public:
  Replica(World& world, Network& network, Oracle& oracle, int index);

  void Start();
  // What becomes of it when it ends by itself.
  void OnExit(std::function<void(ExitCause)> what) { on_exit_ = std::move(what); }
  // Gone without a word, as by SIGKILL.
  void Crash();
  // As by SIGTERM: finishes what is in flight. Gone after `at_most` in any case.
  void Stop(Nanos at_most);
  void Pause(Nanos length);
  void PauseBeforeNextWrite(Nanos length) { pause_before_write_ = length; }
  void CrashAfterEffects(std::uint64_t effects) { effects_left_ = effects; }
  void Suspend(Nanos length);
  void SetRate(double rate);
  void Reload(const Settings& settings);
  // The next process is that of another pod.
  void NewPod() { ++pod_; }
  void SetSettings(const Settings& settings) { settings_ = settings; }

  [[nodiscard]] bool Alive() const { return engine_ != nullptr; }
  [[nodiscard]] bool Paused() const { return resumes_ > world_.Now(); }
  [[nodiscard]] int Index() const { return index_; }
  // Tells this process from others that ran here.
  [[nodiscard]] std::uint64_t Process() const { return process_; }
  [[nodiscard]] std::string ProcessId() const;
  [[nodiscard]] std::string Identity() const;
  [[nodiscard]] const Settings& Configured() const { return settings_; }
  [[nodiscard]] Clocks ReadClocks() const;
  [[nodiscard]] double Rate() const { return rate_; }
  // It stood still between deciding and doing what it does now.
  [[nodiscard]] bool Delayed() const { return delayed_; }
  // The true time at which the monotonic clock shows this.
  [[nodiscard]] Nanos TrueTime(Mono mono) const;

  // Lets the process do this now, or when it runs again; never when it is another by then.
  void Post(std::uint64_t process, std::function<void()> what);
  void Step(const Input& input);
  [[nodiscard]] std::string Explain(const std::string& name_space, const std::string& name);
  [[nodiscard]] Snapshot Scrape();

 private:
  struct Performer;

  void Perform(Effects effects, std::size_t from);
  void ArmWake();
  void PlanWake();
  void OnWakeTimer(std::uint64_t process);
  void Resume();
  void Rebase();
  [[nodiscard]] std::string Name() const { return "replica " + std::to_string(index_); }

  World& world_;
  Network& network_;
  Oracle& oracle_;
  int index_;
  int pod_{0};
  std::uint64_t process_{0};
  Settings settings_;
  std::unique_ptr<Engine> engine_;
  // The clocks read so much at the true time `base_`, and run on at `rate_`.
  Nanos base_{};
  Mono mono_base_{std::chrono::hours(1)};
  Nanos slept_{};
  double rate_{1};
  Mono wake_{Mono::max()};  // as the engine asks
  Mono turn_{Mono::max()};  // the next turn comes no earlier by itself
  Nanos wake_planned_{Nanos::max()};
  Nanos resumes_{};
  std::deque<std::function<void()>> inbox_;
  Nanos pause_before_write_{};
  bool delayed_{false};
  std::uint64_t effects_left_{0};  // 0: it does not die of them
  std::uint64_t next_question_{1};
  std::map<std::uint64_t, Answer> answers_{};
  std::function<void(ExitCause)> on_exit_{};
};

}  // namespace jobrun::simulation
