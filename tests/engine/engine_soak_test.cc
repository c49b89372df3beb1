// Random operations of workers, operators, an API server and a network that fails in every way
// against the whole engine, which now and then dies: no verdict is early or forbidden, each is
// written and counted once, and in the end exactly the dead have one, and of each that failed it is
// settled whether it is retried. JOBRUN_SOAK_SEED replays one seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/engine_harness.h"
#include "tests/engine/soak_api.h"
#include "tests/engine/soak_checks.h"
#include "tests/engine/soak_draw.h"
#include "tests/engine/soak_network.h"
#include "tests/engine/soak_outcome.h"
#include "tests/engine/soak_server.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr std::uint64_t kSeeds = 300;
constexpr int kSteps = 300;

constexpr int kRuns = 14;
// What went wrong before is over so long after the network was mended: held runs, lost answers.
constexpr Nanos kSettling = 60s;
// The same for runs that ended, which are held for five minutes and a jitter at most; and then for
// a chain of successors, each of which waits, is not claimed and fails.
constexpr Nanos kChain = 400s;
// Requests beyond the verdicts' own.
constexpr std::size_t kOutboxFlightsMax = 16;
// To one target, when nothing goes wrong.
constexpr int kRequestsMax = 40;

class Soak {
 public:
  explicit Soak(std::uint64_t seed)
      : random_(seed),
        draw_(random_),
        settings_(draw_.Configuration()),
        api_([this] { return engine_.Time(); }),
        server_(api_),
        engine_(Options()),
        network_({random_, api_, server_, engine_}),
        checks_(api_, settings_),
        may_crash_(OneIn(2)) {
    network_.Tap([this](const Request& request, Mono arrives) { OnRequest(request, arrives); },
                 [this](const Request& request, const SoakServer::Answer& answer) {
                   checks_.OnAnswer(request, answer);
                 });
  }

  void RunWithFaults(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Step();
      network_.Tend();
    }
  }

  void Converge() {
    network_.Mend();
    server_.SetQuota(false);
    if (may_crash_ && OneIn(2)) Crash();
    if (settings_.reaping != Reaping::kEnabled && !OneIn(4)) Reload(Reaping::kEnabled);
    checks_.Settle(engine_.Time() + kSettling);
    const bool expires = OneIn(2);  // a list brings back what was forgotten
    const Nanos soonest = Seconds(SoakDraw::kSecondsMost) + SoakChecks::kSlack;
    while (engine_.Time() < checks_.Settled() + soonest + checks_.Queue()) {
      // None of this is a sign of life.
      if (const std::string name = Pick(Phase::kRunning); !name.empty()) api_.Touch(name);
      if (expires && OneIn(4)) network_.Expire();
      if (OneIn(2)) Claim(Pick(Phase::kPending));
      Pass(2s);
    }
    requests_.clear();
    calm_ = true;
    for (const std::string& name : NamesWhere(&SoakRun::worker_lives)) api_.FallSilent(name);
    Pass(checks_.Settled() + SoakOutcome::kSettlingOfEnded + kChain - engine_.Time());
    SoakOutcome({api_, server_, engine_, checks_, settings_}, lives_).Check();
  }

 private:
  bool OneIn(std::uint64_t n) { return random_.Below(n) == 0; }
  void Pass(Nanos time) {
    const Mono until = engine_.Time() + time;
    network_.PassUntil(std::chrono::ceil<std::chrono::milliseconds>(until));
  }

  EngineOptions Options() {
    EngineOptions options = EngineHarness::OptionsWith(settings_);
    options.process_id = "life" + std::to_string(++lives_);
    options.seed = random_.Next();
    return options;
  }

  void Reload(Reaping reaping) {
    settings_.reaping = reaping;
    Lane& lane = settings_.lanes[random_.Below(settings_.lanes.size())];
    if (OneIn(2)) lane.held = !lane.held;
    if (OneIn(4)) lane.thresholds.heartbeat_mode = static_cast<HeartbeatMode>(random_.Below(3));
    if (OneIn(4)) lane.thresholds.heartbeat_timeout = draw_.Between(4, 20);
    if (OneIn(4)) lane.thresholds.progress_timeout = draw_.Between(4, 40);
    if (OneIn(4)) lane.thresholds.retry.max_attempts = static_cast<int>(1 + random_.Below(4));
    if (OneIn(4)) settings_.defaults.finalize_grace = draw_.Between(0, 20);
    if (OneIn(4)) settings_.defaults.ttl = draw_.Between(0, 60);
    engine_.Give(ConfigLoaded{settings_});
  }

  // At any moment, also with requests under way. Another process takes over.
  void Crash() {
    if (OneIn(2)) network_.Tend();
    network_.Orphan();
    engine_.Restart(Options());
  }

  // ---- what happens ----

  void Step() {
    const std::uint64_t dice = random_.Below(100);
    if (dice < 12) return Create();
    if (dice < 24) return Claim(Pick(Phase::kPending));
    if (dice < 44) return Change(Pick(Phase::kRunning));
    if (dice < 48) return Meddle(PickPendingRetry());
    if (dice < 50) return api_.Compact();
    if (dice < 52)
      return Reload(OneIn(3) ? static_cast<Reaping>(random_.Below(3)) : Reaping::kEnabled);
    if (dice < 55) return network_.TroubleStream();
    if (dice < 57) return network_.Haunt();
    if (dice < 61) return Remove(Pick({}));
    if (dice < 63) return TouchEnded();
    if (dice < 64) return server_.SetQuota(!server_.QuotaExceeded());
    if (dice < 65 && may_crash_) return Crash();
    Pass(std::chrono::milliseconds(random_.Below(OneIn(6) ? 12000 : 1500)));
  }

  template <class Fits>
  std::vector<std::string> NamesWhere(Fits fits) {
    std::vector<std::string> names;
    for (const auto& [name, run] : api_.All()) {
      if (std::invoke(fits, run)) names.push_back(name);
    }
    return names;
  }
  template <class Fits>
  std::string PickWhere(Fits fits) {
    const std::vector<std::string> names = NamesWhere(fits);
    return names.empty() ? "" : names[random_.Below(names.size())];
  }
  // A run in that phase, or in any; empty without one.
  std::string Pick(std::optional<Phase> phase) {
    return PickWhere([&](const SoakRun& run) { return !phase || run.Is(*phase); });
  }
  std::string PickPendingRetry() {
    return PickWhere([](const SoakRun& run) { return run.retry.state == "Pending"; });
  }

  void Create() {
    const std::string name = "run-" + std::to_string(random_.Below(kRuns));
    if (api_.All().contains(name)) return;
    SoakRun run{.spec = draw_.Spec(), .key = draw_.Key()};
    run.object.lane = draw_.Lane();
    run.worker_skew = OneIn(2) ? 0s : (OneIn(2) ? 3600s : -3600s);
    api_.Create(name, std::move(run));
  }

  void Claim(const std::string& name) {
    if (name.empty()) return;
    api_.Claim(name, OneIn(2));
    if (OneIn(4)) return api_.FallSilent(name);
    ScheduleBeat(name);
  }

  void ScheduleBeat(const std::string& name) {
    const SoakRun& run = api_.All().at(name);
    const SoakModel model(run, settings_);
    Nanos in = Nanos(model.Interval()) * (5 + random_.Below(4)) / 10;
    if (network_.Fault(8)) in = model.Timeout() - 500ms + Nanos(1ms) * random_.Below(1000);
    network_.At(std::chrono::ceil<std::chrono::milliseconds>(engine_.Time() + in),
                [this, name, uid = run.object.uid] {
                  const auto found = api_.All().find(name);
                  if (found == api_.All().end() || found->second.object.uid != uid) return;
                  if (!found->second.Is(Phase::kRunning) || !found->second.worker_lives) return;
                  api_.Beat(name, OneIn(3));
                  ScheduleBeat(name);
                });
  }

  void Change(const std::string& name) {
    if (name.empty()) return;
    const std::uint64_t dice = random_.Below(100);
    if (dice < 22) return api_.FallSilent(name);
    if (dice < 38) return api_.Beat(name, OneIn(3));
    if (dice < 52) return api_.Edit(name, draw_.Spec());
    if (dice < 56) return api_.Cancel(name);
    if (dice < 60) return api_.Progress(name);
    if (dice < 70) return api_.Exit(name, draw_.ExitCode());
    if (dice < 80) return api_.SetCondition(name, OneIn(2) ? "Uploaded" : "Checked", !OneIn(4));
    if (dice < 84) return api_.Touch(name);
    if (dice < 97) return End(name);
    Remove(name);
  }

  // By its worker mostly, else by another controller.
  void End(const std::string& name) {
    SoakApi::Ending ending{.phase = OneIn(3) ? "Succeeded" : "Failed", .tells_when = !OneIn(3)};
    if (ending.phase == "Failed") ending.reason = draw_.Reason();
    if (OneIn(5)) {
      ending.phase = "Stuck";
      ending.reason = "HeartbeatTimeout";
      ending.verdict = "another-" + std::to_string(random_.Below(100));
      if (!OneIn(4)) ending.retry.state = "NotDue";
      if (OneIn(3)) ending.retry = RetryOfAnother(name);
    }
    api_.End(name, ending);
  }

  SoakRetry RetryOfAnother(const std::string& name) {
    const ServerTime not_before = api_.ServerNow() + draw_.Between(0, 10);
    return {.state = "Pending",
            .name = "next-of-" + name + "-" + std::to_string(api_.Version()),
            .not_before = FormatMicroTime(not_before)};
  }

  // With a run whose retry is pending.
  void Meddle(const std::string& name) {
    if (name.empty()) return;
    if (OneIn(3)) return Remove(name);
    if (OneIn(3)) return api_.Edit(name, draw_.Spec());
    const std::string successor = api_.All().at(name).retry.name;
    if (api_.All().contains(successor)) return;
    SoakRun foreign{.spec = draw_.Spec(), .key = draw_.Key()};
    if (OneIn(2)) foreign.parent = Uid{7, 7};
    api_.Create(successor, std::move(foreign));
  }

  void TouchEnded() {
    const std::string name = PickWhere([](const SoakRun& run) { return !run.IsActive(); });
    if (name.empty()) return;
    if (OneIn(2)) return api_.Edit(name, draw_.Spec());
    api_.SetCondition(name, "Uploaded", OneIn(2));
  }

  void Remove(const std::string& name) {
    if (!name.empty()) api_.Delete(name, OneIn(2));
  }

  // Another run under the same name.
  void Replace(const std::string& name) {
    api_.Delete(name, false);
    api_.Create(name, {.spec = draw_.Spec(), .key = draw_.Key()});
    if (OneIn(2)) Claim(name);
  }

  // ---- what the engine asks for ----

  void OnRequest(const Request& request, Mono arrives) {
    const auto verdicts = static_cast<std::size_t>(settings_.rate_limit.in_flight);
    EXPECT_LE(network_.InFlight(true), verdicts);
    EXPECT_LE(network_.InFlight(false), verdicts + kOutboxFlightsMax);
    if (request.klass != RequestClass::kData) return;
    const int again = ++requests_[request.target];
    EXPECT_TRUE(!calm_ || again <= kRequestsMax) << request.target;
    checks_.OnRequest(request);
    if (SoakServer::NamesARun(request)) {
      if (network_.Fault(3)) Disturb(SoakServer::NameIn(request.target), arrives);
    } else if (request.method == Method::kPost) {
      const std::string key = SoakServer::SuccessorIn(request.body).key;
      if (key.empty()) return;
      EXPECT_EQ(network_.CreationsInFlight(key), 1U) << key;
      if (OneIn(4)) CreateRival(key, arrives);
    }
  }

  // A run of the same key that comes first, or just after.
  void CreateRival(const std::string& key, Mono arrives) {
    network_.At(arrives + (OneIn(2) ? 0ms : 20ms) - 10ms, [this, key] {
      const std::string name = "rival-" + std::to_string(api_.Version());
      api_.Create(name, {.spec = draw_.Spec(), .key = key});
    });
  }

  // Of all the moments for somebody else to write, the worst.
  void Disturb(const std::string& name, Mono before) {
    network_.At(engine_.Time() + (before - engine_.Time()) / 2, [this, name] {
      const auto found = api_.All().find(name);
      if (found == api_.All().end()) return;
      if (OneIn(10)) return Replace(name);
      if (found->second.Is(Phase::kRunning)) return Change(name);
      if (found->second.Is(Phase::kPending)) return Claim(name);
      if (found->second.retry.state == "Pending" && OneIn(3)) return Meddle(name);
      if (OneIn(3)) api_.Touch(name);
    });
  }

  int lives_{0};
  Random random_;
  SoakDraw draw_;
  Settings settings_;
  SoakApi api_;
  SoakServer server_;
  EngineHarness engine_;
  SoakNetwork network_;
  SoakChecks checks_;
  bool may_crash_;
  bool calm_{false};
  std::map<std::string, int> requests_;  // by target
};

TEST(EngineSoakTest, ExactlyTheDeadGetOneVerdictEach) {
  const char* const replayed = std::getenv("JOBRUN_SOAK_SEED");  // NOLINT: one thread
  const std::uint64_t first = replayed != nullptr ? std::stoul(replayed) : 1;
  const std::uint64_t last = replayed != nullptr ? first : kSeeds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Soak soak(seed);
    soak.RunWithFaults(kSteps);
    soak.Converge();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace jobrun
