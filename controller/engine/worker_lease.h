// What is known of a Lease by which a worker beats for all its runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "controller/base/time.h"
#include "controller/model/uid.h"

namespace jobrun {

struct WorkerLease {
  std::string key{};  // ObjectKey
  Uid uid{};          // none: there is no such Lease
  std::uint64_t resource_version{0};
  std::uint64_t renewed{0};       // hash of spec.renewTime's text; 0 without one
  std::optional<Silence> beat{};  // when its present renewTime was first seen; stays when it goes
  Mono asked_until{Mono::min()};  // a read or a deletion is under way, no longer than this
  // While there is none. When we deleted it, in the version that was judged: nothing was renewed
  // until then. When it was first found to be gone, for whatever reason: it may have been renewed
  // until then.
  std::optional<Silence> deleted_at{};
  std::optional<Silence> absent_since{};
  std::optional<Mono> read_gone_at{};  // the last live read, or deletion, that found none
  std::uint8_t scope{0};
  std::uint16_t epoch{0};
  std::unordered_set<Uid, UidHash> runs{};  // that are beaten for by it
};

}  // namespace jobrun
