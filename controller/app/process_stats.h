// What the kernel knows of this process, under the names that Prometheus' client libraries use.
#pragma once

#include <optional>
#include <string_view>

namespace jobrun {

struct ProcessStats {
  double cpu_seconds{0};
  double resident_bytes{0};
  double virtual_bytes{0};
  double start_unix_seconds{0};
  double open_fds{0};
  double max_fds{0};
};

// From /proc/self. Nothing where /proc is missing. Any thread.
[[nodiscard]] std::optional<ProcessStats> ReadProcessStats();

// /proc/PID/stat; `boot_unix_seconds` is the `btime` of /proc/stat. Pure.
[[nodiscard]] std::optional<ProcessStats> ParseProcessStat(std::string_view text,
                                                           double boot_unix_seconds);

}  // namespace jobrun
