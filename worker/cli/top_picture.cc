#include "worker/cli/top_picture.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <vector>

#include "controller/base/rfc3339.h"
#include "worker/cli/text_table.h"

namespace jobrun {
namespace {

// Lines beside the rows of the tables: title, gaps, headings, heads.
constexpr std::size_t kFixedLines = 9;
constexpr std::size_t kRowsLeast = 3;  // of each table, however small the terminal

std::string LanesText(const RunTable& runs, std::size_t rows_max) {
  using Counts = std::array<std::size_t, kPhaseCount>;
  std::map<std::string_view, Counts> lanes;
  Counts all{};
  for (const auto& [uid, run] : runs) {
    if (!run.readable) continue;
    ++lanes[run.lane][static_cast<std::size_t>(run.phase)];
    ++all[static_cast<std::size_t>(run.phase)];
  }
  std::vector<std::string> head{"LANE"};
  for (const std::string_view phase : kPhaseNames) head.emplace_back(phase);
  TextTable table(head);
  const auto add = [&table](std::string name, const Counts& counts) {
    std::vector<std::string> cells{std::move(name)};
    for (const std::size_t count : counts) cells.push_back(std::to_string(count));
    table.Add(std::move(cells));
  };
  // Those with the most work first.
  std::vector<std::pair<std::string_view, Counts>> busy(lanes.begin(), lanes.end());
  const auto active = [](const auto& lane) { return lane.second[0] + lane.second[1]; };
  std::ranges::stable_sort(busy, std::ranges::greater(), active);
  for (const auto& [lane, counts] : busy) {
    if (table.Rows() + 1 >= rows_max) break;
    add(std::string(lane), counts);
  }
  add("(all)", all);
  return table.Take();
}

std::string RunTitle(const RunRow& run) { return run.name_space + '/' + run.name; }

// Running runs whose last sign of life is longest ago; those that never gave one come first.
std::string HeartbeatsText(const RunTable& runs, const PictureFrame& frame, std::size_t rows_max) {
  struct Beat {
    ServerTime at{};
    const RunRow* run{nullptr};
  };
  std::vector<Beat> beats;
  for (const auto& [uid, run] : runs) {
    if (!run.readable || run.phase != Phase::kRunning) continue;
    beats.push_back({ParseRfc3339(run.heartbeat).value_or(ServerTime{}), &run});
  }
  const std::size_t shown = std::min(rows_max, beats.size());
  std::ranges::partial_sort(
      beats, beats.begin() + static_cast<std::ptrdiff_t>(shown), {},
      [](const Beat& beat) { return std::pair(beat.at, std::string_view(beat.run->name)); });
  TextTable table({"HEARTBEAT", "RUN", "LANE", "WORKER", "PROGRESS"});
  for (std::size_t i = 0; i < shown; ++i) {
    const RunRow& run = *beats[i].run;
    const std::string age = run.heartbeat.empty() ? "never" : AgeSince(run.heartbeat, frame.now);
    table.Add({age, RunTitle(run), run.lane, run.worker, run.progress});
  }
  return table.Take();
}

std::string VerdictsText(const RunTable& runs, const PictureFrame& frame, std::size_t rows_max) {
  struct End {
    ServerTime at{};
    const RunRow* run{nullptr};
  };
  std::vector<End> ends;
  for (const auto& [uid, run] : runs) {
    const auto at = ParseRfc3339(run.completion_time);
    const bool verdict = run.readable && run.phase != Phase::kSucceeded && IsTerminal(run.phase);
    if (verdict && at) ends.push_back({*at, &run});
  }
  const std::size_t shown = std::min(rows_max, ends.size());
  std::ranges::partial_sort(
      ends, ends.begin() + static_cast<std::ptrdiff_t>(shown), std::ranges::greater(),
      [](const End& end) { return std::pair(end.at, std::string_view(end.run->name)); });
  TextTable table({"AGO", "RUN", "LANE", "PHASE", "REASON", "RETRY"});
  for (std::size_t i = 0; i < shown; ++i) {
    const RunRow& run = *ends[i].run;
    table.Add({AgeText(frame.now - ends[i].at), RunTitle(run), run.lane,
               std::string(PhaseName(run.phase)), run.reason, run.retry});
  }
  return table.Take();
}

// Characters, not bytes: a line is never cut within one.
std::string Cut(const std::string& text, const PictureFrame& frame) {
  std::string cut;
  std::size_t column = 0;
  std::size_t rows = 0;
  for (const char c : text) {
    if (rows >= frame.rows) break;
    const bool begins = (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    if (c == '\n') {
      column = 0;
      ++rows;
      cut += c;
      continue;
    }
    if (begins) ++column;
    if (frame.columns == 0 || column <= frame.columns) cut += c;
  }
  return cut;
}

}  // namespace

std::string Picture(const RunTable& runs, const PictureFrame& frame) {
  const std::size_t free = frame.rows > kFixedLines ? frame.rows - kFixedLines : 0;
  const std::size_t third = std::max(free / 3, kRowsLeast);
  std::string text = std::to_string(runs.size()) + ' ' + Harmless(frame.title) + ", " +
                     FormatTime(frame.now) + (frame.whole ? "" : " (still reading)") + "\n\n";
  text += LanesText(runs, third);
  text += "\nOldest heartbeats\n" + HeartbeatsText(runs, frame, third);
  text += "\nLatest failures and verdicts\n" + VerdictsText(runs, frame, third);
  return Cut(text, frame);
}

}  // namespace jobrun
