// One function per row of the table in docs/verdicts.md; the lists in decide.cc are its order. A
// rule looks at nothing but its arguments. Rules on silence count on the silence clock, limits on
// the API server's clock; every limit is inclusive: exactly at it is due.
#pragma once

#include <variant>

#include "controller/verdict/decide.h"

namespace jobrun::rules {

struct NeverDue {
  bool operator==(const NeverDue&) const = default;
};
struct DueIn {
  Nanos left{};  // > 0
  bool operator==(const DueIn&) const = default;
};
using Outcome = std::variant<NeverDue, DueIn, Reap>;
using Rule = Outcome (*)(const Subject&, const Now&);

// Row 2. Nobody claimed it within its pending deadline of its creation.
[[nodiscard]] Outcome PendingDeadline(const Subject& run, const Now& now);

// Row 3. Its exit code is recorded and nobody has finished it within the grace: it is finished
// here, by exit code and completion gates.
[[nodiscard]] Outcome Finalize(const Subject& run, const Now& now);

// Row 4. It started longer ago than its deadline, however alive it looks: heartbeats do not excuse
// a wedged worker.
[[nodiscard]] Outcome Deadline(const Subject& run, const Now& now);

// Row 4 too. It was cancelled: at once while nobody has claimed it, else after its grace to stop.
[[nodiscard]] Outcome Cancelled(const Subject& run, const Now& now);

// Row 5. The pod it runs in is gone or finished, by as many looks in a row as are asked for.
[[nodiscard]] Outcome ExecutorLost(const Subject& run, const Now& now);

// Row 6. It has sent heartbeats, and the last change of them was seen a timeout ago.
[[nodiscard]] Outcome HeartbeatLost(const Subject& run, const Now& now);

// Row 7. Heartbeats are required, and not even the first has come.
[[nodiscard]] Outcome NeverBeat(const Subject& run, const Now& now);

// Row 8. It was claimed too long ago without ever a heartbeat: the coarse limit for workers that
// send none.
[[nodiscard]] Outcome ClaimExpired(const Subject& run, const Now& now);

// Row 9. It may beat, but its progress has not changed within the limit.
[[nodiscard]] Outcome NoProgress(const Subject& run, const Now& now);

// Row 10. The ceiling on Running, alive or not.
[[nodiscard]] Outcome Backstop(const Subject& run, const Now& now);

}  // namespace jobrun::rules
