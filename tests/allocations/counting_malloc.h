// How often this thread has asked the C library for memory, by operator new or otherwise. OpenSSL
// is left out: it allocates 40 bytes for each record that it decrypts, and nothing can be done
// about it.
#pragma once

#include <cstdint>

namespace jobrun::testing {

[[nodiscard]] std::uint64_t Allocations();
// Those of OpenSSL.
[[nodiscard]] std::uint64_t TlsAllocations();

}  // namespace jobrun::testing
