#include "controller/app/log_sink.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <mutex>
#include <string>

#include "controller/base/real_clock.h"

namespace jobrun {
namespace {

constexpr std::size_t kHeldBytesMax = std::size_t{64} * 1024;

class StderrSink final : public LogSink {
 public:
  StderrSink(LogLevel level, LogFormat format)
      : logger_("jobrun", std::make_shared<spdlog::sinks::stderr_sink_mt>()),
        level_(level),
        format_(format) {
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);
    logger_.flush_on(spdlog::level::trace);
  }
  ~StderrSink() override { Flush(); }

  void Write(const LogLine& line) override {
    Hold(line);
    Flush();
  }

  void Hold(const LogLine& line) override {
    if (line.level < level_) return;
    const std::string text = FormatLogLine(line, format_, ReadWallClock());
    const std::lock_guard lock(mutex_);
    if (!held_.empty()) held_ += '\n';
    held_ += text;
    if (held_.size() >= kHeldBytesMax) WriteHeld();
  }

  void Flush() override {
    const std::lock_guard lock(mutex_);
    if (!held_.empty()) WriteHeld();
  }

 private:
  // All lines in one write; the logger ends the last one.
  void WriteHeld() {
    logger_.log(spdlog::level::info, spdlog::string_view_t(held_));
    held_.clear();
  }

  spdlog::logger logger_;
  LogLevel level_;
  LogFormat format_;
  std::mutex mutex_{};
  std::string held_{};
};

}  // namespace

std::unique_ptr<LogSink> MakeStderrSink(LogLevel level, LogFormat format) {
  return std::make_unique<StderrSink>(level, format);
}

}  // namespace jobrun
