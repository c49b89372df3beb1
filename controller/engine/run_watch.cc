#include "controller/engine/run_watch.h"

#include <string>
#include <utility>

#include "controller/wire/canary.h"

namespace jobrun {
namespace {

static_assert(static_cast<int>(ListOutcome::kFailed) == static_cast<int>(ListResult::kFailed));
static_assert(static_cast<int>(StreamEnd::kRefused) == static_cast<int>(WatchEnd::kRefused));

}  // namespace

RunWatch::RunWatch(Parts parts, WatchScope scope, std::uint8_t index, std::uint64_t seed)
    : CollectionWatch(
          {parts.core, parts.decoder}, std::move(scope),
          {.if_missing = "it is not installed there: kubectl apply -f crds/jobruns.yaml",
           .if_forbidden = "the controller needs get, list and watch on jobruns.jobrun.dev"},
          seed),
      intake_(parts.intake),
      reaper_(parts.reaper),
      index_(index) {
  TheCore().runs_synced.resize(index + std::size_t{1});
}

void RunWatch::OnEvents(const StreamEvents& events) {
  Core& core = TheCore();
  for (const Event& event : events.events) core.store.PrefetchPlace(event.run.uid);
  for (const Event& event : events.events) core.store.PrefetchRecord(event.run.uid);
  CollectionWatch::OnEvents(events);
  for (std::size_t type = 0; type < events_by_type_.size(); ++type) {
    const std::uint64_t count = std::exchange(events_by_type_[type], 0);
    if (count == 0) continue;
    core.Emit(Count{.metric = Metric::kWatchEvents,
                    .label = static_cast<std::uint8_t>(type),
                    .value = static_cast<double>(count)});
  }
}

StreamId RunWatch::Open(OpenStream stream) {
  TheCore().CountOne(Metric::kWatchOpens, 0, 0);
  return CollectionWatch::Open(std::move(stream));
}

// What a list has is there, also where a backup of the store has brought it back.
void RunWatch::OnListing() {
  deletions_.Clear();
  undone_.clear();
  CollectionWatch::OnListing();
}

// That a run is over is not taken back by a list that may only have been made before it ended.
void RunWatch::NoteUndone(const ObservedRun& run) {
  const Store& store = TheCore().store;
  const Slot slot = store.Find(run.uid);
  if (slot == kNoSlot || !IsTerminal(store.At(slot).phase)) return;
  if (run.resource_version < store.At(slot).resource_version) undone_.push_back(run.uid);
}

// One made after that, though, proves that the store was given an old backup: these runs are to be
// seen with new eyes. True when there are any.
bool RunWatch::ForgetUndone() {
  Store& store = TheCore().store;
  std::size_t forgotten = 0;
  for (const Uid& uid : undone_) {
    const Slot slot = store.Find(uid);
    if (slot == kNoSlot || store.At(slot).resource_version > Machine().ListedVersion()) continue;
    reaper_.Forget(slot);
    ++forgotten;
  }
  undone_.clear();
  if (forgotten == 0) return false;
  TheCore().Emit(LogLine{LogLevel::kWarn,
                         "the API server's store has gone back to older versions of runs; they are "
                         "listed again",
                         {{"runs", std::to_string(forgotten)}}});
  return true;
}

std::optional<Nanos> RunWatch::ListAgainAfter() const {
  return went_back_ ? Nanos::zero() : CollectionWatch::ListAgainAfter();
}

// Whatever the complete list did not have is gone.
void RunWatch::OnReplaced() {
  went_back_ = ForgetUndone();
  TheCore().store.ForEach([this](Slot slot, const RunRecord& record) {
    if (record.scope == index_ && record.epoch != Epoch()) reaper_.Forget(slot);
  });
  if (TheCore().runs_synced[index_]) return;
  TheCore().runs_synced[index_] = true;
  reaper_.OnRunsKnown(index_);
}

// Those of this installation's replicas, which are no work. Whatever else is of that lane is a
// run, so that nobody hides one in it by mistake; canaries of other installations say themselves
// that they are not reaped.
bool RunWatch::IsCanary(const ObservedRun& run) const {
  return run.name_space == TheCore().home && ::jobrun::IsCanary(run.lane, run.name);
}

void RunWatch::OnEvent(const Event& event, bool initial) {
  if (IsCanary(event.run)) return;
  ++events_by_type_[static_cast<std::size_t>(event.type)];
  if (event.type == EventType::kInvalid) {
    intake_.Invalid(event.run, event.message);
    return;
  }
  if (event.type == EventType::kDeleted) {
    OnDeleted(event);
    return;
  }
  if (IsOfThePast(event, initial)) return;
  if (initial) NoteUndone(event.run);
  const Source source = initial ? Source::kList : Source::kWatch;
  reaper_.OnSeen(intake_.Observe(event.run, source, index_, Epoch()), event.run);
}

// Told again, or too late, of a run that is gone.
bool RunWatch::IsOfThePast(const Event& event, bool initial) const {
  const ObservedRun& run = event.run;
  if (deletions_.Overtook(run.uid, run.resource_version)) return true;
  if (initial || run.resource_version > Machine().ListedVersion()) return false;
  return TheCore().store.Find(run.uid) == kNoSlot;
}

// The event carries the last state, which may show a verdict of ours for the first time.
void RunWatch::OnDeleted(const Event& event) {
  deletions_.Note(event.run.uid, event.run.resource_version);
  Store& store = TheCore().store;
  const Slot slot = store.Find(event.run.uid);
  if (slot == kNoSlot) return;
  reaper_.OnSeen(intake_.Observe(event.run, Source::kWatch, index_, Epoch()), event.run);
  if (store.Holds(slot, event.run.uid)) reaper_.Forget(slot);
}

void RunWatch::OnListEnded(ListOutcome outcome) {
  TheCore().CountOne(Metric::kLists, 0, static_cast<std::uint8_t>(outcome));
  if (outcome != ListOutcome::kComplete) return;
  const std::string& name_space = Scope().name_space;
  TheCore().Emit(LogLine{LogLevel::kInfo,
                         "synced",
                         {{"namespace", name_space.empty() ? "*" : name_space},
                          {"runs", std::to_string(TheCore().store.Size())}}});
}

void RunWatch::OnStreamEnded(StreamEnd end) {
  TheCore().CountOne(Metric::kWatchEnds, 0, static_cast<std::uint8_t>(end));
}

}  // namespace jobrun
