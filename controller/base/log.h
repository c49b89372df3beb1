// Log lines as values. Who makes one does not know where it goes: the engine returns them as
// effects, the rest hands them to a LogSink.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobrun {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

// One line: a constant message and the values that belong to it. Values may hold anything; the sink
// escapes them. Key names are the field's words: run, lane, reason, error.
struct LogLine {
  LogLevel level{LogLevel::kInfo};
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields{};
};

// Any thread.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // Out at once, behind what is held.
  virtual void Write(const LogLine& line) = 0;
  // May be held until the next Write or Flush, or the sink's end: for lines that come by the
  // thousand. A process that is killed loses what is held.
  virtual void Hold(const LogLine& line) { Write(line); }
  virtual void Flush() {}
};

}  // namespace jobrun
