#include "controller/base/log_text.h"

#include <gtest/gtest.h>

#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

const ServerTime kAt = *ParseRfc3339("2026-11-22T01:02:03.000004Z");

std::string Text(const LogLine& line) { return FormatLogLine(line, LogFormat::kText, kAt); }
std::string Json(const LogLine& line) { return FormatLogLine(line, LogFormat::kJson, kAt); }

// The value as each format writes it.
std::string TextValue(const std::string& value) {
  return Text({LogLevel::kInfo, "m", {{"k", value}}}).substr(37);
}
std::string JsonValue(const std::string& value) {
  const std::string line = Json({LogLevel::kInfo, "m", {{"k", value}}});
  const std::size_t start = line.find(R"("k":)") + 4;
  return line.substr(start, line.size() - start - 1);
}

TEST(LogTextTest, TextIsKeysAndValuesBehindTheMessage) {
  EXPECT_EQ(Text({LogLevel::kWarn, "reaped", {{"run", "team/a"}, {"error", "no answer"}}}),
            "2026-11-22T01:02:03.000004Z warn reaped run=team/a error=\"no answer\"");
}

TEST(LogTextTest, JsonIsOneObject) {
  EXPECT_EQ(Json({LogLevel::kError, "reaped", {{"run", "team/a"}, {"error", "no \"answer\""}}}),
            R"({"ts":"2026-11-22T01:02:03.000004Z","level":"error","msg":"reaped","run":"team/a",)"
            R"("error":"no \"answer\""})");
}

struct Escaped {
  const char* why;
  std::string value;
  const char* text;
  const char* json;
};

const Escaped kEscapings[] = {
    {"plain", "a/b-c_1:2", "a/b-c_1:2", "\"a/b-c_1:2\""},
    {"empty", "", "\"\"", "\"\""},
    {"a blank", "a b", "\"a b\"", "\"a b\""},
    {"a second line", "a\nlevel=error", "\"a\\nlevel=error\"", "\"a\\nlevel=error\""},
    {"a pair", "a=b", "\"a=b\"", "\"a=b\""},
    {"quotes", "a\"b\\", "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\""},
    {"a terminal escape", "\x1b[2J", "\"\\u001b[2J\"", "\"\\u001b[2J\""},
    {"a carriage return", "a\rb", "\"a\\u000db\"", "\"a\\u000db\""},
    {"DEL", "\x7f", "\"\\u007f\"", "\"\\u007f\""},
    {"an eight-bit control", "\xc2\x9b", "\"\\u009b\"", "\"\\u009b\""},
    {"NUL", std::string("a\0b", 3), "\"a\\u0000b\"", "\"a\\u0000b\""},
    {"right to left", "\xe2\x80\xae", "\"\\u202e\"", "\"\\u202e\""},
    {"letters", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"no UTF-8", "a\xff", "\"a\xef\xbf\xbd\"", "\"a\xef\xbf\xbd\""},
    {"cut UTF-8", "a\xe2\x82", "\"a\xef\xbf\xbd\xef\xbf\xbd\"", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    {"overlong", "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"a surrogate", "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

TEST(EscapingTest, NothingInAValueActsOnTheReader) {
  for (const Escaped& c : kEscapings) {
    EXPECT_EQ(TextValue(c.value), c.text) << c.why;
    EXPECT_EQ(JsonValue(c.value), c.json) << c.why;
  }
}

TEST(LogTextTest, TheMessageIsEscapedToo) {
  EXPECT_EQ(Text({LogLevel::kInfo, "a\nb"}), "2026-11-22T01:02:03.000004Z info a\\nb");
}

TEST(LogTextTest, LongValuesAreCutAndSaySo) {
  const std::string most(kLogValueBytesMax, 'x');
  EXPECT_EQ(TextValue(most), most);
  EXPECT_EQ(TextValue(most + "y"), '"' + most + "... (2049 bytes)\"");
}

}  // namespace
}  // namespace jobrun
