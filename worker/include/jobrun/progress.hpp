// Tells `jobrun exec` and `jobrun work` how far the work has come, from inside its loop:
//
//   for (std::size_t row = 0; row < rows; ++row) {
//     Copy(row);
//     jobrun::ReportProgress(std::to_string(row + 1) + "/" + std::to_string(rows));
//   }
//
// With `--liveness progress` these calls are what heartbeats are made of: work that hangs is found,
// though its process lives. Needs C++17 and POSIX, and nothing else; copy it.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace jobrun {

// Longest text that goes through: status.progress takes 1024 characters. Pipes take so much at once.
inline constexpr std::size_t kReportedBytesMax = 1024;

// Where reports go ($JOBRUN_PROGRESS_FD); -1 when nobody asked for any.
inline int ProgressFd() {
  static const int fd = [] {
    const char* const text = std::getenv("JOBRUN_PROGRESS_FD");
    return text == nullptr || *text == '\0' ? -1 : std::atoi(text);
  }();
  return fd;
}

// Cheap enough to call often; the last report before a heartbeat is the one that is sent. Any change
// counts as progress, the text means nothing to anybody else. Never waits: a report that finds the
// pipe full is left out. False when it was, or when nobody listens. Any thread.
inline bool ReportProgress(std::string_view text) {
  const int fd = ProgressFd();
  pollfd room{fd, POLLOUT, 0};
  if (fd < 0 || poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return false;
  std::string line(text.substr(0, kReportedBytesMax));
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  line += '\n';
  return write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

}  // namespace jobrun
