// What is known of the pod that a run names as its executor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controller/base/time.h"
#include "controller/model/uid.h"

namespace jobrun {

struct RunExecutor {
  std::string key{};  // ObjectKey of the pod; the run is in the same namespace
  Uid uid{};
  bool found{false};     // it was seen alive, now or by a controller before
  bool recorded{false};  // and the run says so in a condition
  bool asking{false};    // a live read of it is queued or under way
  int dead_checks{0};    // live reads in a row that found it dead
  int vain_checks{0};    // in a row, of a pod that is alive but not among the watched ones
  Mono next_check{Mono::min()};
  std::uint64_t sign_of_life{0};        // Core::SignOfLife when the row began
  std::optional<Silence> lost_since{};  // when enough of them had found it dead
  std::string_view cause{};             // static text: status.cause
  std::string fate{};                   // for people
};

}  // namespace jobrun
