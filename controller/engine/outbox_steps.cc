// The other half of the Outbox: its passes, step by step, and what the answers mean.
#include <algorithm>
#include <utility>

#include "controller/base/object_name.h"
#include "controller/engine/announce.h"
#include "controller/engine/answers.h"
#include "controller/engine/outbox.h"
#include "controller/wire/http_status.h"
#include "controller/wire/successor.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// Type of the condition that says why a successor does not come to be.
constexpr std::string_view kSuccessorCondition = "SuccessorCreated";
constexpr Nanos kKeyAgain = std::chrono::milliseconds(200);

// What a DELETE wanted is so.
bool IsGone(int status) {
  return status == kHttpOk || status == kHttpAccepted || status == kHttpNotFound;
}

}  // namespace

void Outbox::OnResponse(const Response& response) {
  const Flight flight = in_flight_.extract(response.id).mapped();
  const auto found = items_.find(flight.uid);
  if (found == items_.end()) return;
  Item& item = found->second;
  if (!core_.store.Holds(item.slot, flight.uid)) return Finish(flight.uid);
  if (response.status == kHttpTooManyRequests) {
    throttled_until_ = std::max(throttled_until_, core_.now.mono + ThrottleWait(response));
    return Finish(flight.uid);
  }
  // Switched off in the middle of a pass, or the parent has moved on: nothing is done on what was
  // read then.
  const bool writes_next = flight.step == Step::kReadSuccessor || flight.step == Step::kListKey ||
                           flight.step == Step::kCreate || flight.step == Step::kDeleteTwin ||
                           flight.step == Step::kReadOrigin;
  const RunRecord& record = core_.store.At(item.slot);
  // Of what its watch tells of no more, only a fresh read says whether a retry is owed.
  const bool owes = !record.departed || item.work == Work::kDelete;
  const bool as_read = record.resource_version == item.version && Allowed(record) && owes;
  if (writes_next && !as_read) return Finish(flight.uid);
  switch (flight.step) {
    case Step::kReadParent:
      return OnParent(flight.uid, item, response);
    case Step::kWriteState:
      return OnWritten(flight.uid, item, response);
    case Step::kWriteRefusal:  // recorded or not: it is told in the log too
      return Hold(flight.uid);
    case Step::kReadSuccessor:
      return OnSuccessor(flight.uid, item, response);
    case Step::kListKey:
      return OnKeyListed(flight.uid, item, response);
    case Step::kCreate:
      return OnCreated(flight.uid, item, response);
    case Step::kDeleteTwin:
      return OnTwinDeleted(flight.uid, item, response);
    case Step::kReadOrigin:
      return OnOrigin(flight.uid, item, response);
    case Step::kDelete:
      return OnDeleted(flight.uid, response);
  }
}

// Brings the record up to the object in an answer. False: it is gone, or the watch is ahead of the
// answer, which then tells nothing.
bool Outbox::TakeIn(Uid uid, Slot slot, const ObservedRun& run) {
  const RunRecord& record = core_.store.At(slot);
  (void)intake_.Observe(run, Source::kRead, record.scope, record.epoch);
  if (!core_.store.Holds(slot, uid)) return false;
  if (core_.store.At(slot).resource_version != run.resource_version) return false;
  OnSeen(slot, run);
  return true;
}

void Outbox::OnParent(Uid uid, Item& item, const Response& response) {
  if (response.status == kHttpNotFound) return Forget(uid);
  if (response.status != kHttpOk) return Failed(uid, response, "read");
  const Event event = decoder_.DecodeObject(response.body);
  const ObservedRun& run = event.run;
  if (event.type == EventType::kInvalid) return Hold(uid);
  if (run.uid != uid) return Forget(uid);  // another object of its name: ours is gone
  item.parent = response.body;
  item.version = run.resource_version;
  item.key = run.concurrency_key;
  item.origin = ParseUid(run.retry_of_uid).value_or(Uid());
  item.origin_name = run.retry_of_name;
  item.successor_name = run.successor_name;
  item.reason = run.reason;
  item.attempt = run.attempt;
  item.exit_code = run.exit_code;
  item.successor = {};
  item.contested = false;
  if (!TakeIn(uid, item.slot, run)) return Finish(uid);
  item.lost.reset();  // counted if it was recorded
  if (!WorkLeft(core_.store.At(item.slot), run)) return Forget(uid);
  if (Idle() || !Allowed(core_.store.At(item.slot))) return Finish(uid);
  if (DueAt(item).value_or(ServerTime::max()) > core_.now.server.earliest) return Finish(uid);
  Act(uid, item);
}

void Outbox::Act(Uid uid, Item& item) {
  switch (item.work) {
    case Work::kDecide:
      return WriteDecision(uid, item);
    case Work::kDelete:
      // What a user has written there may be no name.
      if (item.origin.IsNone() || !IsObjectName(item.origin_name)) return Delete(uid, item);
      return Send(uid, Step::kReadOrigin,
                  {.target = RunTarget(NamespaceOf(item), item.origin_name)});
    case Work::kCreate:
      break;
  }
  if (!LockKey(item)) {
    item.held_until = core_.now.mono + kKeyAgain;
    return Finish(uid);
  }
  // After a failure it may be there already, and a quota may refuse it just for that.
  if (item.key.empty() && item.failures == 0) return Create(uid, item);
  ReadSuccessor(uid, item);
}

// ---- deciding and recording ----

void Outbox::WriteDecision(Uid uid, Item& item) {
  const RunRecord& record = core_.store.At(item.slot);
  const DecidedRetry decided =
      Decide(record, {.reason = item.reason, .attempt = item.attempt, .exit_code = item.exit_code});
  item.writing = decided.state;
  Send(uid, Step::kWriteState,
       {.method = Method::kPatch,
        .target = StatusTarget(NamespaceOf(item), record.name),
        .content_type = std::string(kMergePatchType),
        .body = WriteRetryPatch({.resource_version = item.version, .retry = decided.Record()})});
}

void Outbox::WriteState(Uid uid, Item& item, RetryState state) {
  const RunRecord& record = core_.store.At(item.slot);
  RetryPatch patch{.resource_version = item.version, .retry = {.state = state}};
  const std::string successor = FormatUid(item.successor);
  if (state == RetryState::kCreated) patch.retry.successor_uid = successor;
  // A refusal that was recorded is over.
  const Result<std::string> all = ConditionsExcept(item.parent, "");
  const Result<std::string> others = ConditionsExcept(item.parent, kSuccessorCondition);
  if (all && others && *all != *others) patch.conditions = *others;
  item.writing = state;
  Send(uid, Step::kWriteState,
       {.method = Method::kPatch,
        .target = StatusTarget(NamespaceOf(item), record.name),
        .content_type = std::string(kMergePatchType),
        .body = WriteRetryPatch(patch)});
}

void Outbox::OnWritten(Uid uid, Item& item, const Response& response) {
  const std::optional<RetryState> written = std::exchange(item.writing, std::nullopt);
  if (response.status == 0 || response.status >= kHttpServerError) item.lost = written;
  if (response.status == kHttpConflict) {
    core_.CountOne(Metric::kConflicts, 0, 0);
    if (item.failures > 0) return Hold(uid);  // also what was just read is said to be old
    item.failures = 1;
    return Finish(uid);
  }
  if (response.status == kHttpNotFound) return Finish(uid);
  if (response.status != kHttpOk) return Failed(uid, response, "record the retry");
  const Event event = decoder_.DecodeObject(response.body);
  if (event.type == EventType::kInvalid || event.run.uid != uid) return Hold(uid);
  const Slot slot = item.slot;
  item.failures = 0;
  if (event.run.retry_state == written) CountSettled(core_.store.At(slot), event.run);
  if (!TakeIn(uid, slot, event.run)) return Finish(uid);
  if (!WorkLeft(core_.store.At(slot), event.run)) return Forget(uid);
  Finish(uid);
}

// ---- creating ----

void Outbox::Create(Uid uid, const Item& item) {
  const std::uint32_t attempt = NextAttempt({.reason = item.reason, .attempt = item.attempt});
  Result<std::string> body =
      WriteSuccessor(item.parent, {.name = item.successor_name, .attempt = attempt});
  if (!body) return Hold(uid);
  Send(uid, Step::kCreate,
       {.method = Method::kPost,
        .target = CreateTarget(NamespaceOf(item)),
        .content_type = "application/json",
        .body = std::move(*body)});
}

void Outbox::TakeSuccessor(Item& item, const ObservedRun& run) {
  item.successor = run.uid;
  item.successor_version = run.resource_version;
  item.successor_created = run.created;
  item.successor_unclaimed = run.phase == Phase::kPending && !run.being_deleted;
}

void Outbox::OnCreated(Uid uid, Item& item, const Response& response) {
  if (response.status == kHttpConflict) {
    item.contested = true;
    return ReadSuccessor(uid, item);
  }
  const bool created = response.status == kHttpCreated || response.status == kHttpOk;
  if (!created && response.status >= 400 && response.status < kHttpServerError) {
    return Refused(uid, item, response);
  }
  if (!created) {
    item.creating_until = core_.now.mono + kCreationMax;
    return Failed(uid, response, "create the successor");
  }
  const Event event = decoder_.DecodeObject(response.body);
  if (event.type == EventType::kInvalid) return Hold(uid);
  TakeSuccessor(item, event.run);
  Log(LogLevel::kInfo, "created the successor", item, "");
  if (item.key.empty()) return WriteState(uid, item, RetryState::kCreated);
  ListKey(uid, item);
}

void Outbox::ReadSuccessor(Uid uid, const Item& item) {
  Send(uid, Step::kReadSuccessor, {.target = RunTarget(NamespaceOf(item), item.successor_name)});
}

void Outbox::OnSuccessor(Uid uid, Item& item, const Response& response) {
  if (response.status == kHttpNotFound) {
    // Deleted since, or a conflict of another kind: later again.
    if (item.contested) return Hold(uid);
    if (item.key.empty()) return Create(uid, item);
    return ListKey(uid, item);
  }
  if (response.status != kHttpOk) return Failed(uid, response, "read the successor");
  const Event event = decoder_.DecodeObject(response.body);
  if (event.type == EventType::kInvalid) return Hold(uid);
  if (ParseUid(event.run.retry_of_uid) != uid) {
    Log(LogLevel::kError, "the successor's name is taken by an object that is not ours", item, "");
    return WriteState(uid, item, RetryState::kBlocked);
  }
  TakeSuccessor(item, event.run);
  if (item.key.empty() || !item.successor_unclaimed) {
    return WriteState(uid, item, RetryState::kCreated);
  }
  ListKey(uid, item);
}

void Outbox::ListKey(Uid uid, const Item& item) {
  Send(uid, Step::kListKey, {.target = ActiveOfKeyTarget(NamespaceOf(item), item.key)});
}

// Of two unclaimed successors under one key the later one goes; a claimed one stays.
void Outbox::OnKeyListed(Uid uid, Item& item, const Response& response) {
  if (response.status != kHttpOk)
    return Failed(uid, response, "list the runs of the concurrencyKey");
  bool another = false;
  bool earlier = false;
  const auto look = [&](const Event& event) {
    const ObservedRun& run = event.run;
    if (event.type == EventType::kInvalid || run.being_deleted) return;
    if (run.uid == uid || run.uid == item.successor || IsTerminal(run.phase)) return;
    another = true;
    earlier =
        earlier || run.phase == Phase::kRunning || run.created < item.successor_created ||
        (run.created == item.successor_created && FormatUid(run.uid) < FormatUid(item.successor));
  };
  if (!decoder_.DecodePage(response.body, look, response.body.capacity())) return Hold(uid);
  if (Idle()) return Finish(uid);
  if (item.successor.IsNone()) {
    if (!another) return Create(uid, item);
    if (core_.now.mono < item.creating_until) return Hold(uid);
    Log(LogLevel::kInfo, "Skipped sync retries: another active run exists", item, item.key);
    return WriteState(uid, item, RetryState::kSkipped);
  }
  if (!earlier || !item.successor_unclaimed) return WriteState(uid, item, RetryState::kCreated);
  Send(uid, Step::kDeleteTwin,
       {.method = Method::kDelete,
        .target = RunTarget(NamespaceOf(item), item.successor_name),
        .content_type = "application/json",
        .body = WriteDeleteOptions(item.successor, item.successor_version)});
}

void Outbox::OnTwinDeleted(Uid uid, Item& item, const Response& response) {
  if (response.status == kHttpConflict) return Finish(uid);  // claimed meanwhile, perhaps
  if (!IsGone(response.status)) return Failed(uid, response, "delete the duplicate successor");
  Log(LogLevel::kInfo, "Skipped sync retries: another active run exists", item, item.key);
  WriteState(uid, item, RetryState::kSkipped);
}

// Quota, admission, a missing right: it is tried again, and the run says why it waits.
void Outbox::Refused(Uid uid, Item& item, const Response& response) {
  const std::string detail = WordsOf(response);
  Log(LogLevel::kWarn, "the successor was refused; it is tried again", item, detail);
  AnnounceRefusedSuccessor(core_, core_.store.At(item.slot), detail);
  if (detail == item.refusal || Idle()) return Hold(uid);
  item.refusal = detail;
  const RunRecord& record = core_.store.At(item.slot);
  const Result<std::string> others = ConditionsExcept(item.parent, kSuccessorCondition);
  if (!others) return Hold(uid);
  constexpr std::size_t kMessageMax = 1024;
  const std::string conditions =
      *others + (others->empty() ? "" : ",") +
      WriteCondition({.type = kSuccessorCondition,
                      .status = "False",
                      .reason = "Refused",
                      .message = std::string_view(detail).substr(0, kMessageMax),
                      .at = core_.now.server.earliest,
                      .generation = record.generation});
  Send(uid, Step::kWriteRefusal,
       {.method = Method::kPatch,
        .target = StatusTarget(NamespaceOf(item), record.name),
        .content_type = std::string(kMergePatchType),
        .body = WriteRetryPatch({.resource_version = item.version,
                                 .retry = {.state = RetryState::kPending},
                                 .conditions = conditions})});
}

// ---- the end ----

// What is not recorded as the successor when it goes would be created again.
void Outbox::OnOrigin(Uid uid, Item& item, const Response& response) {
  if (response.status == kHttpNotFound) return Delete(uid, item);
  if (response.status != kHttpOk) return Failed(uid, response, "read the run before it");
  const Event event = decoder_.DecodeObject(response.body);
  const ObservedRun& run = event.run;
  if (event.type == EventType::kInvalid) return Hold(uid);
  const bool decided = run.retry_state && run.retry_state != RetryState::kPending;
  const bool wants_none = run.phase == Phase::kSucceeded || run.being_deleted;
  if (run.uid != item.origin || decided || wants_none) return Delete(uid, item);
  Hold(uid);
}

void Outbox::Delete(Uid uid, const Item& item) {
  if (Idle()) return Finish(uid);
  Send(uid, Step::kDelete,
       {.method = Method::kDelete,
        .target = RunTarget(NamespaceOf(item), core_.store.At(item.slot).name),
        .content_type = "application/json",
        .body = WriteDeleteOptions(uid, item.version)});
}

void Outbox::OnDeleted(Uid uid, const Response& response) {
  if (IsGone(response.status)) return Forget(uid);  // the watch tells of the rest
  if (response.status == kHttpConflict) return Finish(uid);
  Failed(uid, response, "delete it");
}

void Outbox::Failed(Uid uid, const Response& response, std::string_view doing) {
  const Item& item = items_.at(uid);
  const bool refused = response.status != 0 && response.status < kHttpServerError;
  core_.Emit(LogLine{refused ? LogLevel::kError : LogLevel::kWarn,
                     "a request for a finished run failed; it is tried again",
                     {{"run", core_.FullName(core_.store.At(item.slot))},
                      {"request", std::string(doing)},
                      {"status", std::to_string(response.status)},
                      {"error", WordsOf(response)}}});
  Hold(uid);
}

}  // namespace jobrun
