// The Lease (coordination.k8s.io/v1) by which replicas elect their leader, in client-go's wire
// format (client-go/tools/leaderelection/resourcelock). Not to be confused with a worker's, of
// which only the renewal is read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/result.h"
#include "controller/model/uid.h"

namespace jobrun {

// As it stands there: nothing but its version is known to be sound.
struct ElectionLease {
  Uid uid{};  // none: not readable
  std::string resource_version{};
  std::string holder{};              // empty: nobody has it
  std::int64_t duration_seconds{0};  // 0: absent, or 0; may be negative or huge
  std::string acquire_time{};        // RFC 3339; empty: absent
  std::string renew_time{};
  std::int64_t transitions{0};  // how often the holder has changed; 0: absent, or 0
};

// Whether `after` is the same record as `before`, so that nobody has renewed it in between. The
// version does not count: it moves with labels and annotations too, which keep nobody the leader.
[[nodiscard]] bool IsSameRecord(const ElectionLease& before, const ElectionLease& after);

// Fields of a wrong type count as absent: a damaged Lease must not keep everybody from leading.
// Fails for what is no object, and without a resourceVersion, which is the guard of every update.
[[nodiscard]] Result<ElectionLease> ReadElectionLease(std::string_view json);

// The body of a POST. `lease.uid` and its version are not written.
[[nodiscard]] std::string WriteElectionLease(std::string_view name_space, std::string_view name,
                                             const ElectionLease& lease);

// A merge patch with `lease.resource_version` as its guard; labels, and fields that others have
// added, stay.
[[nodiscard]] std::string WriteElectionPatch(const ElectionLease& lease);

}  // namespace jobrun
