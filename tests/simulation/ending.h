// What must be so when the faults are over: whoever is dead or late is given up within the
// published bound, every retry has its end, nobody writes for nothing, and each run has ended as
// its worker's behaviour asks for.
#pragma once

#include <optional>
#include <string>

#include "tests/simulation/oracle.h"
#include "tests/simulation/worker.h"
#include "tests/simulation/world.h"

namespace jobrun::simulation {

class Ending {
 public:
  Ending(World& world, const Oracle& oracle, const Crew& crew)
      : world_(world), oracle_(oracle), crew_(crew) {}

  // The faults end now.
  void Begin();
  // Fails the world when something is overdue. True when nothing more is to come.
  [[nodiscard]] bool Settled();
  // It is settled when that has been so for a while from now on.
  void LookAgain() { calm_looks_ = 0; }
  [[nodiscard]] const std::string& Open() const { return open_; }
  // Empty when one leads, and each knows the runs there are, in the phases they are in.
  [[nodiscard]] std::string WhatIsNotKnown(const std::vector<Replica*>& alive) const;
  // Whether each run has ended as it may.
  void CheckEnds();
  // Since Settled first said so, nothing was written but what is written all the time.
  void BeginQuiet() { quiet_from_ = world_.server.History().size(); }
  void CheckQuiet();

 private:
  // When, in truth, the run is to be given up at the latest, but for the bound; nothing: never.
  [[nodiscard]] std::optional<Nanos> DueAt(const RunFacts& facts) const;
  // The same by what heartbeats do not excuse.
  [[nodiscard]] std::optional<Nanos> DueOfLimits(const RunFacts& facts) const;
  [[nodiscard]] std::optional<Nanos> DueOfSilence(const RunFacts& facts) const;
  [[nodiscard]] bool IsOver(const RunFacts& facts);
  [[nodiscard]] bool AwaitsItsPod(const Object& run) const;
  [[nodiscard]] bool MayBeLate(const Object& run) const;
  [[nodiscard]] bool MayEndSo(const Worker& worker, const Object& run) const;
  [[nodiscard]] Nanos Bound() const;
  [[nodiscard]] Nanos RelistedWithin() const;

  World& world_;
  const Oracle& oracle_;
  const Crew& crew_;
  Nanos began_{};
  int calm_looks_{0};
  std::string open_{};  // what is not settled, for people
  std::size_t quiet_from_{0};
};

}  // namespace jobrun::simulation
