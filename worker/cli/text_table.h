// Text for terminals: tables, and ages as people say them. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/time.h"

namespace jobrun {

// What an object says, as a terminal may be shown it: on one line, nothing that it would act on.
[[nodiscard]] std::string Harmless(std::string_view text);

// Columns with three spaces between them, made harmless. Rows can be taken out in parts, so that a
// long table is never held whole: columns grow with what comes, they don't shrink.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> head);

  void Add(std::vector<std::string> cells);  // as many as the head has
  // The rows since the last time, the first time under the head.
  [[nodiscard]] std::string Take();
  [[nodiscard]] std::size_t Rows() const { return rows_.size(); }

 private:
  void Fit(const std::vector<std::string>& cells);
  void Write(std::string& text, const std::vector<std::string>& cells) const;

  std::vector<std::string> head_;
  bool head_written_{false};
  std::vector<std::size_t> widths_{};
  std::vector<std::vector<std::string>> rows_{};
};

// "34s", "5m12s", "3h", "12d": as kubectl shows ages. What is not yet is "0s".
[[nodiscard]] std::string AgeText(Nanos age);
// Since an RFC 3339 time: empty where there is none, "?" where it can't be read.
[[nodiscard]] std::string AgeSince(std::string_view time, ServerTime now);

}  // namespace jobrun
