#include "worker/cli/run_follower.h"

#include <utility>

namespace jobrun {

RunFollower::RunFollower(ApiClient& client, WatchScope scope, RunListener& listener)
    : RunsWatch(client, std::move(scope)), listener_(listener) {}

void RunFollower::OnListing() {
  for (auto& [uid, run] : known_) run.seen = false;
}

void RunFollower::OnReplaced() {
  std::erase_if(known_, [this](const auto& each) {
    if (each.second.seen) return false;
    listener_.OnRun({.name_space = each.second.name_space,
                     .name = each.second.name,
                     .uid = each.first,
                     .readable = false,
                     .deleted = true},
                    false);
    return true;
  });
}

void RunFollower::OnEvent(const Event& event, bool) {
  const RunRow row = RowOf(event);
  if (row.deleted) {
    if (known_.erase(row.uid) > 0) listener_.OnRun(row, false);
    return;
  }
  const auto [found, is_new] = known_.try_emplace(row.uid, Known{row.name_space, row.name});
  found->second.seen = true;
  // A list that is taken again tells all of them again.
  if (std::exchange(found->second.resource_version, row.resource_version) == row.resource_version &&
      !is_new) {
    return;
  }
  listener_.OnRun(row, is_new);
}

}  // namespace jobrun
