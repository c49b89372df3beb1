// The Leases by which controllers elect their leader, and how evenly they are renewed.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/bench/loadserver/connection.h"
#include "tests/bench/loadserver/pulse.h"
#include "tests/bench/loadserver/workload.h"

namespace jobrun::bench {

// One thread.
class ElectionLeases {
 public:
  // Whether it is about Leases; then Answer answers it.
  [[nodiscard]] static bool Concerns(const HttpRequest& request);
  void Answer(Connection& from, const HttpRequest& request, Workload::Time now);

  [[nodiscard]] std::uint64_t Renewals() const { return renewals_; }
  // Between two renewals of any Lease: there is one.
  [[nodiscard]] Nanos LongestGap(Mono now) const { return pulse_.LongestGap(now); }

 private:
  struct Lease {
    std::uint64_t version{0};
    std::string spec{};  // JSON
  };
  void Write(Connection& from, const std::string& name, const HttpRequest& request,
             Workload::Time now);

  std::map<std::string, Lease> leases_{};  // by NAMESPACE/leases/NAME
  Pulse pulse_{};
  std::uint64_t version_{1};
  std::uint64_t renewals_{0};
};

}  // namespace jobrun::bench
