// Who this process is among its replicas.
#pragma once

#include <string>

namespace jobrun {

struct Replica {
  std::string identity{};  // unlike any other process's; an object name of at most 200 bytes
  // Of the canaries and of the Lease. Empty: there are none, so that nothing tells whether workers
  // can write, and it always leads; for tests.
  std::string name_space{};
  std::string lease{};  // name of the Lease that its holder alone writes under; empty: all write
};

}  // namespace jobrun
