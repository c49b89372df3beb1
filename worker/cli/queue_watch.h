// Keeps a worker's queue in step with the Pending runs of its lane.
#pragma once

#include <functional>
#include <string>

#include "worker/cli/runs_watch.h"
#include "worker/session/claim_queue.h"

namespace jobrun {

// Belongs to the loop's thread.
class QueueWatch final : public RunsWatch {
 public:
  struct What {
    std::string name_space{};  // empty: all
    std::string lane{};
    std::string worker{};  // runs that are assigned to others are passed over
  };
  // `changed` is called when there may be something new in the queue.
  QueueWatch(ApiClient& client, ClaimQueue& queue, const What& what, std::function<void()> changed);

 private:
  void OnListing() override { queue_.Listing(); }
  void OnReplaced() override { queue_.Replaced(); }
  void OnEvent(const Event& event, bool initial) override;
  void OnTurn(bool) override { changed_(); }

  ClaimQueue& queue_;
  const std::string worker_;
  const std::function<void()> changed_;
};

}  // namespace jobrun
