// Where a server listens, as a flag says it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace jobrun {

// The address that means "no server".
inline constexpr std::string_view kNoServer = "0";

struct BindAddress {
  std::string host{};  // an IP literal without brackets, a name, or empty for all of IPv6 and IPv4
  std::uint16_t port{0};  // 0: any free one

  bool operator==(const BindAddress&) const = default;
};

// ":8080", "127.0.0.1:8080", "[::1]:8080", "localhost:8080", as Go writes them.
[[nodiscard]] Result<BindAddress> ParseBindAddress(std::string_view text);

}  // namespace jobrun
