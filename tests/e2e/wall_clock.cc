// Preloaded into a program, it puts its wall clock off by JOBRUN_TEST_CLOCK_OFF seconds and no
// other clock. libfaketime takes every timerfd for one of the wall clock (its issues 378 and 431):
// with it, a program of Boost.Asio sleeps for ever once a timer is due before the kernel was told
// of it.
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace {

// Read anew each time: a library is asked before its own variables are initialised.
time_t SecondsOff() {
  const char* seconds = std::getenv("JOBRUN_TEST_CLOCK_OFF");
  return seconds ? std::atoll(seconds) : 0;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  const auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
  const bool is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (result == 0 && is_wall) now->tv_sec += SecondsOff();
  return result;
}

int gettimeofday(timeval* now, void*) {
  timespec exact{};
  const int result = clock_gettime(CLOCK_REALTIME, &exact);
  *now = {.tv_sec = exact.tv_sec, .tv_usec = exact.tv_nsec / 1000};
  return result;
}

time_t time(time_t* also) {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  if (also) *also = exact.tv_sec;
  return exact.tv_sec;
}

}  // extern "C"
