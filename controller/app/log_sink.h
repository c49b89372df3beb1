// Log lines to stderr: one line each, whatever the values hold.
#pragma once

#include <memory>

#include "controller/base/log.h"
#include "controller/base/log_text.h"

namespace jobrun {

// Writes lines of at least `level` to stderr; what is held, in one write. Any thread.
[[nodiscard]] std::unique_ptr<LogSink> MakeStderrSink(LogLevel level, LogFormat format);

}  // namespace jobrun
