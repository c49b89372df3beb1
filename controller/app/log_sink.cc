#include "controller/app/log_sink.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "controller/base/real_clock.h"

namespace jobrun {
namespace {

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

  void Write(const LogLine& line) override {
    if (line.level < level_) return;
    logger_.log(spdlog::level::info, FormatLogLine(line, format_, ReadWallClock()));
  }

 private:
  spdlog::logger logger_;
  LogLevel level_;
  LogFormat format_;
};

}  // namespace

std::unique_ptr<LogSink> MakeStderrSink(LogLevel level, LogFormat format) {
  return std::make_unique<StderrSink>(level, format);
}

}  // namespace jobrun
