#include "controller/base/real_clock.h"

#include <ctime>

namespace jobrun {
namespace {

Nanos Read(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + Nanos(now.tv_nsec);
}

}  // namespace

Clocks ReadClocks() { return {Mono(Read(CLOCK_MONOTONIC)), Boot(Read(CLOCK_BOOTTIME))}; }

ServerTime ReadWallClock() {
  return ServerTime(std::chrono::duration_cast<ServerTime::duration>(Read(CLOCK_REALTIME)));
}

}  // namespace jobrun
