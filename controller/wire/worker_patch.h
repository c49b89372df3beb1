// The patches that a worker writes to the status of its run, and what it reads of the spec. None of
// them can hit another run of the same name: the API server ignores a uid in a merge patch, so the
// claim names the version, and the others are JSON patches that test the uid.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/model/phase.h"
#include "controller/model/uid.h"

namespace jobrun {

// Which run, and who writes. Another run, and one that somebody else has claimed, refuses it (422).
struct Author {
  Uid run{};
  std::string_view worker{};  // status.claimedBy
};

// The pod that the work runs in. Empty texts are not written; without a pod there is no executor.
struct ExecutorPlace {
  std::string pod_name{};
  std::string pod_uid{};
  std::string node_name{};
};

// The claim, a merge patch, guarded by the version that was seen Pending.
struct ClaimPatch {
  std::string_view worker{};
  std::uint64_t resource_version{0};
  ServerTime at{};
  ExecutorPlace executor{};
};
[[nodiscard]] std::string WriteClaimPatch(const ClaimPatch& patch);

// A heartbeat, a JSON patch. Only a time that differs from the last one's counts.
struct BeatPatch {
  Author author{};
  ServerTime at{};
  std::optional<std::string_view> progress{};  // cut to what the resource takes
};
[[nodiscard]] std::string WriteBeatPatch(const BeatPatch& patch);

// How the work ended, a JSON patch. Without a phase only that it exited: somebody else completes
// the run.
struct EndPatch {
  Author author{};
  ServerTime at{};  // exitTime and completionTime
  std::optional<std::int32_t> exit_code{};
  std::optional<Phase> phase{};
  std::string_view reason{};   // empty: none
  std::string_view message{};  // empty: none
  std::optional<std::string_view> progress{};
};
[[nodiscard]] std::string WriteEndPatch(const EndPatch& patch);

// The Lease in which a worker beats for many runs at once (docs/workers.md): what is created, and
// the merge patch that renews it.
struct WorkerLeaseText {
  std::string_view name_space{};
  std::string_view worker{};  // its name, and its holder
  std::chrono::seconds duration{};
  ServerTime at{};
};
[[nodiscard]] std::string WriteWorkerLease(const WorkerLeaseText& lease);
[[nodiscard]] std::string WriteLeaseRenewal(const WorkerLeaseText& lease);

// What a worker reads of a spec beside the thresholds.
struct WorkOrder {
  std::string assigned_to{};   // empty: anyone may claim it
  std::string payload_json{};  // as it is written there; empty: none
};
// `spec_json`: ObservedRun::spec_json. kInvalid when the text is no object.
[[nodiscard]] Result<WorkOrder> ReadWorkOrder(std::string_view spec_json);

}  // namespace jobrun
