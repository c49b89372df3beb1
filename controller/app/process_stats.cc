#include "controller/app/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace jobrun {
namespace {

double ReadBootTime() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

double CountOpenFds() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  // The directory itself is open while it is read.
  return count > 0 ? count - 1 : 0;
}

}  // namespace

std::optional<ProcessStats> ParseProcessStat(std::string_view text, double boot_unix_seconds) {
  // The program's name may hold blanks and brackets; the last bracket ends it. See proc(5).
  const std::size_t bracket = text.rfind(')');
  if (bracket == std::string_view::npos) return std::nullopt;
  std::istringstream rest{std::string(text.substr(bracket + 1))};
  const std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  constexpr std::size_t kUserTime = 11, kSystemTime = 12, kStart = 19, kVirtual = 20,
                        kResident = 21;
  if (fields.size() <= kResident) return std::nullopt;
  const auto number = [&fields](std::size_t i) {
    double value = 0;
    std::istringstream(fields[i]) >> value;
    return value;
  };
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return ProcessStats{
      .cpu_seconds = (number(kUserTime) + number(kSystemTime)) / ticks,
      .resident_bytes = number(kResident) * static_cast<double>(sysconf(_SC_PAGESIZE)),
      .virtual_bytes = number(kVirtual),
      .start_unix_seconds = boot_unix_seconds + number(kStart) / ticks};
}

std::optional<ProcessStats> ReadProcessStats() {
  static const double boot_time = ReadBootTime();
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  auto stats = ParseProcessStat(text, boot_time);
  if (!stats) return std::nullopt;
  stats->open_fds = CountOpenFds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats->max_fds = static_cast<double>(limit.rlim_cur);
  return stats;
}

}  // namespace jobrun
