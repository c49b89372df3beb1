#include "tests/bench/loadserver/field_selector.h"

#include <algorithm>
#include <charconv>

namespace jobrun::bench {
namespace {

std::string Decoded(std::string_view encoded) {
  std::string text;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    unsigned code = 0;
    const char* const digits = encoded.data() + i + 1;
    if (encoded[i] != '%' || i + 2 >= encoded.size() ||
        std::from_chars(digits, digits + 2, code, 16).ptr != digits + 2) {
      text += encoded[i];
      continue;
    }
    text += static_cast<char>(code);
    i += 2;
  }
  return text;
}

}  // namespace

std::optional<FieldSelector> FieldSelector::Parse(std::string_view encoded) {
  FieldSelector selector;
  const std::string text = Decoded(encoded);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::optional<Term> term = ParseTerm(std::string_view(text).substr(begin, end - begin));
    if (!term) return std::nullopt;
    selector.terms_.push_back(*term);
    begin = end + 1;
  }
  return selector;
}

std::optional<FieldSelector::Term> FieldSelector::ParseTerm(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  const bool equal = text[equals - 1] != '!';
  const std::string_view name = text.substr(0, equal ? equals : equals - 1);
  const std::string_view value = text.substr(equals + (text.substr(equals, 2) == "==" ? 2 : 1));
  if (name != "status.phase" && name != "status.retry.state") return std::nullopt;
  return Term{.field = name == "status.phase" ? &PhaseOf : &RetryStateOf,
              .equal = equal,
              .value = std::string(value)};
}

bool FieldSelector::Selects(const RunFields& run) const {
  return std::all_of(terms_.begin(), terms_.end(), [&run](const Term& term) {
    return (term.field(run) == term.value) == term.equal;
  });
}

}  // namespace jobrun::bench
