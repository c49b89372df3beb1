// What the controller serves over HTTP: /metrics, /debug/explain, /healthz, /livez, /readyz.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/app/driver.h"
#include "controller/app/http_server.h"
#include "controller/app/metrics.h"

namespace jobrun {

// A loop that finished no turn for this long is stuck: it turns every Driver::kTurnMax when nothing
// happens, and no turn takes seconds.
inline constexpr Nanos kStuckAfter = std::chrono::seconds(30);

// /healthz and /livez: 200 while the loop turns, 503 when it is stuck. A restart would not help
// against anything else, so nothing else counts. `verbose` adds what was checked.
[[nodiscard]] ServerReply LivenessReply(Nanos since_turn, bool verbose);

// /readyz: 200 once all runs have been seen and nothing is in the way, else 503 and why. Held lanes
// are told, but don't count.
[[nodiscard]] ServerReply ReadinessReply(const Health& health, bool verbose);

// /debug/explain?run=NAMESPACE/NAME, next to /metrics: all that the verdict on a run rests on, as
// JSON (wire/explanation_writer.h). 400 without such a parameter, 404 for a run that is not known.
//
// Who may read. kAnybody: metrics go to everybody, explanations to clients of this machine only,
// because they tell of runs that not everybody may read (403). kReviewed: both go to the holders of
// tokens whom the API server lets get /metrics, and the run; else 401, 403, or 503 when it can't be
// asked.
enum class Readers : std::uint8_t { kAnybody, kReviewed };

// The driver and the metrics must outlive the server.
[[nodiscard]] HttpRoutes MetricsRoutes(Driver& driver, const Metrics& metrics,
                                       Readers readers = Readers::kAnybody);
[[nodiscard]] HttpRoutes ProbeRoutes(Driver& driver);

struct Listener {
  std::string what{};     // "metrics", "probes"
  std::string address{};  // as ParseBindAddress takes it, or kNoServer
  HttpRoutes routes{};
  std::unique_ptr<ServerTls>
      tls{};  // null: plain HTTP; such a listener shares its address with none
};

// One server per address: listeners that name the same one share it. Logs where each listens.
[[nodiscard]] Result<std::vector<std::unique_ptr<HttpServer>>> StartServers(
    std::vector<Listener> listeners, LogSink& log);

}  // namespace jobrun
