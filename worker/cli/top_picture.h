// What `jobrun top` shows: counts by lane and phase, the oldest heartbeats, the latest verdicts.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "controller/model/uid.h"
#include "worker/cli/run_row.h"

namespace jobrun {

// All runs of the scope, as they were last seen.
using RunTable = std::unordered_map<Uid, RunRow, UidHash>;

struct PictureFrame {
  ServerTime now{};
  std::string title{};     // "runs in namespace a"
  bool whole{true};        // false: not everything there is has been told yet
  std::size_t rows{40};    // lines that fit
  std::size_t columns{0};  // characters that fit on a line; 0: any number
};

// Lines that end in "\n", at most as many as fit; nothing in them is raw from an object.
[[nodiscard]] std::string Picture(const RunTable& runs, const PictureFrame& frame);

}  // namespace jobrun
