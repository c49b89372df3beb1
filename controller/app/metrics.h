// The Prometheus side of what the engine counts. Counters live here from the start of the process;
// gauges are made at each scrape from what the engine answered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/app/process_stats.h"
#include "controller/base/time.h"
#include "controller/engine/io.h"

namespace jobrun {

// What one scrape shows besides the counters.
struct Gauges {
  Snapshot snapshot{};
  Mono last_sweep{};  // Mono{} before the first
  // Both clocks at one instant: what turns a Mono into seconds since the epoch.
  Mono mono{};
  ServerTime wall{};
  std::optional<ProcessStats> process{};
};

struct MetricsOptions {
  std::string version{};
  std::string api_host{};    // "10.0.0.1:6443", a label of rest_client_requests_total
  std::string lease{};       // a label of leader_election_master_status
  std::string namespaces{};  // these two are labels of jobrun_shard_info
  std::string selector{};
};

class Metrics {
 public:
  explicit Metrics(MetricsOptions options);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // These three belong to one thread.

  // The names behind LaneIndex; makes the series of new ones, at 0. Names only ever come on at the
  // end.
  void SetLanes(const std::vector<std::string>& lanes);
  // A lane or label that is not known is a bug of the caller; it is left out.
  void Apply(const Count& count);
  // An answer, or a watch that was opened or refused. Status 0: none came. `took` where it is
  // known.
  void CountRequest(Method method, int status, std::optional<Nanos> took);

  // Whether the configuration file, as it is now, is in force. Any thread.
  void SetConfigInForce(bool in_force);

  // The text format 0.0.4. Any thread.
  [[nodiscard]] std::string Render(const Gauges& gauges) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobrun
