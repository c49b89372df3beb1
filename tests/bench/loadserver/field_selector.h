// The fieldSelector of a list or a watch of runs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/loadserver/run_text.h"

namespace jobrun::bench {

// Of the fields that the resource declares selectable it knows status.phase and status.retry.state.
class FieldSelector {
 public:
  // Percent-encoded, as in a query; an empty one selects everything. Nothing for what it does not
  // know.
  [[nodiscard]] static std::optional<FieldSelector> Parse(std::string_view encoded);
  [[nodiscard]] bool Selects(const RunFields& run) const;

 private:
  struct Term {
    std::string_view (*field)(const RunFields&);
    bool equal;
    std::string value;
  };
  [[nodiscard]] static std::optional<Term> ParseTerm(std::string_view text);

  std::vector<Term> terms_{};
};

}  // namespace jobrun::bench
