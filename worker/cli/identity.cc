#include "worker/cli/identity.h"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "controller/base/hex.h"
#include "controller/base/object_name.h"

namespace jobrun {
namespace {

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Of a host's name what an object name takes.
std::string HostName() {
  constexpr std::size_t kHostMax = 200;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::string name;
  for (const char c : std::string_view(host.data()).substr(0, kHostMax)) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    name += object_name::IsWord(lower) ? lower : '-';
  }
  name.erase(0, name.find_first_not_of('-'));
  return name.empty() ? "worker" : name;
}

}  // namespace

std::uint64_t Seed() {
  std::uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, 0) == sizeof bits) return bits;
  return static_cast<std::uint64_t>(getpid());
}

ExecutorPlace FindPlace() {
  return {.pod_name = Variable("POD_NAME"),
          .pod_uid = Variable("POD_UID"),
          .node_name = Variable("NODE_NAME")};
}

std::string WorkerName(const ExecutorPlace& place) {
  if (IsObjectName(place.pod_name)) return place.pod_name;
  constexpr std::size_t kDigits = 6;
  return HostName() + '-' + std::to_string(getpid()) + '-' + HexOf(Seed()).substr(0, kDigits);
}

}  // namespace jobrun
