// Log lines as text: one line each, whatever the values hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/log.h"
#include "controller/base/time.h"

namespace jobrun {

enum class LogFormat : std::uint8_t { kText, kJson };

// Longest message or value that is written; what is longer is cut and says so. The API server's
// messages may be as long as the object they complain about.
inline constexpr std::size_t kLogValueBytesMax = 2048;

// One line without its end. Text: `2026-11-22T01:02:03.000004Z info reaped run=a/b lag="2 ms"`;
// values are quoted where they hold more than plain characters. JSON: an object of "ts", "level",
// "msg" and the fields. Control characters, terminal escapes, bidirectional overrides and bytes
// that are no UTF-8 come out harmless in both.
[[nodiscard]] std::string FormatLogLine(const LogLine& line, LogFormat format, ServerTime wall);

// `text` as it stands in a line's quotes, without them.
void AppendEscapedText(std::string& out, std::string_view text);

}  // namespace jobrun
