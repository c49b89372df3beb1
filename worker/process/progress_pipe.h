// How the work tells its progress: lines in a pipe ($JOBRUN_PROGRESS_FD), the last one counts.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace jobrun {

// Longest beginning of a line that is kept: status.progress takes 1024 characters.
inline constexpr std::size_t kProgressLineMax = 4096;

// The last whole line of what was fed, as it was cut to kProgressLineMax. Empty lines count as
// nothing.
class ProgressLines {
 public:
  void Feed(std::string_view bytes);
  // The last line since the last call.
  [[nodiscard]] std::optional<std::string> Take();

 private:
  std::string unfinished_{};
  std::optional<std::string> last_{};
};

class ProgressPipe {
 public:
  static Result<ProgressPipe> Make();
  ~ProgressPipe();
  ProgressPipe(ProgressPipe&& from) noexcept;
  ProgressPipe& operator=(ProgressPipe&&) = delete;

  [[nodiscard]] int ReadEnd() const { return read_; }
  [[nodiscard]] int WriteEnd() const { return write_; }
  // Once the child has it.
  void CloseWriteEnd();
  // Reads what is there, without waiting. False at the end: nobody will write any more.
  [[nodiscard]] bool Drain(ProgressLines& into);

 private:
  ProgressPipe(int read, int write) : read_(read), write_(write) {}
  int read_;
  int write_;
};

// The last line of a file, or nothing when it can't be read or has none.
[[nodiscard]] std::optional<std::string> ReadLastLine(const std::string& path);

}  // namespace jobrun
