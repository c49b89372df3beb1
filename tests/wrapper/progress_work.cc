// Work that tells its progress through worker/include/jobrun/progress.hpp, and hangs at the end
// when it is asked to: progress_work STEPS [hang].
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "worker/include/jobrun/progress.hpp"

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 0;
  constexpr unsigned kStep = 300'000;
  for (int step = 1; step <= steps; ++step) {
    usleep(kStep);
    jobrun::ReportProgress(std::to_string(step) + "/" + std::to_string(steps));
  }
  if (argc > 2) pause();
  return 0;
}
