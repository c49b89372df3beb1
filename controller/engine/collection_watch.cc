#include "controller/engine/collection_watch.h"

#include <algorithm>
#include <utility>

namespace jobrun {
namespace {

// A lasting trouble is said once a minute, and so is one that comes and goes: after the first
// recovery, which is said at once, a line a minute tells how things are.
constexpr Nanos kProblemRepeat = std::chrono::minutes(1);
// To list a run costs some 4 us of CPU: a ten-thousandth of a core, where there are many of them.
constexpr Nanos kRelistPerRun = std::chrono::milliseconds(36);
constexpr Nanos kRelistForManyMax = std::chrono::hours(1);

}  // namespace

CollectionWatch::CollectionWatch(Parts parts, WatchScope scope, const ReflectorOptions& options,
                                 std::uint64_t seed)
    : core_(parts.core),
      decoder_(parts.decoder),
      scope_(std::move(scope)),
      reflector_(*this, options, seed) {}

void CollectionWatch::OnEvents(const StreamEvents& events) {
  reflector_.OnEvents(events, core_.now.mono);
}

void CollectionWatch::Stop() {
  if (reflector_.Owns(stream_)) Close(stream_);
}

std::string CollectionWatch::ListTarget(const ListOptions& options) const {
  return jobrun::ListTarget(scope_, options);
}

std::string CollectionWatch::WatchTarget(const WatchOptions& options) const {
  return jobrun::WatchTarget(scope_, options);
}

Result<EventDecoder::Page> CollectionWatch::ReadPage(const std::string& body) {
  const auto each = [this](const Event& event) { OnEvent(event, true); };
  return decoder_.DecodePage(body, each, body.capacity(), scope_.watched);
}

RequestId CollectionWatch::Send(Request request) {
  request.id = core_.next_id++;
  request.accepts_gzip = core_.settings.watch.gzip;
  const RequestId id = request.id;
  core_.Emit(std::move(request));
  return id;
}

StreamId CollectionWatch::Open(OpenStream stream) {
  stream.id = core_.next_id++;
  stream.watched = scope_.watched;
  stream_ = stream.id;
  core_.Emit(std::move(stream));
  return stream_;
}

void CollectionWatch::Close(StreamId stream) { core_.Emit(CloseStream{stream}); }

std::optional<Nanos> CollectionWatch::ListAgainAfter() const {
  const auto runs = static_cast<std::int64_t>(core_.store.Size());
  return std::max<Nanos>(core_.settings.watch.relist,
                         std::min(runs * kRelistPerRun, kRelistForManyMax));
}

void CollectionWatch::OnProblem(std::string_view problem) {
  problem_ = problem;
  LogProblem();
}

void CollectionWatch::TellLate() {
  if (told_troubled_ == problem_.empty()) LogProblem();
}

void CollectionWatch::LogProblem() {
  const Mono now = core_.now.mono;
  const bool troubled = !problem_.empty();
  if (!troubled && !told_troubled_) return;
  if (now < (troubled ? next_error_ : next_recovery_)) return;
  told_troubled_ = troubled;
  next_error_ = now + kProblemRepeat;
  if (troubled) {
    core_.Emit(LogLine{LogLevel::kError, problem_, {}});
  } else {
    // Behind the next error: what flaps gets one line a minute, not two.
    next_recovery_ = next_error_ + kProblemRepeat;
    core_.Emit(LogLine{LogLevel::kInfo, "the API server answers again", {}});
  }
}

}  // namespace jobrun
