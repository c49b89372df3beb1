#include "controller/engine/run_watch.h"

#include <string>
#include <utility>

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
      departures_(parts.departures),
      index_(index),
      fields_(Scope().field_selector) {
  TheCore().runs_synced.resize(index + std::size_t{1});
  TheCore().runs_selected.resize(index + std::size_t{1});
  Select(!TheCore().settings.watch.finished);
}

void RunWatch::Select(bool selects) {
  TheCore().runs_selected[index_] = selects;
  SelectFields(selects ? BothFields(fields_, kUnsettledFields) : fields_);
}

void RunWatch::OnSettings() {
  const bool selects = !TheCore().settings.watch.finished && !refused_;
  if (selects == Selects()) return;
  Select(selects);
  Machine().Resync(TheCore().now.mono);
}

// An older server, or the definition of JobRuns of an older version: it is tried again when the
// process starts anew, by when somebody may have mended it.
bool RunWatch::AskOtherwise() {
  if (!Selects()) return false;
  refused_ = true;
  Select(false);
  TheCore().Emit(LogLine{LogLevel::kWarn,
                         "the API server can't select runs by status.phase and "
                         "status.retry.state: also those that are over are watched, which costs "
                         "memory; is crds/jobruns.yaml up to date?",
                         {}});
  return true;
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
    if (record.scope == index_ && record.epoch != Epoch()) OnGone(slot);
  });
  if (TheCore().runs_synced[index_]) return;
  TheCore().runs_synced[index_] = true;
  reaper_.OnRunsKnown(index_);
}

void RunWatch::OnEvent(const Event& event, bool initial) {
  if (TheCore().IsCanary(event.run)) return;
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
  const Slot returned = ComesBack(event.run.uid);
  const Source source = initial ? Source::kList : Source::kWatch;
  reaper_.OnSeen(intake_.Observe(event.run, source, index_, Epoch()), event.run);
  if (returned == kNoSlot || !TheCore().store.Holds(returned, event.run.uid)) return;
  if (!IsTerminal(TheCore().store.At(returned).phase)) reaper_.Judge(returned);
}

// Of a run that had left the watch: while it was away nobody looked at it.
Slot RunWatch::ComesBack(const Uid& uid) {
  if (departures_.Size() == 0) return kNoSlot;  // as good as always
  const Slot slot = TheCore().store.Find(uid);
  if (slot == kNoSlot || !TheCore().store.At(slot).departed) return kNoSlot;
  TheCore().store.At(slot).departed = false;
  return slot;
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
  // With a selection it may be the state before the one that left it, in the version of that one:
  // nothing may be judged by the two. Only a verdict that it shows stands.
  const bool shows =
      !Selects() || (IsTerminal(event.run.phase) && !IsTerminal(store.At(slot).phase));
  if (shows) {
    reaper_.OnSeen(intake_.Observe(event.run, Source::kWatch, index_, Epoch()), event.run);
  }
  if (store.Holds(slot, event.run.uid)) OnGone(slot);
}

void RunWatch::OnGone(Slot slot) {
  if (Selects()) {
    departures_.Leave(slot);
  } else {
    reaper_.Forget(slot);
  }
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
