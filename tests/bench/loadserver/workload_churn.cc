// The other part of the Workload: runs that come and go.
#include "tests/bench/loadserver/workload.h"

namespace jobrun::bench {
namespace {

// When it lives through each Moment, in seconds since it was created: it is claimed, beats every
// two seconds, completes, and is deleted two seconds later.
constexpr std::array<double, 7> kMomentSeconds = {0, 1, 3, 5, 7, 8, 10};
static_assert(kClaimedAfter == std::chrono::seconds(1));
// One of so many is not heard of after its first heartbeat: with a timeout of five seconds it is
// due two seconds before it is deleted. Odd, so that it is now of this lane and now of that.
constexpr std::uint32_t kSilentOneOf = 101;

}  // namespace

void Workload::ComeAndGo(Time now, const Tell& tell) {
  if (options_.churn <= 0) return;
  for (std::size_t i = 0; i < kMoments; ++i) {
    const double since = SinceBegin(now.mono) - kMomentSeconds[i];
    const auto due = static_cast<std::uint64_t>(std::max(0.0, since) * options_.churn);
    for (; moments_[i] < due; ++moments_[i]) {
      const auto number = static_cast<std::uint32_t>(churn_from_ + moments_[i]);
      Live(number, static_cast<Moment>(i), now, tell);
    }
  }
}

// One that is silent, or has a verdict, lives through nothing but its deletion.
void Workload::Live(std::uint32_t number, Moment moment, Time now, const Tell& tell) {
  if (moment == Moment::kCreated) {
    Create(now);
    return tell(number, RunText::Event::kAdded);
  }
  if (moment == Moment::kDeleted) {
    Delete(number, now);
    tell(number, RunText::Event::kDeleted);
    runs_[number].doing = Doing::kGone;
    verdicts_.erase(number);
    return;
  }
  Run& run = runs_[number];
  if (moment == Moment::kClaimed) {
    // The claim is a beat by its form, and none by its time.
    run.doing = Doing::kBeating;
    run.version = ++version_;
    run.heartbeat = run.created + kClaimedAfter;
    run.last_beat = now.mono;
    return tell(number, RunText::Event::kModified);
  }
  if (run.doing != Doing::kBeating) return;
  if (moment == Moment::kCompleted) {
    run.doing = Doing::kSucceeded;
    run.version = ++version_;
    run.heartbeat = now.wall;
    ++counts_.completed;
  } else {
    Beat(number, now);
    if (moment == Moment::kFirstBeat && number % kSilentOneOf == 0) {
      run.doing = Doing::kSilent;
      ++counts_.silenced;
    }
  }
  tell(number, RunText::Event::kModified);
}

void Workload::Create(Time now) {
  runs_.push_back({.version = ++version_, .created = now.wall, .doing = Doing::kPending});
  ++counts_.created;
}

void Workload::Delete(std::uint32_t number, Time now) {
  Run& run = runs_[number];
  if (IsOverdue(run, now.mono)) ++counts_.unreaped;
  run.version = ++version_;
  ++counts_.deleted;
}

}  // namespace jobrun::bench
