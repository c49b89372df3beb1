#include "controller/engine/run_watch.h"

#include <utility>

namespace jobrun {
namespace {

// A lasting trouble is said once a minute, and so is one that comes and goes: after the first
// recovery, which is said at once, a line a minute tells how things are.
constexpr Nanos kProblemRepeat = std::chrono::minutes(1);

static_assert(static_cast<int>(ListOutcome::kFailed) == static_cast<int>(ListResult::kFailed));
static_assert(static_cast<int>(StreamEnd::kRefused) == static_cast<int>(WatchEnd::kRefused));

}  // namespace

RunWatch::RunWatch(Parts parts, WatchScope scope, std::uint8_t index, std::uint64_t seed)
    : parts_(parts),
      scope_(std::move(scope)),
      index_(index),
      reflector_(*this,
                 {.if_missing = "it is not installed there: kubectl apply -f crds/jobruns.yaml",
                  .if_forbidden = "the controller needs get, list and watch on jobruns.jobrun.dev"},
                 seed) {}

void RunWatch::OnEvents(const StreamEvents& events) {
  for (const Event& event : events.events) parts_.core.store.PrefetchPlace(event.run.uid);
  for (const Event& event : events.events) parts_.core.store.PrefetchRecord(event.run.uid);
  reflector_.OnEvents(events, parts_.core.now.mono);
  for (std::size_t type = 0; type < events_by_type_.size(); ++type) {
    const std::uint64_t count = std::exchange(events_by_type_[type], 0);
    if (count == 0) continue;
    parts_.core.CountOne(Metric::kWatchEvents, 0, static_cast<std::uint8_t>(type),
                         static_cast<double>(count));
  }
}

void RunWatch::Stop() {
  if (reflector_.Owns(stream_)) Close(stream_);
}

std::string RunWatch::ListTarget(const ListOptions& options) const {
  return jobrun::ListTarget(scope_, options);
}

std::string RunWatch::WatchTarget(const WatchOptions& options) const {
  return jobrun::WatchTarget(scope_, options);
}

Result<EventDecoder::Page> RunWatch::ReadPage(const std::string& body) {
  const auto each = [this](const Event& event) { OnEvent(event, true); };
  return parts_.decoder.DecodePage(body, each, body.capacity());
}

RequestId RunWatch::Send(Request request) {
  request.id = parts_.core.next_id++;
  const RequestId id = request.id;
  parts_.core.Emit(std::move(request));
  return id;
}

StreamId RunWatch::Open(OpenStream stream) {
  stream.id = parts_.core.next_id++;
  stream_ = stream.id;
  parts_.core.CountOne(Metric::kWatchOpens, 0, 0);
  parts_.core.Emit(std::move(stream));
  return stream_;
}

void RunWatch::Close(StreamId stream) { parts_.core.Emit(CloseStream{stream}); }

void RunWatch::OnListing() { ++epoch_; }

// Whatever the complete list did not have is gone.
void RunWatch::OnReplaced() {
  parts_.core.store.ForEach([this](Slot slot, const RunRecord& record) {
    if (record.scope == index_ && record.epoch != epoch_) parts_.reaper.Forget(slot);
  });
}

void RunWatch::OnEvent(const Event& event, bool initial) {
  ++events_by_type_[static_cast<std::size_t>(event.type)];
  if (event.type == EventType::kInvalid) {
    parts_.intake.Invalid(event.run, event.message);
    return;
  }
  if (event.type == EventType::kDeleted) {
    OnDeleted(event);
    return;
  }
  const Source source = initial ? Source::kList : Source::kWatch;
  parts_.reaper.OnSeen(parts_.intake.Observe(event.run, source, index_, epoch_), event.run);
}

// The event carries the last state, which may show a verdict of ours for the first time.
void RunWatch::OnDeleted(const Event& event) {
  const Slot slot = parts_.core.store.Find(event.run.uid);
  if (slot == kNoSlot) return;
  parts_.reaper.OnSeen(parts_.intake.Observe(event.run, Source::kWatch, index_, epoch_), event.run);
  if (parts_.core.store.Holds(slot, event.run.uid)) parts_.reaper.Forget(slot);
}

void RunWatch::OnListEnded(ListOutcome outcome) {
  parts_.core.CountOne(Metric::kLists, 0, static_cast<std::uint8_t>(outcome));
  if (outcome != ListOutcome::kComplete) return;
  parts_.core.Emit(LogLine{LogLevel::kInfo,
                           "synced",
                           {{"namespace", scope_.name_space.empty() ? "*" : scope_.name_space},
                            {"runs", std::to_string(parts_.core.store.Size())}}});
}

void RunWatch::OnStreamEnded(StreamEnd end) {
  parts_.core.CountOne(Metric::kWatchEnds, 0, static_cast<std::uint8_t>(end));
}

void RunWatch::OnProblem(std::string_view problem) {
  problem_ = problem;
  LogProblem();
}

void RunWatch::TellLate() {
  if (told_troubled_ == problem_.empty()) LogProblem();
}

void RunWatch::LogProblem() {
  const Mono now = parts_.core.now.mono;
  const bool troubled = !problem_.empty();
  if (!troubled && !told_troubled_) return;
  if (now < (troubled ? next_error_ : next_recovery_)) return;
  told_troubled_ = troubled;
  next_error_ = now + kProblemRepeat;
  if (troubled) {
    parts_.core.Emit(LogLine{LogLevel::kError, problem_, {}});
  } else {
    // Behind the next error: what flaps gets one line a minute, not two.
    next_recovery_ = next_error_ + kProblemRepeat;
    parts_.core.Emit(LogLine{LogLevel::kInfo, "the API server answers again", {}});
  }
}

}  // namespace jobrun
