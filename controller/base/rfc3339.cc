#include "controller/base/rfc3339.h"

#include <array>
#include <cstdio>

namespace jobrun {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::month;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};

// Takes from the front of a text; once something did not fit, `ok` stays false.
struct Cursor {
  std::string_view rest;
  bool ok = true;

  unsigned Digits(std::size_t count) {
    if (rest.size() < count) return Fail();
    unsigned value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest[i] < '0' || rest[i] > '9') return Fail();
      value = value * 10 + static_cast<unsigned>(rest[i] - '0');
    }
    rest.remove_prefix(count);
    return value;
  }
  void Literal(std::string_view text) {
    if (!rest.starts_with(text)) {
      Fail();
      return;
    }
    rest.remove_prefix(text.size());
  }
  char OneOf(std::string_view choices) {
    if (rest.empty() || choices.find(rest[0]) == std::string_view::npos) {
      Fail();
      return '\0';
    }
    const char taken = rest[0];
    rest.remove_prefix(1);
    return taken;
  }
  unsigned Fail() {
    ok = false;
    return 0;
  }
};

std::optional<ServerTime> FromCivil(year_month_day date, unsigned h, unsigned m, unsigned s) {
  if (!date.ok() || h > 23 || m > 59 || s > 59) return std::nullopt;
  const auto since = sys_days(date).time_since_epoch() + hours(h) + minutes(m) + seconds(s);
  return ServerTime(std::chrono::duration_cast<microseconds>(since));
}

// Fraction digits after the seconds, cut to microseconds.
microseconds Fraction(Cursor& in) {
  if (!in.rest.starts_with('.') && !in.rest.starts_with(',')) return microseconds(0);
  in.rest.remove_prefix(1);
  std::int64_t value = 0;
  int taken = 0;
  while (!in.rest.empty() && in.rest[0] >= '0' && in.rest[0] <= '9') {
    if (taken < 6) value = value * 10 + (in.rest[0] - '0');
    ++taken;
    in.rest.remove_prefix(1);
  }
  if (taken == 0) in.Fail();
  for (; taken < 6; ++taken) value *= 10;
  return microseconds(value);
}

minutes Offset(Cursor& in) {
  const char sign = in.OneOf("zZ+-");
  if (!in.ok || sign == 'z' || sign == 'Z') return minutes(0);
  const unsigned h = in.Digits(2);
  in.Literal(":");
  const unsigned m = in.Digits(2);
  const auto offset = minutes(h * 60 + m);
  return sign == '-' ? -offset : offset;
}

struct Civil {
  int year;
  unsigned month, day, hour, minute, second;
  unsigned weekday;
  std::int64_t micros;
};

Civil ToCivil(ServerTime time) {
  const auto since = time.time_since_epoch();
  const auto whole_days = std::chrono::floor<days>(since);
  const sys_days day_start{whole_days};
  const year_month_day date{day_start};
  const auto in_day = since - whole_days;
  const auto in_seconds = std::chrono::floor<seconds>(in_day);
  const auto s = static_cast<unsigned>(in_seconds.count());
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          s / 3600,
          s / 60 % 60,
          s % 60,
          std::chrono::weekday(day_start).c_encoding(),
          (in_day - in_seconds).count()};
}

// `before`, and then the last `width` digits of the value.
void AppendDigits(std::string& out, char before, std::uint64_t value, std::size_t width) {
  out += before;
  out.append(width, '0');
  for (std::size_t i = out.size(); width > 0; --width, value /= 10) {
    out[--i] = static_cast<char>('0' + value % 10);
  }
}

// By hand: printf took a sixth of what writing a verdict takes.
std::string UpToSeconds(const Civil& c) {
  std::string text = std::to_string(c.year);
  text.reserve(sizeof "2026-11-21T00:00:01.123456Z");
  if (c.year >= 0 && text.size() < 4) text.insert(0, 4 - text.size(), '0');
  AppendDigits(text, '-', c.month, 2);
  AppendDigits(text, '-', c.day, 2);
  AppendDigits(text, 'T', c.hour, 2);
  AppendDigits(text, ':', c.minute, 2);
  AppendDigits(text, ':', c.second, 2);
  return text;
}

}  // namespace

std::optional<ServerTime> ParseRfc3339(std::string_view text) {
  Cursor in{text};
  const unsigned y = in.Digits(4);
  in.Literal("-");
  const unsigned mo = in.Digits(2);
  in.Literal("-");
  const unsigned d = in.Digits(2);
  in.OneOf("tT");
  const unsigned h = in.Digits(2);
  in.Literal(":");
  const unsigned mi = in.Digits(2);
  in.Literal(":");
  const unsigned s = in.Digits(2);
  const microseconds fraction = Fraction(in);
  const minutes offset = Offset(in);
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  const auto local =
      FromCivil(year_month_day{year(static_cast<int>(y)), month(mo), day(d)}, h, mi, s);
  if (!local) return std::nullopt;
  return *local + fraction - offset;
}

std::string FormatMicroTime(ServerTime time) {
  const Civil c = ToCivil(time);
  std::string text = UpToSeconds(c);
  AppendDigits(text, '.', static_cast<std::uint64_t>(c.micros), 6);
  return text += 'Z';
}

std::string FormatTime(ServerTime time) { return UpToSeconds(ToCivil(time)) += 'Z'; }

std::optional<ServerTime> ParseHttpDate(std::string_view text) {
  const auto comma = text.find(", ");
  if (comma != 3) return std::nullopt;
  Cursor in{text.substr(comma + 2)};
  const unsigned d = in.Digits(2);
  in.Literal(" ");
  unsigned month_number = 0;
  for (unsigned i = 0; i < kMonths.size(); ++i) {
    if (in.rest.starts_with(kMonths[i])) month_number = i + 1;
  }
  if (month_number == 0) return std::nullopt;
  in.rest.remove_prefix(3);
  in.Literal(" ");
  const unsigned y = in.Digits(4);
  in.Literal(" ");
  const unsigned h = in.Digits(2);
  in.Literal(":");
  const unsigned mi = in.Digits(2);
  in.Literal(":");
  const unsigned s = in.Digits(2);
  in.Literal(" GMT");
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  return FromCivil(year_month_day{year(static_cast<int>(y)), month(month_number), day(d)}, h, mi,
                   s);
}

std::string FormatHttpDate(ServerTime time) {
  const Civil c = ToCivil(time);
  std::array<char, 64> out{};
  const int length = std::snprintf(out.data(), out.size(), "%s, %02u %s %04d %02u:%02u:%02u GMT",
                                   kWeekdays[c.weekday].data(), c.day, kMonths[c.month - 1].data(),
                                   c.year, c.hour, c.minute, c.second);
  return {out.data(), static_cast<std::size_t>(length)};
}

}  // namespace jobrun
