// A run as tables show it, kept beyond the text it was read from; and which runs are asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/model/phase.h"
#include "controller/wire/exchange.h"
#include "controller/wire/targets.h"
#include "worker/cli/tool.h"

namespace jobrun {

struct RunRow {
  std::string name_space{};
  std::string name{};
  Uid uid{};
  std::uint64_t resource_version{0};
  bool readable{true};  // false: the object can't be decoded, only its names are known
  bool deleted{false};
  Phase phase{Phase::kPending};
  std::string lane{};
  std::string worker{};
  std::string heartbeat{};
  std::string reason{};
  std::string progress{};
  std::string completion_time{};
  std::optional<std::int32_t> exit_code{};
  std::string retry{};
  std::string successor{};
  std::uint32_t attempt{1};
  ServerTime created{};
};
[[nodiscard]] RunRow RowOf(const Event& event);

struct Columns {
  bool name_space{false};
  bool wide{false};
  bool change{false};  // what a watch told: ADDED, MODIFIED, DELETED
};
[[nodiscard]] std::vector<std::string> HeadOf(const Columns& columns);
[[nodiscard]] std::vector<std::string> CellsOf(const RunRow& row, const Columns& columns,
                                               ServerTime now);

// --all-namespaces, --selector, --lane, --phase.
struct ScopeFlags {
  bool all_namespaces{false};
  std::string selector{};
  std::string lane{};
  std::string phase{};
};
void AddScopeFlags(CLI::App& command, ScopeFlags& flags);
// What is wrong with the values, or nothing.
[[nodiscard]] std::optional<std::string> MistakeIn(const ScopeFlags& flags);
// `name_space` is that of the command; --all-namespaces wins.
[[nodiscard]] WatchScope ScopeOf(const ScopeFlags& flags, const std::string& name_space);
// "runs of lane a in namespace b", for people.
[[nodiscard]] std::string WordsOf(const ScopeFlags& flags, const std::string& name_space);

}  // namespace jobrun
