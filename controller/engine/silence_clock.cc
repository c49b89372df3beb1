#include "controller/engine/silence_clock.h"

#include <algorithm>

namespace jobrun {
namespace {

// Only few can be there, each shorter than the one before; beyond that they count as one.
constexpr std::size_t kPastMax = 16;

}  // namespace

Silence SilenceClock::Read(Mono now) const {
  if (stopped_) return value_;
  return value_ + std::max(now - mark_, Nanos::zero());
}

Mono SilenceClock::StopsAt() const {
  if (stopped_ || run_on_ == Nanos::max()) return Mono::max();
  return evidence_ + run_on_ - asleep_;
}

void SilenceClock::Advance(Mono now) {
  if (stopped_ || now <= StopsAt()) return;
  // Nothing was marked after that; before the machine slept, up to now.
  set_back_from_ = std::max(set_back_from_, Read(std::min(now, evidence_ + run_on_)));
  value_ = evident_;
  stopped_ = true;
}

void SilenceClock::Evidence(Mono now) {
  Advance(now);
  if (stopped_) {
    NoteStop(now, HasEvidence() ? Behind(now) : Nanos::max());
    mark_ = now;
    stopped_ = false;
  }
  evidence_ = now;
  evident_ = Read(now);
  asleep_ = Nanos::zero();
}

void SilenceClock::Begin(Mono since, Mono now) {
  value_ = Read(now);
  mark_ = now;
  evidence_ = since;
  evident_ = value_;
  asleep_ = Nanos::zero();
  stopped_ = !HasEvidence() || now - since > run_on_;
}

void SilenceClock::Pause(Mono from, Mono to) {
  if (to <= from) return;
  // Workers could write all the while, and within the run-on the version of a run tells what we
  // have not read yet: there is nobody to wait for.
  if (to - from > run_on_) NoteStop(to, to - from);
  if (stopped_) return;
  value_ = Read(from);
  mark_ = to;
}

void SilenceClock::Slept(Nanos length, Mono now) {
  asleep_ += length;
  NoteStop(now, length);
}

void SilenceClock::NoteStop(Mono ended, Nanos length) {
  while (!past_.empty() && past_.back().length <= length) past_.pop_back();
  if (past_.size() == kPastMax) {
    past_.back().ended = ended;
    return;
  }
  past_.push_back({ended, length});
}

Mono SilenceClock::GraceEnds(Nanos at_most) const {
  Mono end = Mono::min();
  for (const PastStop& stop : past_) {
    end = std::max(end, stop.ended + std::min(stop.length, at_most));
  }
  return end;
}

}  // namespace jobrun
