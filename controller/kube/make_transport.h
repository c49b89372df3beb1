// The real network behind Transport.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "controller/base/log.h"
#include "controller/base/time.h"
#include "controller/kube/credentials.h"
#include "controller/kube/event_loop.h"
#include "controller/kube/transport.h"

namespace jobrun {

struct TransportOptions {
  // Most connections of the data path, and so requests under way; further requests wait their turn.
  // At least 1; the engine keeps `rateLimit.inFlight` (default 32) under way.
  std::size_t data_connections{32};
  // Most control calls under way; further ones wait. Lists are large, so few.
  std::size_t control_calls{16};
  // Longest answer that is read. Pages of 500 runs are about 1 MB; a page of the largest objects
  // the API server accepts would be hundreds, and is refused with a clear detail.
  std::size_t body_bytes_max{std::size_t{64} << 20U};
  // How long a busy watch lets events gather before it reads again: as long as about ten take to
  // come, within these bounds. One that is quiet is read at once. At 2,000 events/s wake-ups of the
  // kernel cost more than the work itself. 0 and 0: never waits.
  Nanos watch_rest_min{std::chrono::microseconds(1500)};
  Nanos watch_rest_max{std::chrono::milliseconds(5)};
  std::string user_agent{"jobrun-controller/" JOBRUN_VERSION};
  LogSink* log{nullptr};  // credentials that could not be read again; may be null
};

// Checks what it can of the credentials (key and certificate fit, the CA holds certificates)
// without touching the network: kInvalid names the file. The loop and the sink must outlive the
// transport; all of its callbacks come on the loop's thread. Destroying it (on that thread or after
// Run has returned) cancels what is under way without further callbacks, and waits for cpprestsdk's
// threads to let go.
[[nodiscard]] Result<std::unique_ptr<Transport>> MakeTransport(EventLoop& loop,
                                                               Credentials credentials,
                                                               TransportOptions options,
                                                               TransportSink& sink);

}  // namespace jobrun
