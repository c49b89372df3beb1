// Random operations of workers, operators, an API server and a network that fails in every way
// against the whole engine: no verdict is early or forbidden, each is written and counted once, and
// in the end exactly the dead have one. JOBRUN_SOAK_SEED replays one seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/engine_harness.h"
#include "tests/engine/soak_api.h"
#include "tests/engine/soak_model.h"
#include "tests/engine/soak_network.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr std::uint64_t kSeeds = 600;
constexpr int kSteps = 300;

constexpr int kRuns = 14;
constexpr std::uint64_t kSecondsMost = 60;  // of any limit here
// What went wrong before is over so long after the network was mended: held runs, lost answers.
constexpr Nanos kSettling = 60s;
// How far behind the server's clock may be known to be: the resolution of `Date`, and an answer's
// way.
constexpr Nanos kServerClock = 3s;
// How late a due rule may be seen: the `Date` header's second, two intervals after an edit.
constexpr Nanos kSlack = 12s;
// How late a verdict may be written then: the rate limit.
constexpr Nanos kQueue = 14s;

class Soak {
 public:
  explicit Soak(std::uint64_t seed)
      : random_(seed),
        settings_(DrawSettings()),
        engine_(Options(seed)),
        network_(random_, api_, engine_) {
    network_.Tap([this](const Request& request, Mono arrives) { OnRequest(request, arrives); });
  }

  void RunWithFaults(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Step();
      network_.Tend();
    }
  }

  void Converge() {
    network_.Mend();
    if (settings_.reaping != Reaping::kEnabled && !OneIn(4)) Reload(Reaping::kEnabled);
    settled_ = engine_.Time() + kSettling;
    while (engine_.Time() < settled_ + Seconds(kSecondsMost) + kSlack + kQueue) {
      // None of this is a sign of life.
      if (const std::string name = Pick(Phase::kRunning); !name.empty()) api_.Touch(name, false);
      if (OneIn(4)) network_.Expire();
      Pass(2s);
    }
    CheckThatTheDeadAreJudged();
    CheckCounts();
    CheckSnapshot();
  }

 private:
  bool OneIn(std::uint64_t n) { return random_.Below(n) == 0; }
  Seconds Draw(std::uint64_t least, std::uint64_t most) {
    return Seconds(least + random_.Below(most - least + 1));
  }
  void Pass(Nanos time) {
    const Mono until = engine_.Time() + time;
    network_.PassUntil(std::chrono::ceil<std::chrono::milliseconds>(until));
  }

  // ---- what is configured ----

  EngineOptions Options(std::uint64_t seed) {
    EngineOptions options = EngineHarness::OptionsWith(settings_);
    options.seed = seed;
    return options;
  }

  Settings DrawSettings() {
    Settings settings;
    settings.defaults = {.pending_deadline = Draw(20, 60),
                         .claim_ttl = Draw(20, 60),
                         .heartbeat_interval = Draw(1, 3),
                         .heartbeat_timeout = Draw(4, 15)};
    settings.lanes = {{.name = "coarse"}, {.name = "dry"}, {.name = "off"}, {.name = "torn"}};
    settings.lanes[0].thresholds = {.claim_ttl = Draw(10, 40),
                                    .heartbeat_mode = HeartbeatMode::kIgnored};
    settings.lanes[1].thresholds.reaping = Reaping::kDryRun;
    settings.lanes[2].thresholds.reaping = Reaping::kDisabled;
    settings.lanes[3].held = true;
    settings.rate_limit = {.reaps_per_second = OneIn(2) ? 0.0 : 1.0,
                           .burst = 1,
                           .in_flight = static_cast<int>(1 + random_.Below(4)),
                           .visits_per_second = OneIn(3) ? 1.0 : 500.0};
    return settings;
  }

  Thresholds DrawSpec() {
    Thresholds spec;
    if (OneIn(10)) spec.reaping = static_cast<Reaping>(random_.Below(3));
    if (OneIn(3)) spec.pending_deadline = Draw(5, 40);
    if (OneIn(4)) spec.deadline = Draw(10, 60);
    if (OneIn(5)) spec.backstop = Draw(10, 60);
    if (OneIn(4)) spec.claim_ttl = Draw(5, 40);
    if (OneIn(3)) spec.heartbeat_mode = static_cast<HeartbeatMode>(random_.Below(3));
    if (OneIn(3)) spec.heartbeat_interval = Draw(1, 4);
    if (OneIn(3)) spec.heartbeat_timeout = Draw(2, 20);
    if (OneIn(4)) spec.first_timeout = Draw(3, 20);
    return spec;
  }

  void Reload(Reaping reaping) {
    settings_.reaping = reaping;
    Lane& lane = settings_.lanes[random_.Below(settings_.lanes.size())];
    if (OneIn(2)) lane.held = !lane.held;
    if (OneIn(4)) lane.thresholds.heartbeat_mode = static_cast<HeartbeatMode>(random_.Below(3));
    if (OneIn(4)) lane.thresholds.heartbeat_timeout = Draw(4, 20);
    engine_.Give(ConfigLoaded{settings_});
  }

  // ---- what happens ----

  void Step() {
    const std::uint64_t dice = random_.Below(100);
    const Mono now = engine_.Time();
    if (dice < 12) return Create();
    if (dice < 24) return Claim(Pick(Phase::kPending));
    if (dice < 48) return Change(Pick(Phase::kRunning), now);
    if (dice < 50) return api_.Compact();
    if (dice < 52)
      return Reload(OneIn(3) ? static_cast<Reaping>(random_.Below(3)) : Reaping::kEnabled);
    if (dice < 55) return network_.TroubleStream();
    if (dice < 57) return network_.Haunt();
    if (dice < 64) return Remove(Pick({}));
    Pass(std::chrono::milliseconds(random_.Below(OneIn(6) ? 12000 : 1500)));
  }

  // A run in that phase, or in any; empty without one.
  std::string Pick(std::optional<Phase> phase) {
    std::vector<std::string> names;
    for (const auto& [name, run] : api_.All()) {
      if (!phase || run.Is(*phase)) names.push_back(name);
    }
    return names.empty() ? "" : names[random_.Below(names.size())];
  }

  void Create() {
    static constexpr const char* kLanes[] = {"default", "default", "default", "elsewhere",
                                             "coarse",  "dry",     "off",     "torn"};
    const std::string name = "run-" + std::to_string(random_.Below(kRuns));
    if (api_.All().contains(name)) return;
    SoakRun run{.spec = DrawSpec()};
    run.object.lane = kLanes[random_.Below(std::size(kLanes))];
    run.worker_skew = OneIn(2) ? 0s : (OneIn(2) ? 3600s : -3600s);
    api_.Create(name, std::move(run), engine_.Time());
  }

  void Claim(const std::string& name) {
    if (name.empty()) return;
    api_.Claim(name, OneIn(2), engine_.Time());
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
                  api_.Beat(name, engine_.Time());
                  ScheduleBeat(name);
                });
  }

  void Change(const std::string& name, Mono now) {
    if (name.empty()) return;
    const std::uint64_t dice = random_.Below(100);
    if (dice < 30) return api_.FallSilent(name);
    if (dice < 55) return api_.Beat(name, now);
    if (dice < 75) return api_.Edit(name, DrawSpec());
    if (dice < 88) return api_.Touch(name, OneIn(2));
    if (dice < 94) return api_.End(name, OneIn(2) ? "Succeeded" : "Failed");
    if (dice < 97) return api_.End(name, "Stuck", "proc2-" + std::to_string(dice));
    Remove(name);
  }

  void Remove(const std::string& name) {
    if (!name.empty()) api_.Delete(name, OneIn(2));
  }

  // Another run under the same name.
  void Replace(const std::string& name) {
    api_.Delete(name, false);
    api_.Create(name, {.spec = DrawSpec()}, engine_.Time());
    if (OneIn(2)) Claim(name);
  }

  // ---- what the engine writes ----

  void OnRequest(const Request& request, Mono arrives) {
    if (request.klass != RequestClass::kData) return;
    EXPECT_LE(network_.InFlight(), static_cast<std::size_t>(settings_.rate_limit.in_flight));
    if (network_.Fault(3)) Disturb(SoakApi::NameIn(request.target), arrives);
    if (request.method == Method::kPatch) CheckWrite(request);
  }

  void CheckWrite(const Request& request) {
    const std::string version = TextField(request.body, "resourceVersion");
    ASSERT_FALSE(version.empty()) << request.body;
    const auto judged = api_.Log().find(std::stoul(version));
    ASSERT_NE(judged, api_.Log().end()) << request.body;
    const SoakRun& run = judged->second.run;
    EXPECT_EQ(run.object.name, SoakApi::NameIn(request.target));
    EXPECT_TRUE(SoakModel(run, settings_).MayBeWritten()) << request.body;
    const bool is_verdict = TextField(request.body, "startTime").empty();
    if (is_verdict && IsNewest(run)) CheckVerdict(run, request);
  }

  // Otherwise the write can't commit any more.
  [[nodiscard]] bool IsNewest(const SoakRun& run) const {
    const auto found = api_.All().find(run.object.name);
    return found != api_.All().end() && found->second.object.version == run.object.version;
  }

  // Of all the moments for somebody else to write, the worst.
  void Disturb(const std::string& name, Mono before) {
    network_.At(engine_.Time() + (before - engine_.Time()) / 2, [this, name] {
      const auto found = api_.All().find(name);
      if (found == api_.All().end()) return;
      if (OneIn(10)) return Replace(name);
      if (found->second.Is(Phase::kRunning)) Change(name, engine_.Time());
    });
  }

  void CheckVerdict(const SoakRun& run, const Request& request) {
    const Mono now = engine_.Time();
    const std::string name = TextField(request.body, "reason");
    const auto reason = ParseReason(name);
    ASSERT_TRUE(reason) << request.body;
    EXPECT_EQ(TextField(request.body, "phase"), PhaseName(Info(*reason).phase));
    const SoakModel model(run, settings_);
    const auto limit = model.LimitOf(*reason);
    ASSERT_TRUE(limit) << request.body << "\nfor " << run.object.Json();
    const Nanos early = limit->Due() - now;
    EXPECT_LE(early, Nanos::zero()) << request.body << "\nfor " << run.object.Json();
    CheckTheDeadlineIsNotPassedOver(model, run, *reason);
    if (now < settled_) return;
    for (std::size_t i = 0; i < kReasonCount; ++i) {
      const auto rival = model.LimitOf(static_cast<Reason>(i));
      if (!rival) continue;
      const Nanos late = now - std::max(rival->since, settled_) - rival->limit;
      EXPECT_LE(late, i < static_cast<std::size_t>(*reason) ? kSlack : kSlack + kQueue)
          << kReasons[i].name << " in vain, for " << name << " of " << run.object.Json();
    }
  }

  // Once the start is recorded the engine knows it as well as we do, but for the server's clock.
  void CheckTheDeadlineIsNotPassedOver(const SoakModel& model, const SoakRun& run, Reason by) {
    const auto deadline = model.LimitOf(Reason::kDeadlineExceeded);
    const auto start = ParseRfc3339(run.object.start_time);
    if (!deadline || !start || by == Reason::kDeadlineExceeded) return;
    const Nanos overdue = SoakApi::TimeAt(engine_.Time()) - *start - deadline->limit;
    EXPECT_LT(overdue, kServerClock) << Info(by).name << " for " << run.object.Json();
  }

  // ---- what there is in the end ----

  void CheckThatTheDeadAreJudged() {
    for (const auto& [name, run] : api_.All()) {
      const SoakModel model(run, settings_);
      if (!model.MayBeWritten()) continue;
      for (std::size_t i = 0; i < kReasonCount; ++i) {
        const auto limit = model.LimitOf(static_cast<Reason>(i));
        if (!limit) continue;
        const Nanos left = limit->Due() - engine_.Time();
        EXPECT_GT(left, Nanos::zero()) << kReasons[i].name << " of " << run.object.Json();
      }
    }
  }

  [[nodiscard]] static std::string LabelOf(const SoakRun& run) {
    return run.object.lane == "elsewhere" ? "other" : run.object.lane;
  }

  void CheckCounts() {
    std::map<std::string, SoakRun> committed;  // by verdictID
    for (const auto& [version, change] : api_.Log()) {
      const std::string& id = change.run.object.verdict_id;
      if (id.starts_with("proc-")) committed.insert_or_assign(id, change.run);
    }
    std::map<std::pair<std::string, std::string>, double> reaps;
    std::set<std::string> counted;
    for (const LogLine& line : engine_.Log()) {
      if (line.message != "reaped") continue;
      const std::string& id = line.fields.back().second;
      EXPECT_TRUE(counted.insert(id).second) << id << " is counted twice";
      ASSERT_TRUE(committed.contains(id)) << id << " did not commit";
      const SoakRun& run = committed.at(id);
      ++reaps[{LabelOf(run), run.object.reason}];
    }
    EXPECT_EQ(engine_.ReapsByLane(), reaps);
    for (const auto& [name, run] : api_.All()) {
      const std::string& id = run.object.verdict_id;
      EXPECT_TRUE(!id.starts_with("proc-") || counted.contains(id)) << id << " is not counted";
    }
  }

  void CheckSnapshot() {
    std::map<std::string, std::array<std::uint64_t, kPhaseCount>> runs;
    for (const auto& [name, run] : api_.All()) {
      for (std::size_t i = 0; i < kPhaseCount; ++i) {
        if (run.Is(static_cast<Phase>(i))) ++runs[LabelOf(run)].at(i);
      }
    }
    const Snapshot snapshot = engine_.Scrape();
    EXPECT_TRUE(snapshot.synced);
    EXPECT_EQ(snapshot.runs, api_.All().size());
    EXPECT_EQ(snapshot.queued + snapshot.in_flight, 0U);
    for (const auto& lane : snapshot.lanes) EXPECT_EQ(lane.runs, runs[lane.lane]) << lane.lane;
  }

  Random random_;
  Settings settings_;
  SoakApi api_;
  EngineHarness engine_;
  SoakNetwork network_;
  Mono settled_{Mono::max()};
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
