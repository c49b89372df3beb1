// What the engine tells people as Kubernetes Events (docs/events.md): one function for each thing
// worth telling, called at the one place where that thing is known to be so and is counted.
#pragma once

#include <string_view>

#include "controller/engine/core.h"
#include "controller/model/observed_run.h"
#include "controller/model/reason.h"

namespace jobrun {

// A verdict of ours committed. `message`: the one it was written with; empty when it is not known
// any more.
void AnnounceVerdict(Core& core, const RunRecord& record, const ObservedRun& run,
                     std::string_view message);

// A verdict is due, and the policy is to write none.
void AnnounceDryRun(Core& core, const RunRecord& record, Reason reason);

// The API server took no verdict for this run, for its content or for want of a right. Says nothing
// of answers that tell something else: busy, gone, not known who we are.
void AnnounceRefusedVerdict(Core& core, const RunRecord& record, Reason reason,
                            const Response& response);

// What became of the run's retry is recorded on it. Says nothing of a retry that nobody asked for.
void AnnounceRetry(Core& core, const RunRecord& record, const ObservedRun& run);

// The API server refused the successor; it is tried again.
void AnnounceRefusedSuccessor(Core& core, const RunRecord& record, std::string_view words);

// The run was heard of after its end.
void AnnounceDispute(Core& core, const RunRecord& record, const ObservedRun& run);

// The object can't be judged. Says nothing of one without names and uid.
void AnnounceInvalid(Core& core, const ObservedRun& run, std::string_view why);

// ---- about the controller itself ----

struct BreakerChange {
  bool open{false};
  std::uint64_t late{0};    // runs that fell silent together
  std::uint64_t judged{0};  // of so many
};
// `lane`: "*" for all of them.
void AnnounceBreaker(Core& core, const std::string& lane, const BreakerChange& change);

// The silence clock stopped, or runs again after `blind`.
void AnnounceBlind(Core& core);
void AnnounceSight(Core& core, Nanos blind);

}  // namespace jobrun
