#include "controller/engine/departures.h"

#include <utility>

#include "controller/engine/answers.h"
#include "controller/wire/http_status.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

constexpr std::size_t kFlightsMax = 8;
constexpr Nanos kReadDeadline = std::chrono::seconds(10);
// An answer that is to come may tell as much as a read.
constexpr Nanos kAnswerComes = std::chrono::milliseconds(200);
constexpr Nanos kDeletionWaits = std::chrono::seconds(20);
constexpr Nanos kHoldMax = std::chrono::seconds(30);

}  // namespace

Departures::Departures(const Parts& parts)
    : core_(parts.core),
      intake_(parts.intake),
      reaper_(parts.reaper),
      outbox_(parts.outbox),
      decoder_(parts.decoder) {}

void Departures::Leave(Slot slot) {
  RunRecord& record = core_.store.At(slot);
  if (record.departed) return;
  const bool over = IsTerminal(record.phase);
  const bool unclear = (record.verdict_sent && !over) || outbox_.AwaitsOutcome(record.uid);
  const bool followed = runs_.size() < kFollowedMax && outbox_.DeletesWithin(record, kFollowed);
  if (!unclear && !followed) return reaper_.Forget(slot);
  record.departed = true;
  record.queued = false;
  if (runs_.insert_or_assign(record.uid, Departed{.settled = over && !unclear}).second) {
    LookAgain(record.uid, Nanos::zero());
  }
}

void Departures::Keep(Slot slot) {
  RunRecord& record = core_.store.At(slot);
  record.departed = true;
  runs_.insert_or_assign(record.uid, Departed{.settled = true, .kept = true});
  LookAgain(record.uid, kDeletionWaits);
}

void Departures::Pump() {
  while (in_flight_.size() < kFlightsMax && !due_.empty() &&
         due_.begin()->first <= core_.now.mono) {
    const Uid uid = due_.begin()->second;
    due_.erase(due_.begin());
    Look(uid);
  }
}

std::optional<Mono> Departures::NextWake() const {
  if (due_.empty() || in_flight_.size() >= kFlightsMax) return std::nullopt;
  return due_.begin()->first;
}

void Departures::Look(Uid uid) {
  const Slot slot = core_.store.Find(uid);
  const auto found = runs_.find(uid);
  if (found == runs_.end()) return;
  if (slot == kNoSlot || !core_.store.At(slot).departed) {  // gone, or told of again
    runs_.erase(found);
    return;
  }
  const RunRecord& record = core_.store.At(slot);
  if (record.busy || outbox_.IsWriting(uid)) return LookAgain(uid, kAnswerComes);
  Departed& run = found->second;
  run.settled = run.settled || (IsTerminal(record.phase) && !outbox_.AwaitsOutcome(uid));
  if (!run.settled) return Read(uid, record);
  const bool waits =
      outbox_.Has(uid) && core_.leading && (run.kept || outbox_.DeletesWithin(record, kFollowed));
  if (waits) return LookAgain(uid, kDeletionWaits);
  Forget(uid, slot);
}

void Departures::Read(Uid uid, const RunRecord& record) {
  Request request{.klass = RequestClass::kData,
                  .target = RunTarget(core_.namespaces.Name(record.name_space), record.name),
                  .deadline = kReadDeadline};
  request.id = core_.next_id++;
  in_flight_.emplace(request.id, uid);
  core_.Emit(std::move(request));
}

void Departures::OnResponse(const Response& response) {
  const Uid uid = in_flight_.extract(response.id).mapped();
  const Slot slot = core_.store.Find(uid);
  if (slot == kNoSlot || !core_.store.At(slot).departed) {
    runs_.erase(uid);
  } else if (response.status == kHttpOk) {
    TakeIn(uid, slot, response);
  } else if (response.status == kHttpNotFound) {
    Forget(uid, slot);
  } else {
    LookAgain(uid, HoldWait(runs_[uid].failures++, kHoldMax, core_.random));
  }
}

// Where it is not over it has left the selection in another way, by its labels: it is none of ours.
void Departures::TakeIn(Uid uid, Slot slot, const Response& response) {
  const Event event = decoder_.DecodeObject(response.body);
  const bool over =
      event.type != EventType::kInvalid && event.run.uid == uid && IsTerminal(event.run.phase);
  if (!over) return Forget(uid, slot);
  reaper_.OnSeen(intake_.Observe(event.run, Source::kRead, 0, 0), event.run);
  runs_[uid].settled = true;
  LookAgain(uid, Nanos::zero());
}

void Departures::Forget(Uid uid, Slot slot) {
  runs_.erase(uid);
  reaper_.Forget(slot);
}

}  // namespace jobrun
