// Lets the faults of a plan befall the world, and takes them back when their time is over.
#pragma once

#include <memory>
#include <vector>

#include "tests/simulation/network.h"
#include "tests/simulation/replica.h"
#include "tests/simulation/worker.h"
#include "tests/simulation/world.h"

namespace jobrun::simulation {

class Storm {
 public:
  struct Parts {
    World& world;
    Network& network;
    Oracle& oracle;
    Crew& crew;
    std::vector<std::unique_ptr<Replica>>& replicas;  // the last one is the rogue
  };
  explicit Storm(const Parts& parts) : parts_(parts) {}

  void Plan();
  // A process that gave up is started again, as a kubelet does.
  void OnExit(Replica& replica, ExitCause cause);
  // From now on nothing bad happens any more, but that one replica may stay away.
  void Calm();

 private:
  void Act(const Action& action);
  bool ActOnNetwork(const Action& action);
  bool ActOnServer(const Action& action);
  bool ActOnProcess(Replica& replica, const Action& action);
  void LoopCrashes(Replica& replica, Nanos end);
  void SlowDown(Replica& replica, Nanos end);
  void MangleLease(std::uint64_t size);
  void Reload(const Action& action);
  void ReloadAll(const Settings& settings);
  void StartIn(Replica& replica, Nanos wait);

  Parts parts_;
  bool calm_{false};
};

}  // namespace jobrun::simulation
