#include "controller/app/bind_address.h"

#include <charconv>
#include <optional>

#include "controller/base/wording.h"

namespace jobrun {
namespace {

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (text.empty() || error != std::errc{} || rest != end) return std::nullopt;
  return port;
}

}  // namespace

Result<BindAddress> ParseBindAddress(std::string_view text) {
  const Error bad{Code::kInvalid, "read a listen address",
                  "expected HOST:PORT, :PORT or [IPV6]:PORT, found " + ShownText(text)};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  const auto port = ParsePort(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  if (!port) return bad;
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 4) return bad;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad;
  }
  return BindAddress{std::string(host), *port};
}

}  // namespace jobrun
