// Follows the runs of a scope: all there are, then each change.
#pragma once

#include <string>
#include <unordered_map>

#include "worker/cli/run_row.h"
#include "worker/cli/runs_watch.h"

namespace jobrun {

// What a RunFollower tells, on the loop's thread; not to call back into it.
class RunListener {
 public:
  virtual ~RunListener() = default;
  // A run that is new, has changed, or is gone (`deleted`: its last known state, of one that went
  // unseen its names only).
  virtual void OnRun(const RunRow& row, bool is_new) = 0;
  // After whatever came together; `whole`: everything there is has been told.
  virtual void OnTurn(bool whole) = 0;
};

// Belongs to the loop's thread. Of each run it keeps its names and version.
class RunFollower final : public RunsWatch {
 public:
  RunFollower(ApiClient& client, WatchScope scope, RunListener& listener);

 private:
  struct Known {
    std::string name_space{};
    std::string name{};
    std::uint64_t resource_version{0};
    bool seen{true};  // by the list under way
  };

  void OnListing() override;
  void OnReplaced() override;
  void OnEvent(const Event& event, bool initial) override;
  void OnTurn(bool whole) override { listener_.OnTurn(whole); }

  RunListener& listener_;
  std::unordered_map<Uid, Known, UidHash> known_{};
};

}  // namespace jobrun
