// The canaries that controllers keep on the load server: few, small, and played in full.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tests/bench/loadserver/connection.h"
#include "tests/bench/loadserver/pulse.h"
#include "tests/bench/loadserver/workload.h"

namespace jobrun::bench {

// One thread.
class CanaryRuns {
 public:
  // Whether it is about canaries; then Answer answers it.
  [[nodiscard]] static bool Concerns(const HttpRequest& request);
  void Answer(Connection& from, const HttpRequest& request, bool watch_lists, Workload::Time now);
  void OnClosed(Connection& connection) { watches_.erase(&connection); }
  // Between two beats of any canary: there is one that beats.
  [[nodiscard]] Nanos LongestGap(Mono now) const { return pulse_.LongestGap(now); }

 private:
  struct Canary {
    std::string name_space{};
    std::uint64_t number{0};
    std::uint64_t version{0};
    std::string created{};
    std::string stamped{};
    std::map<std::string, std::string> status{};  // texts by field
  };

  void BeginBefore(const std::string& name_space, Workload::Time now);
  [[nodiscard]] static std::string Json(const std::string& name, const Canary& canary);
  void Tell(std::string_view type, const std::string& name);
  void Watch(Connection& from, const HttpRequest& request, Workload::Time now);
  void List(Connection& from, Workload::Time now);
  void Create(Connection& from, const HttpRequest& request, Workload::Time now);
  void Patch(Connection& from, const HttpRequest& request, Workload::Time now);

  std::map<std::string, Canary> canaries_{};  // by name
  std::set<Connection*> watches_{};
  Pulse pulse_{};
  std::uint64_t version_{1};
};

}  // namespace jobrun::bench
