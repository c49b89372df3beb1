// A pod as its watch reports it: whether the work in it can still go on, and if not, why. Views
// into the text it was decoded from.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace jobrun {

// status.cause of a run whose executor was lost. The names are API.
enum class PodCause : std::uint8_t {
  kNone,
  kOomKilled,     // a container ran out of memory
  kEvicted,       // by its kubelet, by the eviction API, or preempted
  kPodDeleted,    // gone, and nothing else is known
  kNodeLost,      // its node is gone or does not answer
  kPodFailed,     // a container ended with an error
  kPodSucceeded,  // all containers ended well, but nobody finished the run
};
inline constexpr std::array<std::string_view, 7> kPodCauseNames = {
    "", "OOMKilled", "Evicted", "PodDeleted", "NodeLost", "PodFailed", "PodSucceeded"};

struct ObservedPod {
  bool finished{false};             // phase Succeeded or Failed: no container starts again
  PodCause cause{PodCause::kNone};  // why it is finished, or is going to be
  bool node_lost{false};         // its node is gone or does not answer, whatever else is the cause
  std::string_view container{};  // the one that tells: out of memory, else with an error
  std::optional<std::int32_t> exit_code{};  // of that container
  std::string_view deletion_timestamp{};    // when its grace ends; empty: nobody deletes it
};

}  // namespace jobrun
