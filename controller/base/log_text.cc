#include "controller/base/log_text.h"

#include <array>
#include <string_view>

#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};
constexpr char32_t kReplacement = 0xfffd;

// Takes one code point off the front; kReplacement (and one byte) for what is no UTF-8.
char32_t TakeCodePoint(std::string_view& text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >> 5U == 6 ? 2 : lead >> 4U == 14 ? 3 : 4;
  char32_t code = length == 1 ? lead : lead & (0x7fU >> length);
  bool good = lead < 0x80 || (lead >= 0xc2 && lead <= 0xf4);
  for (std::size_t i = 1; good && i < length; ++i) {
    good = i < text.size() && byte(i) >> 6U == 2;
    if (good) code = (code << 6U) | (byte(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  good = good && code >= kSmallest[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  text.remove_prefix(good ? length : 1);
  return good ? code : kReplacement;
}

// What a terminal acts on instead of showing it: controls, and marks that reorder or hide text.
bool IsInvisible(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

void AppendUtf8(std::string& out, char32_t code) {
  const auto tail = [&out, code](unsigned shift) {
    out += static_cast<char>(0x80U | ((code >> shift) & 0x3fU));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0U | (code >> 6U));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0U | (code >> 12U));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0U | (code >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

bool IsPlain(std::string_view text) {
  if (text.empty() || text.size() > kLogValueBytesMax) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

}  // namespace

// The escapes of JSON strings; text format uses the same ones.
void AppendEscapedText(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const std::size_t whole = text.size();
  std::string_view rest = text.substr(0, kLogValueBytesMax);
  while (!rest.empty()) {
    const char32_t code = TakeCodePoint(rest);
    if (code == '"' || code == '\\') {
      out += '\\';
      out += static_cast<char>(code);
    } else if (code == '\n') {
      out += "\\n";
    } else if (code == '\t') {
      out += "\\t";
    } else if (IsInvisible(code)) {
      out += "\\u";
      for (const unsigned shift : {12U, 8U, 4U, 0U}) out += kHex[(code >> shift) & 0xfU];
    } else {
      AppendUtf8(out, code);
    }
  }
  if (whole > kLogValueBytesMax) out += "... (" + std::to_string(whole) + " bytes)";
}

namespace {

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  AppendEscapedText(out, text);
  out += '"';
}

}  // namespace

std::string FormatLogLine(const LogLine& line, LogFormat format, ServerTime wall) {
  const std::string_view level = kLevelNames[static_cast<std::size_t>(line.level)];
  std::string out;
  if (format == LogFormat::kText) {
    out = FormatMicroTime(wall) + ' ' + std::string(level) + ' ';
    AppendEscapedText(out, line.message);
    for (const auto& [key, value] : line.fields) {
      out += ' ' + key + '=';
      IsPlain(value) ? void(out += value) : AppendQuoted(out, value);
    }
    return out;
  }
  out =
      R"({"ts":")" + FormatMicroTime(wall) + R"(","level":")" + std::string(level) + R"(","msg":)";
  AppendQuoted(out, line.message);
  for (const auto& [key, value] : line.fields) {
    out += ',';
    AppendQuoted(out, key);
    out += ':';
    AppendQuoted(out, value);
  }
  return out + '}';
}

}  // namespace jobrun
