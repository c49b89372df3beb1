// jobrun-simulation: runs seeds, one of them with its trace, or each planted bug; see README.md.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/exhaustive.h"
#include "tests/simulation/minimise.h"
#include "tests/simulation/planted.h"
#include "tests/simulation/simulation.h"

namespace jobrun::simulation {
namespace {

constexpr std::array kPlants = {
#include "plant_names.inc"
};
constexpr std::uint64_t kPlantSeeds = 10'000;

struct Arguments {
  std::uint64_t first{1};
  std::uint64_t seeds{2000};
  std::uint64_t seed{0};
  std::uint64_t minutes{0};
  std::uint64_t jobs{2};
  std::string recorded{};
  std::string plant{};
  std::string plan{};  // of the exhaustive ones
  bool print{false};
  bool planted{false};
  bool minimise{false};
  bool exhaustive{false};
  bool all_faults{false};  // each must have struck
};

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// What one process has seen, as it goes through a pipe.
struct Tally {
  std::uint64_t seeds{0};
  std::uint64_t failures{0};
  std::uint64_t verdicts{0};
  Counters hits{};
  std::array<std::uint64_t, 2000> costs{};  // by tenth of a millisecond of CPU

  void Add(const Tally& other) {
    seeds += other.seeds;
    failures += other.failures;
    verdicts += other.verdicts;
    for (std::size_t i = 0; i < hits.size(); ++i) hits[i] += other.hits[i];
    for (std::size_t i = 0; i < costs.size(); ++i) costs[i] += other.costs[i];
  }
  [[nodiscard]] double Cost(double part) const {
    auto left = static_cast<std::uint64_t>(part * static_cast<double>(seeds));
    for (std::size_t i = 0; i < costs.size(); ++i) {
      if (left < costs[i]) return static_cast<double>(i) / 10;
      left -= costs[i];
    }
    return static_cast<double>(costs.size()) / 10;
  }
};

void RunOne(const std::string& name, const Plan& plan, Tally& tally) {
  const double before = CpuSeconds();
  const Outcome outcome = Simulate(plan);
  const auto cost = static_cast<std::size_t>((CpuSeconds() - before) * 10'000);
  ++tally.costs[std::min(cost, tally.costs.size() - 1)];
  ++tally.seeds;
  tally.verdicts += outcome.verdicts;
  for (std::size_t i = 0; i < kFaultCount; ++i) tally.hits[i] += outcome.hits[i];
  if (!outcome.failure) return;
  ++tally.failures;
  std::printf("%s: %s at %.3f s: %s\n", name.c_str(), outcome.failure->invariant.c_str(),
              std::chrono::duration<double>(outcome.failure->at).count(),
              outcome.failure->what.substr(0, 300).c_str());
  std::fflush(stdout);
}

// Shares the work out among processes: `work(k)` is one's share.
Tally InProcesses(std::uint64_t count, const std::function<Tally(std::uint64_t)>& work) {
  std::vector<std::pair<pid_t, int>> children;
  for (std::uint64_t k = 0; k < count; ++k) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) std::exit(1);
    const pid_t child = fork();
    if (child == 0) {
      const Tally tally = work(k);
      std::fflush(stdout);
      _exit(write(ends[1], &tally, sizeof tally) == sizeof tally ? 0 : 1);
    }
    close(ends[1]);
    children.emplace_back(child, ends[0]);
  }
  Tally all;
  for (const auto& [child, end] : children) {
    Tally tally;
    std::size_t got = 0;
    for (ssize_t more = 1; more > 0 && got < sizeof tally; got += static_cast<std::size_t>(more)) {
      more = read(end, reinterpret_cast<char*>(&tally) + got, sizeof tally - got);
      if (more < 0) break;
    }
    close(end);
    int status = 0;
    (void)waitpid(child, &status, 0);
    if (got == sizeof tally) all.Add(tally);
    if (status != 0) {
      std::printf("a process of the simulation has died (status %d)\n", status);
      ++all.failures;
    }
  }
  return all;
}

int Report(const Tally& tally, const Arguments& arguments) {
  std::string never;
  for (std::size_t i = 0; i < kFaultCount; ++i) {
    const std::string name(kFaultNames.at(i));
    std::printf("%s%s %lu", i == 0 ? "" : ", ", name.c_str(), tally.hits[i]);
    const auto fault = static_cast<Fault>(i);
    const bool of_exhaustive = fault == Fault::kHideNth || fault == Fault::kRewind;
    if (tally.hits[i] == 0 && !of_exhaustive) never += " " + name;
  }
  std::printf("\n%lu runs, %lu failed, %lu verdicts; CPU per run: median %.1f ms, 99 %% %.1f ms\n",
              tally.seeds, tally.failures, tally.verdicts, tally.Cost(0.5), tally.Cost(0.99));
  if (arguments.all_faults && !never.empty()) {
    std::printf("faults that never struck:%s\n", never.c_str());
    return 1;
  }
  return tally.failures == 0 ? 0 : 1;
}

// Lines of "SEED  what it found".
std::vector<std::uint64_t> RecordedSeeds(const std::string& file) {
  std::vector<std::uint64_t> seeds;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::uint64_t seed = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), seed);
    if (error == std::errc()) seeds.push_back(seed);
  }
  return seeds;
}

int RunSeeds(const Arguments& arguments) {
  const std::vector<std::uint64_t> recorded = RecordedSeeds(arguments.recorded);
  if (!arguments.recorded.empty() && recorded.empty()) {
    std::printf("no seeds in %s\n", arguments.recorded.c_str());
    return 2;
  }
  const Tally tally = InProcesses(arguments.jobs, [&](std::uint64_t k) {
    Tally share;
    for (std::size_t i = k; i < recorded.size(); i += arguments.jobs) {
      RunOne("recorded seed " + std::to_string(recorded[i]), DrawPlan(recorded[i]), share);
    }
    const double cpu_max = static_cast<double>(arguments.minutes) * 60;
    for (std::uint64_t i = k; arguments.minutes > 0 || i < arguments.seeds; i += arguments.jobs) {
      if (arguments.minutes > 0 && CpuSeconds() > cpu_max) break;
      const std::uint64_t seed = arguments.first + i;
      RunOne("seed " + std::to_string(seed), DrawPlan(seed), share);
    }
    return share;
  });
  return Report(tally, arguments);
}

int RunExhaustive(const Arguments& arguments) {
  std::vector<NamedPlan> plans = ExhaustivePlans();
  if (!arguments.plan.empty()) {
    std::erase_if(plans, [&](const NamedPlan& each) { return each.name != arguments.plan; });
  }
  const Tally tally = InProcesses(arguments.jobs, [&](std::uint64_t k) {
    Tally share;
    for (std::size_t i = k; i < plans.size(); i += arguments.jobs) {
      if (arguments.print) (void)Simulate(plans[i].plan, {.print = true});
      RunOne(plans[i].name, plans[i].plan, share);
    }
    return share;
  });
  return Report(tally, arguments);
}

// True when some seed shows the bug; a crash does, too.
bool ShowsUp(int bug) {
  planted_bug = bug;
  for (std::uint64_t seed = 1; seed <= kPlantSeeds; ++seed) {
    const Outcome outcome = Simulate(DrawPlan(seed));
    if (!outcome.failure) continue;
    std::printf("%-40s caught by seed %lu: %s %s\n", kPlants.at(static_cast<std::size_t>(bug - 1)),
                seed, outcome.failure->invariant.c_str(),
                outcome.failure->what.substr(0, 90).c_str());
    return true;
  }
  for (const NamedPlan& named : ExhaustivePlans()) {
    const Outcome outcome = Simulate(named.plan);
    if (!outcome.failure) continue;
    std::printf("%-40s caught by the plan \"%s\": %s %s\n",
                kPlants.at(static_cast<std::size_t>(bug - 1)), named.name.c_str(),
                outcome.failure->invariant.c_str(), outcome.failure->what.substr(0, 90).c_str());
    return true;
  }
  std::printf("%-40s NOT CAUGHT by %lu seeds and all plans\n",
              kPlants.at(static_cast<std::size_t>(bug - 1)), kPlantSeeds);
  return false;
}

int RunPlanted(const Arguments& arguments) {
  std::map<pid_t, int> running;
  int next = 1;
  int caught = 0;
  const int bugs = static_cast<int>(kPlants.size());
  while (next <= bugs || !running.empty()) {
    while (next <= bugs && running.size() < arguments.jobs) {
      const pid_t child = fork();
      if (child == 0) {
        const bool shows = ShowsUp(next);
        std::fflush(stdout);
        _exit(shows ? 0 : 1);
      }
      running.emplace(child, next++);
    }
    int status = 0;
    const pid_t done = wait(&status);
    const auto which = running.extract(done);
    if (which.empty()) continue;
    if (WIFSIGNALED(status)) {
      std::printf("%-40s caught: the engine crashed\n",
                  kPlants.at(static_cast<std::size_t>(which.mapped() - 1)));
    }
    if (WIFSIGNALED(status) || WEXITSTATUS(status) == 0) ++caught;
  }
  std::printf("%d of %d planted bugs were caught\n", caught, bugs);
  return caught == bugs ? 0 : 1;
}

int RunSeed(const Arguments& arguments) {
  Plan plan = DrawPlan(arguments.seed);
  Outcome outcome = Simulate(plan, {.print = arguments.print && !arguments.minimise});
  if (outcome.failure && arguments.minimise) {
    plan = Minimised(std::move(plan), outcome.failure->invariant);
    outcome = Simulate(plan, {.print = true});
  }
  std::printf("seed %lu: %s, hash %016lx, %lu verdicts, %lu changes, %.0f s\n", arguments.seed,
              outcome.failure ? "failed" : "passed", outcome.hash, outcome.verdicts,
              outcome.changes, std::chrono::duration<double>(outcome.lasted).count());
  if (!outcome.failure) return 0;
  std::printf("%s: %s\n", outcome.failure->invariant.c_str(), outcome.failure->what.c_str());
  return 1;
}

constexpr const char* kHelp =
    "jobrun-simulation [--seeds N] [--first S] [--minutes M] [--jobs J] [--recorded FILE] "
    "[--all-faults]\n"
    "                  --seed S [--print] [--minimise] [--plant NAME]   one seed, and its trace\n"
    "                  --exhaustive [--plan NAME [--print]]             one of the plans, and its "
    "trace\n"
    "                  --planted\n";

// False for a flag that is not known.
bool Read(std::string_view flag, std::string_view value, Arguments& arguments, bool& takes_value) {
  const std::map<std::string_view, bool*> switches = {
      {"--print", &arguments.print},           {"--planted", &arguments.planted},
      {"--minimise", &arguments.minimise},     {"--exhaustive", &arguments.exhaustive},
      {"--all-faults", &arguments.all_faults},
  };
  const std::map<std::string_view, std::uint64_t*> numbers = {
      {"--seed", &arguments.seed},   {"--seeds", &arguments.seeds},
      {"--first", &arguments.first}, {"--minutes", &arguments.minutes},
      {"--jobs", &arguments.jobs},
  };
  if (const auto found = switches.find(flag); found != switches.end()) return *found->second = true;
  takes_value = true;
  if (flag == "--recorded") arguments.recorded = value;
  if (flag == "--plant") arguments.plant = value;
  if (flag == "--plan") arguments.plan = value;
  if (flag == "--recorded" || flag == "--plant" || flag == "--plan") return !value.empty();
  const auto found = numbers.find(flag);
  if (found == numbers.end()) return false;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), *found->second);
  return error == std::errc() && end == value.data() + value.size();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    bool takes_value = false;
    if (!Read(argv[i], i + 1 < argc ? argv[i + 1] : "", arguments, takes_value)) {
      std::fprintf(stderr, "%s", kHelp);
      return 2;
    }
    if (takes_value) ++i;
  }
  if (!arguments.plant.empty()) {
    const auto found = std::ranges::find(kPlants, arguments.plant);
    if (found == kPlants.end()) return 2;
    planted_bug = static_cast<int>(found - kPlants.begin()) + 1;
  }
  if (arguments.planted) return RunPlanted(arguments);
  if (arguments.exhaustive) return RunExhaustive(arguments);
  return arguments.seed != 0 ? RunSeed(arguments) : RunSeeds(arguments);
}

}  // namespace
}  // namespace jobrun::simulation

int main(int argc, char** argv) { return jobrun::simulation::Main(argc, argv); }
