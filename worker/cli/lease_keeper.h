// The Leases of a worker, one in each namespace in which it has runs that ask for one.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/cli/api_client.h"
#include "worker/cli/job.h"
#include "worker/session/lease_heartbeat.h"

namespace jobrun {

// Belongs to the loop's thread.
class LeaseKeeper {
 public:
  LeaseKeeper(ApiClient& client, std::string worker);
  ~LeaseKeeper();

  // A job that was claimed; jobs whose runs don't ask for a Lease are passed over.
  void Add(Job& job);
  // It is over.
  void Remove(Job& job);
  // Deletes the Leases; waits for the answers, briefly. Nothing depends on it.
  void Release();

 private:
  class Keeper;
  ApiClient& client_;
  const std::string worker_;
  std::unordered_map<std::string, std::unique_ptr<Keeper>> keepers_;  // by namespace
};

}  // namespace jobrun
