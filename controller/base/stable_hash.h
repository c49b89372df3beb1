// A hash for names: the same in every process and build, so the standard library's won't do.
#pragma once

#include <cstdint>
#include <string_view>

namespace jobrun {

// FNV-1a of 64 bits. No protection against texts that are made to collide.
[[nodiscard]] constexpr std::uint64_t StableHash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

}  // namespace jobrun
