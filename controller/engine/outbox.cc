#include "controller/engine/outbox.h"

#include <algorithm>
#include <utility>

#include "controller/base/rfc3339.h"
#include "controller/engine/announce.h"
#include "controller/engine/answers.h"
#include "controller/wire/managed_fields.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

constexpr std::size_t kFlightsMax = 16;
constexpr Nanos kHoldMax = std::chrono::minutes(5);
constexpr std::chrono::hours kLookAgainMax{1};
// How soon to look again while the API server's clock is not known.
constexpr Nanos kServerClockPoll = std::chrono::seconds(1);
constexpr Nanos kWriteDeadline = std::chrono::seconds(10);

std::optional<RetryResult> ResultOf(RetryState state) {
  switch (state) {
    case RetryState::kPending:
      return std::nullopt;
    case RetryState::kCreated:
      return RetryResult::kCreated;
    case RetryState::kSkipped:
      return RetryResult::kSkipped;
    case RetryState::kBlocked:
      return RetryResult::kBlocked;
    case RetryState::kExhausted:
      return RetryResult::kExhausted;
    case RetryState::kNotDue:
      return RetryResult::kNotDue;
  }
  return std::nullopt;
}

}  // namespace

Outbox::Outbox(Core& core, Intake& intake, EventDecoder& decoder)
    : core_(core),
      intake_(intake),
      decoder_(decoder),
      rate_(core.settings.rate_limit.reaps_per_second, core.settings.rate_limit.burst) {}

void Outbox::OnSettings() {
  rate_.SetRate(core_.settings.rate_limit.reaps_per_second, core_.settings.rate_limit.burst);
}

DecidedRetry Outbox::Decide(const RunRecord& record, const EndedRun& run) {
  const RetryPlan plan =
      PlanRetry(core_.policies.At(record.policy).retry, run, core_.random.Unit());
  DecidedRetry decided{.state = plan.state};
  if (plan.state != RetryState::kPending) return decided;
  const ServerInterval& server = core_.now.server;
  const ServerTime ended = server.Known() ? server.latest : record.started_at;
  decided.successor_name = SuccessorName(record.name, record.uid);
  decided.not_before = ended + std::chrono::ceil<std::chrono::microseconds>(plan.wait);
  return decided;
}

void Outbox::CountSettled(const RunRecord& record, const ObservedRun& run) {
  const std::optional<RetryResult> result = ResultOf(*run.retry_state);
  if (!result) return;
  AnnounceRetry(core_, record, run);
  core_.CountOne(Metric::kRetries, core_.LabelOf(record), static_cast<std::uint8_t>(*result));
}

// ---- what is left to do ----

std::optional<Outbox::Item> Outbox::WorkLeft(const RunRecord& record,
                                             const ObservedRun& run) const {
  if (run.being_deleted || !IsTerminal(run.phase)) return std::nullopt;
  const bool retryable = run.phase != Phase::kSucceeded;
  if (retryable && !run.retry_state) return Item{.work = Work::kDecide};
  if (retryable && run.retry_state == RetryState::kPending) {
    const auto not_before = ParseRfc3339(run.retry_not_before);
    return Item{.work = Work::kCreate, .from = not_before.value_or(ServerTime::min())};
  }
  if (!core_.PolicyOf(record).ttl) return std::nullopt;
  return Item{.work = Work::kDelete, .from = EndOf(run), .created_by = CreatedBy(run)};
}

// Unknown as long as the clock is: it is read again then. A worker that wrote no time of
// completion, or one to come: it counts from when the API server took the end, or from the first
// sight.
ServerTime Outbox::EndOf(const ObservedRun& run) const {
  const ServerInterval& server = core_.now.server;
  if (!server.Known()) return ServerTime::min();
  std::optional<ServerTime> told = ParseRfc3339(run.completion_time);
  if (!told || *told > server.latest) told = EndStamp(run.managed_fields);
  return std::max(std::min(told.value_or(server.latest), server.latest), run.created);
}

ServerTime Outbox::CreatedBy(const ObservedRun& run) {
  return run.retry_of_uid.empty() ? ServerTime::min() : run.created + kCreationMax;
}

std::optional<ServerTime> Outbox::DeletedAt(const Policy& policy, const ObservedRun& run) const {
  if (!policy.ttl || policy.reaping != Reaping::kEnabled || policy.held) return std::nullopt;
  return std::max<ServerTime>(EndOf(run) + *policy.ttl, CreatedBy(run));
}

bool Outbox::DeletesWithin(const RunRecord& record, Seconds time) const {
  const std::optional<Seconds>& ttl = core_.PolicyOf(record).ttl;
  return Allowed(record) && ttl && *ttl <= time;
}

bool Outbox::AwaitsOutcome(Uid uid) const {
  const auto found = items_.find(uid);
  return found != items_.end() && (found->second.lost || found->second.writing);
}

bool Outbox::IsWriting(Uid uid) const {
  const auto found = items_.find(uid);
  return found != items_.end() && found->second.writing;
}

std::optional<ServerTime> Outbox::DueAt(const Item& item) const {
  if (item.work != Work::kDelete) return item.from;
  const std::optional<Seconds>& ttl = core_.PolicyOf(core_.store.At(item.slot)).ttl;
  if (!ttl) return std::nullopt;
  return std::max<ServerTime>(item.from + *ttl, item.created_by);
}

void Outbox::OnSeen(Slot slot, const ObservedRun& run) {
  const RunRecord& record = core_.store.At(slot);
  const auto known = items_.find(record.uid);
  // While an answer is to come, the same state may be another controller's.
  if (known != items_.end() && known->second.lost && run.retry_state == known->second.lost) {
    known->second.lost.reset();
    CountSettled(record, run);
  }
  const std::optional<Item> left = WorkLeft(record, run);
  if (!left) {
    // A pass under way sees it for itself.
    if (known != items_.end() && !known->second.busy) items_.erase(known);
    return;
  }
  Item& item = items_[record.uid];
  item.slot = slot;
  const bool counts_already =
      item.work == Work::kDelete && left->work == Work::kDelete && item.from > ServerTime::min();
  item.from = counts_already ? std::min(item.from, left->from) : left->from;
  item.created_by = left->created_by;
  item.work = left->work;
  Attend(slot);
}

bool Outbox::Allowed(const RunRecord& record) const {
  const Policy& policy = core_.PolicyOf(record);
  return core_.leading && policy.reaping == Reaping::kEnabled && !policy.held;
}

void Outbox::Attend(Slot slot) {
  const RunRecord& record = core_.store.At(slot);
  if (!Allowed(record)) return;  // judged anew when the policy changes, or when it leads
  auto found = items_.find(record.uid);
  if (found == items_.end()) {
    // The policy may be new. When it ended is read from the object.
    if (!core_.PolicyOf(record).ttl || record.being_deleted) return;
    found = items_.emplace(record.uid, Item{.slot = slot, .work = Work::kDelete}).first;
  }
  Item& item = found->second;
  if (item.busy) return;
  const std::optional<ServerTime> due = DueAt(item);
  if (!due) {
    items_.erase(found);
    return;
  }
  const ServerInterval& server = core_.now.server;
  if (!server.Known()) {
    core_.timers.Arm(slot, core_.now.mono + kServerClockPoll);
  } else if (*due > server.earliest || item.held_until > core_.now.mono) {
    // In microseconds: what stands on the object may be millennia away.
    ServerTime::duration left{};
    if (*due > server.earliest) {
      left = std::min<ServerTime::duration>(*due - server.earliest, kLookAgainMax);
    }
    core_.timers.Arm(slot, std::max(core_.now.mono + left, item.held_until));
  } else {
    item.busy = true;
    queue_.push_back(record.uid);
  }
}

// ---- sending ----

void Outbox::Pump() {
  if (Idle() || core_.now.mono < throttled_until_) return;
  const bool limited = core_.settings.rate_limit.reaps_per_second > 0;
  while (in_flight_.size() < kFlightsMax && !queue_.empty()) {
    if (limited && !rate_.Take(core_.now.mono)) break;
    const Uid uid = queue_.front();
    queue_.pop_front();
    Begin(uid);
  }
}

std::optional<Mono> Outbox::NextWake() const {
  if (Idle() || queue_.empty()) return std::nullopt;
  if (core_.now.mono < throttled_until_) return throttled_until_;
  if (in_flight_.size() >= kFlightsMax) return std::nullopt;
  TokenBucket bucket = rate_;
  return bucket.NextAt(core_.now.mono);
}

// Every pass begins with the object as it is now: what is done next is decided on that.
void Outbox::Begin(Uid uid) {
  const auto found = items_.find(uid);
  if (found == items_.end() || !core_.store.Holds(found->second.slot, uid)) return Forget(uid);
  const RunRecord& record = core_.store.At(found->second.slot);
  if (!Allowed(record)) {
    found->second.busy = false;
    return;
  }
  Send(uid, Step::kReadParent,
       {.target = RunTarget(core_.namespaces.Name(record.name_space), record.name)});
}

void Outbox::Send(Uid uid, Step step, Request request) {
  request.id = core_.next_id++;
  request.klass = RequestClass::kData;
  request.deadline = kWriteDeadline;
  in_flight_.emplace(request.id, Flight{uid, step});
  core_.Emit(std::move(request));
}

void Outbox::Finish(Uid uid) {
  const auto found = items_.find(uid);
  if (found == items_.end()) return;
  Item& item = found->second;
  UnlockKey(item);
  item.busy = false;
  std::string().swap(item.parent);  // assigned nothing, it would keep its memory
  if (!core_.store.Holds(item.slot, uid)) return Forget(uid);
  Attend(item.slot);
}

void Outbox::Hold(Uid uid) {
  Item& item = items_.at(uid);
  item.held_until = core_.now.mono + HoldWait(item.failures++, kHoldMax, core_.random);
  Finish(uid);
}

// ---- one creation per key at a time ----

bool Outbox::LockKey(Item& item) {
  if (item.key.empty()) return true;
  std::string lock = NamespaceOf(item) + '/' + item.key;
  if (!keys_.insert(lock).second) return false;
  item.lock = std::move(lock);
  return true;
}

void Outbox::UnlockKey(Item& item) {
  if (item.lock.empty()) return;
  keys_.erase(item.lock);
  item.lock.clear();
}

void Outbox::Forget(Uid uid) {
  const auto found = items_.find(uid);
  if (found == items_.end()) return;
  UnlockKey(found->second);
  items_.erase(found);
}

const std::string& Outbox::NamespaceOf(const Item& item) const {
  return core_.namespaces.Name(core_.store.At(item.slot).name_space);
}

void Outbox::Log(LogLevel level, std::string message, const Item& item, std::string_view detail) {
  core_.Emit(LogLine{level,
                     std::move(message),
                     {{"run", core_.FullName(core_.store.At(item.slot))},
                      {"successor", item.successor_name},
                      {"detail", std::string(detail)}}});
}

}  // namespace jobrun
