// The clock that silence is measured on. It runs with the monotonic clock while there is evidence
// that workers can write and that the controller sees it, and stands still while there is none:
// time in which no heartbeat could have been seen is no silence.
#pragma once

#include <algorithm>
#include <vector>

#include "controller/base/time.h"

namespace jobrun {

class SilenceClock {
 public:
  // Without SetRunOn it needs no evidence and runs for ever.
  explicit SilenceClock(Mono start) : mark_(start), evidence_(start) {}

  // How long it runs on after the last evidence before it is set back to it.
  void SetRunOn(Nanos run_on) { run_on_ = run_on; }

  // The other calls' times never run backwards. Notices that evidence has been missing for too
  // long.
  void Advance(Mono now);

  // A worker's write was seen to come back, at `now`.
  void Evidence(Mono now);

  // At the start: the last evidence that another process had was at `since`, which may be long ago.
  // Mono::min(): there has never been any.
  void Begin(Mono since, Mono now);

  // At the start, too: a stop ended then, and nobody knows how long it was.
  void Recall(Mono ended) { NoteStop(ended, Nanos::max()); }

  // Our own loop did not run from `from` to `to`: nothing of it is silence.
  void Pause(Mono from, Mono to);

  // The machine slept for so long, which the monotonic clock does not show: time without evidence
  // all the same.
  void Slept(Nanos length, Mono now);

  [[nodiscard]] Silence Read(Mono now) const;
  // What is observed now is marked with this: never earlier than an earlier mark, though the clock
  // may have been set back since.
  [[nodiscard]] Silence Stamp(Mono now) const { return std::max(Read(now), set_back_from_); }

  [[nodiscard]] bool Stopped() const { return stopped_; }
  // How long before `now` that was which the clock shows, the machine's sleep included: 0 while it
  // runs.
  [[nodiscard]] Nanos Behind(Mono now) const {
    return stopped_ && evidence_ != Mono::min() ? now - evidence_ + asleep_ : Nanos::zero();
  }
  // False until evidence was there at least once, then for ever true.
  [[nodiscard]] bool HasEvidence() const { return evidence_ != Mono::min(); }
  // When the clock, if it runs now, is set back for want of evidence.
  [[nodiscard]] Mono StopsAt() const;
  // Until when no verdict may be written after what stops there were: after each of them as long as
  // it lasted, but no more than `at_most`, because workers need time to come back. In the past when
  // there is none.
  [[nodiscard]] Mono GraceEnds(Nanos at_most) const;

 private:
  struct PastStop {
    Mono ended;
    Nanos length;
  };
  void NoteStop(Mono ended, Nanos length);

  Nanos run_on_{Nanos::max()};
  Mono mark_;          // while it runs: it read value_ then
  Silence value_{};    // while it stands: its reading
  Mono evidence_;      // the last
  Silence evident_{};  // its reading then
  Nanos asleep_{};     // since then
  Silence set_back_from_{Silence::min()};
  bool stopped_{false};
  // Each shorter than the one before it: a later one that is as long hides the earlier.
  std::vector<PastStop> past_{};
};

}  // namespace jobrun
