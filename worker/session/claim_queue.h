// The Pending runs that a worker may claim, and which one it tries next. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "controller/base/random.h"
#include "controller/base/time.h"
#include "controller/model/uid.h"

namespace jobrun {

struct PendingRun {
  std::string name_space{};
  std::string name{};
  Uid uid{};
  std::uint64_t resource_version{0};
  ServerTime created{};
};

// Fair: the oldest runs come first. Not in one order for all, because hundreds of workers would
// then try the same run at the same moment and all but one would lose: each draws from the oldest
// few, from more of them the more often it loses.
class ClaimQueue {
 public:
  // More than that are not kept; the newest are left out, and are asked for again when the queue
  // runs empty (LeftOut). 10,000 take about 3 MiB.
  static constexpr std::size_t kRunsMax = 10'000;

  // A complete list begins; what is not added until Replaced is gone.
  void Listing();
  void Replaced();
  // Seen Pending, in this version.
  void Add(PendingRun run);
  void Remove(Uid uid);

  // The run to try now; it is not in the queue any more. Nothing when there is none.
  [[nodiscard]] std::optional<PendingRun> Take(Random& random);
  // What became of the try: another worker was faster, or it is ours.
  void Lost() { window_ = std::min(2 * window_, kWindowMax); }
  void Won() { window_ = std::max(window_ - 1, kWindowMin); }

  [[nodiscard]] std::size_t Size() const { return runs_.size(); }
  [[nodiscard]] bool LeftOut() const { return left_out_; }

 private:
  static constexpr std::size_t kWindowMin = 4;
  static constexpr std::size_t kWindowMax = 1024;

  // Of two runs of the same second the order of their uids counts, which is nobody's.
  using Key = std::pair<ServerTime, std::pair<std::uint64_t, std::uint64_t>>;
  struct Entry {
    PendingRun run{};
    std::uint64_t listing{0};
  };
  static Key KeyOf(const PendingRun& run) { return {run.created, {run.uid.high, run.uid.low}}; }
  void Erase(std::map<Key, Entry>::iterator entry);

  std::map<Key, Entry> runs_{};  // the oldest first
  std::unordered_map<Uid, Key, UidHash> keys_{};
  std::uint64_t listing_{0};
  std::size_t window_{kWindowMin};
  bool left_out_{false};
};

}  // namespace jobrun
