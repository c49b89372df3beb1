#include "tests/allocations/counting_malloc.h"

#include <openssl/crypto.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

// What glibc keeps for programs that replace these.
extern "C" {
void* __libc_malloc(std::size_t size);                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* old, std::size_t size);         // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment,
                      std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void __libc_free(void* old);              // NOLINT(bugprone-reserved-identifier)
}

namespace {

// Of the thread's own storage, which needs no allocation in a program.
thread_local std::uint64_t allocations = 0;
thread_local std::uint64_t tls_allocations = 0;

// Before OpenSSL has allocated anything, or it refuses.
const bool tls_is_told_apart = CRYPTO_set_mem_functions(
                                   [](std::size_t size, const char*, int) {
                                     ++tls_allocations;
                                     return __libc_malloc(size);
                                   },
                                   [](void* old, std::size_t size, const char*, int) {
                                     ++tls_allocations;
                                     return __libc_realloc(old, size);
                                   },
                                   [](void* old, const char*, int) { __libc_free(old); }) == 1;

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  ++allocations;
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
void free(void* old) { __libc_free(old); }

}  // extern "C"

namespace jobrun::testing {

std::uint64_t Allocations() { return allocations; }

std::uint64_t TlsAllocations() {
  if (!tls_is_told_apart) std::abort();
  return tls_allocations;
}

}  // namespace jobrun::testing
