#include "worker/process/progress_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace jobrun {

void ProgressLines::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    unfinished_.append(part.substr(0, kProgressLineMax - unfinished_.size()));
    if (end == std::string_view::npos) return;
    if (unfinished_.ends_with('\r')) unfinished_.pop_back();
    if (!unfinished_.empty()) last_ = std::move(unfinished_);
    unfinished_.clear();
    bytes.remove_prefix(end + 1);
  }
}

std::optional<std::string> ProgressLines::Take() { return std::exchange(last_, std::nullopt); }

Result<ProgressPipe> ProgressPipe::Make() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Error{Code::kInternal, "make a pipe for the progress", std::strerror(errno)};
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);  // the work's end may block: it is not to lose a line
  return ProgressPipe(ends[0], ends[1]);
}

ProgressPipe::ProgressPipe(ProgressPipe&& from) noexcept
    : read_(std::exchange(from.read_, -1)), write_(std::exchange(from.write_, -1)) {}

ProgressPipe::~ProgressPipe() {
  CloseWriteEnd();
  if (read_ >= 0) close(read_);
}

void ProgressPipe::CloseWriteEnd() {
  if (write_ >= 0) close(write_);
  write_ = -1;
}

bool ProgressPipe::Drain(ProgressLines& into) {
  std::array<char, kProgressLineMax> buffer{};
  while (true) {
    const ssize_t got = read(read_, buffer.data(), buffer.size());
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    into.Feed({buffer.data(), static_cast<std::size_t>(got)});
  }
}

std::optional<std::string> ReadLastLine(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return std::nullopt;
  const auto size = static_cast<std::streamoff>(file.tellg());
  const auto from =
      std::max<std::streamoff>(0, size - static_cast<std::streamoff>(2 * kProgressLineMax));
  file.seekg(from);
  std::string text(static_cast<std::size_t>(size - from), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  ProgressLines lines;
  lines.Feed(text);
  lines.Feed("\n");  // the last line may have no end
  return lines.Take();
}

}  // namespace jobrun
