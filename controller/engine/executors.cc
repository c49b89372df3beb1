#include "controller/engine/executors.h"

#include <algorithm>
#include <array>
#include <utility>

#include "controller/base/rfc3339.h"
#include "controller/engine/answers.h"
#include "controller/engine/object_key.h"
#include "controller/wire/http_status.h"
#include "controller/wire/status_patch.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

constexpr std::size_t kFlightsMax = 16;
constexpr Nanos kReadDeadline = std::chrono::seconds(10);
// A pod that is alive though the watch does not have it (another label) is looked at this often in
// the end.
constexpr Nanos kVainCheckMax = std::chrono::minutes(5);
constexpr int kVainDoublingsMax = 10;
// A pod whose node does not answer stays when its grace has ended: nobody is left to remove it. A
// kubelet that lives takes a few seconds.
constexpr std::chrono::seconds kKubeletSlack{30};
constexpr std::chrono::microseconds kComeBackMin = std::chrono::seconds(1);
constexpr std::chrono::microseconds kComeBackMax = std::chrono::hours(1);
// A trouble of all runs is said once a minute.
constexpr Nanos kUnknownRepeat = std::chrono::minutes(1);

constexpr std::array<std::string_view, kPodCauseNames.size()> kFates = {
    "",
    "out of memory",
    "evicted",
    "deleted",
    "its node is lost or gone",
    "failed",
    "finished, and nobody finished the run"};

std::string FateOf(std::string_view pod, PodCause cause, const std::string& container,
                   const std::optional<std::int32_t>& exit_code) {
  std::string fate =
      "pod " + std::string(pod) + ": " + std::string(kFates[static_cast<std::size_t>(cause)]);
  if (container.empty()) return fate;
  fate += " (container " + container;
  if (exit_code) fate += ", exit code " + std::to_string(*exit_code);
  return fate + ")";
}

std::string FoundMessage(const RunExecutor& executor) {
  return "pod " + std::string(NameIn(executor.key)) + " (" + FormatUid(executor.uid) +
         ") was seen alive";
}

}  // namespace

Executors::Executors(Core& core, EventDecoder& decoder, std::vector<WatchScope> scopes,
                     std::uint64_t seed)
    : core_(core), decoder_(decoder), scopes_(std::move(scopes)), seed_(seed) {}

void Executors::Start() {
  started_ = true;
  (void)OnSettings();
}

bool Executors::OnSettings() {
  const ExecutorChecks before = std::exchange(settings_, core_.settings.executors);
  if (!started_ || stopping_) return false;
  const bool as_asked = settings_.enabled
                            ? !watches_.empty() && before.selector == settings_.selector
                            : watches_.empty();
  if (as_asked) return false;
  Unwatch();
  if (!settings_.enabled) return false;
  std::vector<WatchScope> scopes;
  for (const WatchScope& scope : scopes_) {
    scopes.push_back({.name_space = scope.name_space,
                      .selector = settings_.selector,
                      .watched = Watched::kPods});
  }
  watches_ =
      WitnessWatch::OpenAll({core_, decoder_}, *this, scopes,
                            {.what = "pods, so no executor is checked",
                             .if_forbidden = "executors.enabled needs get, list and watch on pods"},
                            seed_);
  return !before.enabled;
}

// What was known of pods counts no more, nor the rows that were begun.
void Executors::Unwatch() {
  for (const auto& watch : watches_) watch->Stop();
  watches_.clear();
  std::erase_if(pods_, [](const auto& entry) { return entry.second.runs.empty(); });
  for (auto& [key, pod] : pods_) pod.uid = {};
  for (auto& [run, executor] : core_.executors) {
    executor.dead_checks = 0;
    executor.lost_since.reset();
  }
}

void Executors::Stop() {
  stopping_ = true;
  for (const auto& watch : watches_) watch->Stop();
}

// ---- what runs say ----

bool Executors::OnSeen(Slot slot, const ObservedRun& run) {
  RunRecord& record = core_.store.At(slot);
  if (!record.has_executor && (run.executor_pod.empty() || !settings_.enabled)) return false;
  const Uid uid = ParseUid(run.executor_uid).value_or(Uid{});
  if (run.executor_pod.empty() || uid.IsNone()) {
    Forget(record.uid);
    return false;
  }
  std::string key = ObjectKey(run.name_space, run.executor_pod);
  if (record.has_executor) {
    const RunExecutor& known = core_.executors.at(record.uid);
    if (known.uid != uid || known.key != key) Forget(record.uid);
  }
  bool look = !record.has_executor;
  if (look) Follow(record, std::move(key), uid);
  RunExecutor& executor = core_.executors.at(record.uid);
  look = NoteSignOfLife(record, executor) || look;
  if (!executor.recorded && run.has_foreign_conditions) {
    const auto message = TrueConditionMessage(run.conditions_json, kExecutorFoundCondition);
    executor.recorded = message.has_value();
    executor.found = executor.found || message == FoundMessage(executor);
  }
  if (look) Look(slot);
  return look;
}

// True when a row was begun that a sign of life ends.
bool Executors::NoteSignOfLife(const RunRecord& record, RunExecutor& executor) const {
  const std::uint64_t sign = core_.SignOfLife(record);
  if (std::exchange(executor.sign_of_life, sign) == sign) return false;
  executor.lost_since.reset();
  return std::exchange(executor.dead_checks, 0) > 0;
}

void Executors::Follow(RunRecord& record, std::string key, Uid pod) {
  record.has_executor = true;
  pods_[key].runs.push_back(record.uid);
  RunExecutor& executor = core_.executors[record.uid];
  executor.key = std::move(key);
  executor.uid = pod;
  executor.sign_of_life = core_.SignOfLife(record);
}

void Executors::Forget(Uid run) {
  const auto found = core_.executors.find(run);
  if (found == core_.executors.end()) return;
  const auto pod = pods_.find(found->second.key);
  std::erase(pod->second.runs, run);
  if (pod->second.runs.empty() && pod->second.uid.IsNone()) pods_.erase(pod);
  core_.executors.erase(found);
  const Slot slot = core_.store.Find(run);
  if (slot != kNoSlot) core_.store.At(slot).has_executor = false;
}

bool Executors::WantsRecord(const RunRecord& record) const {
  if (!record.has_executor || !settings_.enabled || !core_.now.server.Known()) return false;
  const RunExecutor& executor = core_.executors.at(record.uid);
  return executor.found && !executor.recorded;
}

std::string Executors::FoundCondition(const RunRecord& record) const {
  return WriteCondition({.type = kExecutorFoundCondition,
                         .status = "True",
                         .reason = "PodAlive",
                         .message = FoundMessage(core_.executors.at(record.uid)),
                         .at = core_.now.server.earliest,
                         .generation = record.generation});
}

// ---- what the watch says ----

void Executors::TakeIn(Pod& pod, const Event& event) {
  pod.uid = event.run.uid;
  pod.finished = event.pod.finished;
  pod.cause = event.pod.cause;
  pod.node_lost = event.pod.node_lost;
  pod.container = event.pod.cause == PodCause::kNone ? std::string_view() : event.pod.container;
  pod.exit_code = event.pod.exit_code;
  pod.grace_ends = ParseRfc3339(event.pod.deletion_timestamp);
}

void Executors::OnWitness(const Event& event, std::uint8_t scope, std::uint16_t epoch) {
  const std::string key = ObjectKey(event.run.name_space, event.run.name);
  const bool deleted = event.type == EventType::kDeleted;
  if (deleted && !pods_.contains(key)) return;
  Pod& pod = pods_[key];
  TakeIn(pod, event);
  pod.scope = scope;
  pod.epoch = epoch;
  Nudge(pod);
  if (!deleted) return;
  pod.uid = {};
  if (pod.runs.empty()) pods_.erase(key);
}

void Executors::OnWitnessesReplaced(std::uint8_t scope, std::uint16_t epoch) {
  for (auto& [key, pod] : pods_) {
    if (pod.scope == scope && pod.epoch != epoch) pod.uid = {};
    if (pod.scope == scope || pod.uid.IsNone()) Nudge(pod);
  }
  std::erase_if(pods_, [](const auto& entry) {
    return entry.second.uid.IsNone() && entry.second.runs.empty();
  });
}

// The runs that name it are looked at in this step.
void Executors::Nudge(const Pod& pod) {
  for (const Uid run : pod.runs) core_.timers.Arm(core_.store.Find(run), core_.now.mono);
}

bool Executors::IsAlive(const Pod& pod, Uid uid) const {
  if (pod.uid != uid || pod.finished) return false;
  const bool left_behind = pod.node_lost && pod.grace_ends.has_value();
  return !left_behind || core_.now.server.earliest - kKubeletSlack < *pod.grace_ends;
}

// ---- looking ----

// No other rows than 5 ask for the pod: not before the claim, nor once the work has exited.
bool Executors::Concerned(const RunRecord& record) const {
  const Policy& policy = core_.PolicyOf(record);
  if (policy.reaping == Reaping::kDisabled || policy.held) return false;
  if (record.phase != Phase::kRunning || record.being_deleted) return false;
  return !record.has_details || !core_.details.at(record.uid).exit_code;
}

void Executors::Look(Slot slot) {
  const RunRecord& record = core_.store.At(slot);
  if (!record.has_executor || watches_.empty() || !Concerned(record)) return;
  RunExecutor& executor = core_.executors.at(record.uid);
  (void)NoteSignOfLife(record, executor);
  const Pod& pod = pods_.at(executor.key);
  if (IsAlive(pod, executor.uid)) {
    OnAlive(executor);
    executor.vain_checks = 0;
    if (pod.node_lost && pod.grace_ends) ComeBack(slot, *pod.grace_ends + kKubeletSlack);
    return;
  }
  const bool synced = watches_.at(record.scope)->Machine().Synced();
  // The one that leads asks.
  if (!executor.found || !synced || executor.asking || executor.lost_since || !core_.leading) {
    return;
  }
  if (core_.now.mono < executor.next_check) return core_.timers.Arm(slot, executor.next_check);
  executor.asking = true;
  queue_.push_back({record.uid, executor.uid});
}

// Near `at`, or earlier: graces may be absurdly long.
void Executors::ComeBack(Slot slot, ServerTime at) {
  using std::chrono::microseconds;
  microseconds left = kComeBackMin;
  const ServerInterval& server = core_.now.server;
  if (server.Known() && at > server.earliest) left = std::max(left, at - server.earliest);
  core_.timers.Arm(slot, core_.now.mono + std::min(left, kComeBackMax));
}

void Executors::Pump() {
  if (stopping_ || !core_.leading || core_.now.mono < throttled_until_) return;
  while (in_flight_.size() < kFlightsMax && !queue_.empty()) {
    const Flight look = queue_.front();
    queue_.pop_front();
    const auto found = core_.executors.find(look.run);
    if (found == core_.executors.end() || found->second.uid != look.pod) continue;
    const std::string& key = found->second.key;
    Request request{.id = core_.next_id++,
                    .klass = RequestClass::kData,
                    .target = PodTarget(NamespaceIn(key), NameIn(key)),
                    .deadline = kReadDeadline};
    in_flight_.emplace(request.id, look);
    core_.Emit(std::move(request));
  }
}

std::optional<Mono> Executors::NextWake() const {
  if (stopping_ || queue_.empty() || core_.now.mono >= throttled_until_) return std::nullopt;
  return throttled_until_;
}

std::optional<Slot> Executors::OnResponse(const Response& response) {
  const Flight flight = in_flight_.extract(response.id).mapped();
  const auto found = core_.executors.find(flight.run);
  // The run may name another pod since.
  if (found == core_.executors.end() || found->second.uid != flight.pod) return std::nullopt;
  RunExecutor& executor = found->second;
  const Slot slot = core_.store.Find(flight.run);
  (void)NoteSignOfLife(core_.store.At(slot), executor);
  executor.asking = false;
  executor.next_check = core_.now.mono + settings_.check;
  Pod seen;
  const ExecutorCheck check = Take(response, executor, seen);
  core_.CountOne(Metric::kExecutorChecks, 0, static_cast<std::uint8_t>(check));
  if (check == ExecutorCheck::kUnknown) LogUnknown(slot, response);
  if (check == ExecutorCheck::kDead) OnDead(executor, seen);
  if (check == ExecutorCheck::kAlive) {
    OnAlive(executor);
    const int doublings = std::min(executor.vain_checks++, kVainDoublingsMax);
    const Nanos wait = std::min(kVainCheckMax, Nanos(settings_.check) * (1 << doublings));
    executor.next_check = core_.now.mono + wait;
  }
  return slot;
}

// `seen` becomes the pod as it is now, or was last.
ExecutorCheck Executors::Take(const Response& response, const RunExecutor& executor, Pod& seen) {
  if (response.status == kHttpNotFound) {
    seen = pods_.at(executor.key);
    return ExecutorCheck::kDead;
  }
  if (response.status != kHttpOk) return ExecutorCheck::kUnknown;
  const Event event = decoder_.DecodeObject(response.body, Watched::kPods);
  if (event.type == EventType::kInvalid) return ExecutorCheck::kUnknown;
  TakeIn(seen, event);
  return IsAlive(seen, executor.uid) ? ExecutorCheck::kAlive : ExecutorCheck::kDead;
}

void Executors::OnAlive(RunExecutor& executor) {
  executor.found = true;
  executor.dead_checks = 0;
  executor.lost_since.reset();
}

void Executors::OnDead(RunExecutor& executor, const Pod& pod) const {
  executor.vain_checks = 0;
  if (++executor.dead_checks < settings_.dead_checks) return;
  // Another pod has its name: ours was deleted, whatever is known of the other.
  const bool another = !pod.uid.IsNone() && pod.uid != executor.uid;
  const bool known = !another && pod.cause != PodCause::kNone;
  const PodCause cause = known ? pod.cause : PodCause::kPodDeleted;
  executor.lost_since = core_.Mark();
  executor.cause = kPodCauseNames[static_cast<std::size_t>(cause)];
  executor.fate = FateOf(NameIn(executor.key), cause, known ? pod.container : "", pod.exit_code);
}

// Neither dead nor alive: it is asked again.
void Executors::LogUnknown(Slot slot, const Response& response) {
  if (response.status == kHttpTooManyRequests) {
    throttled_until_ = std::max(throttled_until_, core_.now.mono + ThrottleWait(response));
    return;
  }
  const Mono now = core_.now.mono;
  if (unknown_logged_at_ && now - *unknown_logged_at_ < kUnknownRepeat) return;
  unknown_logged_at_ = now;
  core_.Emit(LogLine{LogLevel::kWarn,
                     "a pod can't be read, so its run is not judged by it",
                     {{"run", core_.FullName(core_.store.At(slot))},
                      {"status", std::to_string(response.status)},
                      {"error", WordsOf(response)}}});
}

}  // namespace jobrun
