// Who a worker is, and where it runs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "controller/wire/worker_patch.h"

namespace jobrun {

// What $POD_NAME, $POD_UID and $NODE_NAME say (the downward API sets them); empty outside a pod.
[[nodiscard]] ExecutorPlace FindPlace();

// status.claimedBy: the pod's name, else "<host>-<process>-<random digits>"; an object name either
// way, because a Lease may bear it. One of a process of its own is of this process alone.
[[nodiscard]] std::string WorkerName(const ExecutorPlace& place);

// Bits for jitter.
[[nodiscard]] std::uint64_t Seed();

}  // namespace jobrun
