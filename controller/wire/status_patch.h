// The merge patches that the controller writes to a JobRun's status.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/model/reason.h"

namespace jobrun {

inline constexpr std::string_view kMergePatchType = "application/merge-patch+json";

// A verdict, with the version it was judged on. `foreign_conditions` are the raw JSON texts of
// conditions that are not ours, comma-separated, as ForeignConditions returns them; a merge patch
// replaces the list.
struct VerdictPatch {
  std::uint64_t resource_version{0};
  std::uint64_t generation{0};
  Reason reason{};
  std::string_view message{};
  std::string_view verdict_id{};
  ServerTime at{};  // completionTime and lastTransitionTime: the API server's clock
  std::string_view foreign_conditions{};
};
[[nodiscard]] std::string WriteVerdictPatch(const VerdictPatch& patch);

// The first visit of a Running run: when it started, on the API server's clock.
struct VisitPatch {
  std::uint64_t resource_version{0};
  ServerTime start_time{};
};
[[nodiscard]] std::string WriteVisitPatch(const VisitPatch& patch);

// The conditions of the object in `text` that this controller does not write, as raw JSON joined
// with commas; empty when there are none. Fails when the text is no object.
[[nodiscard]] Result<std::string> ForeignConditions(std::string_view text);

// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace jobrun
