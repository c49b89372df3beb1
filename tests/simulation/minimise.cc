#include "tests/simulation/minimise.h"

#include <array>
#include <utility>

#include "tests/simulation/simulation.h"

namespace jobrun::simulation {
namespace {

constexpr std::array kRates = {&Rates::lose_request, &Rates::lose_answer, &Rates::late_commit,
                               &Rates::server_error, &Rates::throttle,    &Rates::duplicate,
                               &Rates::reorder,      &Rates::replay,      &Rates::hide,
                               &Rates::split,        &Rates::cut};

class Minimiser {
 public:
  Minimiser(Plan plan, std::string invariant)
      : plan_(std::move(plan)), invariant_(std::move(invariant)) {}

  Plan Run() {
    bool smaller = true;
    while (smaller) {
      smaller = DropRates();
      smaller = DropFrom(plan_.actions, &Plan::actions) || smaller;
      smaller = DropFrom(plan_.jobs, &Plan::jobs) || smaller;
    }
    return plan_;
  }

 private:
  // Keeps the plan when it still fails as it did.
  bool Keep(Plan smaller) {
    const Outcome outcome = Simulate(smaller);
    if (!outcome.failure || outcome.failure->invariant != invariant_) return false;
    plan_ = std::move(smaller);
    return true;
  }

  template <class Part>
  bool DropFrom(const std::vector<Part>& parts, std::vector<Part> Plan::* of) {
    bool dropped = false;
    for (std::size_t i = parts.size(); i-- > 0;) {
      Plan smaller = plan_;
      (smaller.*of).erase((smaller.*of).begin() + static_cast<std::ptrdiff_t>(i));
      dropped = Keep(std::move(smaller)) || dropped;
    }
    return dropped;
  }

  bool DropRates() {
    bool dropped = false;
    for (double Rates::* rate : kRates) {
      if (plan_.rates.*rate <= 0) continue;
      Plan smaller = plan_;
      smaller.rates.*rate = 0;
      dropped = Keep(std::move(smaller)) || dropped;
    }
    return dropped;
  }

  Plan plan_;
  std::string invariant_;
};

}  // namespace

Plan Minimised(Plan plan, const std::string& invariant) {
  return Minimiser(std::move(plan), invariant).Run();
}

}  // namespace jobrun::simulation
