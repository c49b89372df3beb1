#include <algorithm>

#include "controller/app/http_server.h"
#include "controller/base/hex.h"

namespace jobrun {
namespace {

std::optional<std::string> Decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

// Calls `each` with every parameter as it was sent until it says true.
template <class Each>
void EachParameter(std::string_view rest, Each each) {
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    if (each(rest.substr(0, end))) return;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

}  // namespace

bool HttpQuery::Has(std::string_view name) const {
  bool found = false;
  EachParameter(query, [&](std::string_view parameter) {
    found = parameter.substr(0, parameter.find('=')) == name;
    return found;
  });
  return found;
}

std::optional<std::string> HttpQuery::Get(std::string_view name) const {
  std::optional<std::string> value;
  EachParameter(query, [&](std::string_view parameter) {
    const std::size_t equals = parameter.find('=');
    if (parameter.substr(0, equals) != name) return false;
    value = Decoded(equals == std::string_view::npos ? "" : parameter.substr(equals + 1));
    return true;
  });
  return value;
}

}  // namespace jobrun
