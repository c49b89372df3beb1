// Object uids in 16 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jobrun {

// A UUID, which is what the API server makes of every uid. All zero means none.
struct Uid {
  std::uint64_t high{0};
  std::uint64_t low{0};

  bool operator==(const Uid&) const = default;
  [[nodiscard]] bool IsNone() const { return high == 0 && low == 0; }
};

// For hash maps: uids are random already.
struct UidHash {
  std::size_t operator()(Uid uid) const { return static_cast<std::size_t>(uid.high ^ uid.low); }
};

// "8-4-4-4-12" hexadecimal digits in either case; nothing for anything else.
[[nodiscard]] std::optional<Uid> ParseUid(std::string_view text);
[[nodiscard]] std::string FormatUid(Uid uid);

}  // namespace jobrun
