#include "worker/cli/text_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "controller/base/log_text.h"
#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

constexpr std::size_t kGap = 3;

std::size_t WidthOf(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string Two(std::int64_t whole, const char* unit, std::int64_t rest, const char* rest_unit) {
  std::string text = std::to_string(whole) + unit;
  if (rest > 0) text += std::to_string(rest) + rest_unit;
  return text;
}

}  // namespace

std::string Harmless(std::string_view text) {
  std::string shown;
  AppendEscapedText(shown, text);
  return shown;
}

TextTable::TextTable(std::vector<std::string> head) : head_(std::move(head)) {
  widths_.resize(head_.size());
  Fit(head_);
}

void TextTable::Add(std::vector<std::string> cells) {
  assert(cells.size() == head_.size());
  for (std::string& cell : cells) cell = Harmless(cell);
  Fit(cells);
  rows_.push_back(std::move(cells));
}

std::string TextTable::Take() {
  std::string text;
  if (!std::exchange(head_written_, true)) Write(text, head_);
  for (const auto& row : rows_) Write(text, row);
  rows_.clear();
  return text;
}

void TextTable::Fit(const std::vector<std::string>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    widths_[i] = std::max(widths_[i], WidthOf(cells[i]));
  }
}

void TextTable::Write(std::string& text, const std::vector<std::string>& cells) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    line.append(widths_[i] - WidthOf(cells[i]) + kGap, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  text += line + '\n';
}

std::string AgeText(Nanos age) {
  using std::chrono::duration_cast;
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  constexpr std::int64_t kYear = 365 * kDay;
  const std::int64_t seconds =
      std::max<std::int64_t>(duration_cast<std::chrono::seconds>(age).count(), 0);
  if (seconds < 2 * kMinute) return std::to_string(seconds) + "s";
  if (seconds < 10 * kMinute) return Two(seconds / kMinute, "m", seconds % kMinute, "s");
  if (seconds < 3 * kHour) return std::to_string(seconds / kMinute) + "m";
  if (seconds < 8 * kHour) return Two(seconds / kHour, "h", seconds % kHour / kMinute, "m");
  if (seconds < 2 * kDay) return std::to_string(seconds / kHour) + "h";
  if (seconds < 8 * kDay) return Two(seconds / kDay, "d", seconds % kDay / kHour, "h");
  if (seconds < 2 * kYear) return std::to_string(seconds / kDay) + "d";
  return Two(seconds / kYear, "y", seconds % kYear / kDay, "d");
}

std::string AgeSince(std::string_view time, ServerTime now) {
  if (time.empty()) return "";
  const auto at = ParseRfc3339(time);
  return at ? AgeText(now - *at) : "?";
}

}  // namespace jobrun
