#include "tests/simulation/world.h"

#include <utility>

#include "controller/base/rfc3339.h"

namespace jobrun::simulation {
namespace {

const ServerTime kEpoch = *ParseRfc3339("2026-11-22T00:00:00Z");

}  // namespace

World::World(Plan drawn)
    : plan(std::move(drawn)),
      server(SubSeed(plan.seed, 2), kEpoch),
      network(SubSeed(plan.seed, 3)),
      workers(SubSeed(plan.seed, 4)),
      processes(SubSeed(plan.seed, 5)) {
  server.SetSelects(!plan.old_definition);
}

bool World::Struck(Fault fault, int where) {
  if (!Holds(fault, where)) return false;
  Hit(fault);
  return true;
}

void World::Begin(const Action& action) {
  auto& places = until[static_cast<std::size_t>(action.fault)];
  for (int place = 0; place < kPlaces; ++place) {
    if (action.where == kEverywhere || action.where == place) {
      Nanos& end = places[static_cast<std::size_t>(place)];
      end = std::max(end, Now() + action.length);
    }
  }
}

bool World::Befalls(Fault fault, double rate) {
  if (!faults_on || rate <= 0) return false;
  if (network.Unit() >= rate) return false;
  Hit(fault);
  return true;
}

void World::Fail(std::string invariant, std::string what) {
  if (failure) return;
  trace.Line(Now(), "oracle", invariant, what);
  failure = Failure{std::move(invariant), std::move(what), Now()};
}

}  // namespace jobrun::simulation
