// How fast bytes come on a stream.
#pragma once

#include <cstddef>

#include "controller/base/time.h"

namespace jobrun {

// Over the last five reads or so: bytes come in bunches, and a single read tells little of the
// next.
class ByteRate {
 public:
  // `bytes`, at least one, came within `elapsed`.
  void Add(std::size_t bytes, Nanos elapsed) {
    bytes_ = bytes_ * kKept + static_cast<double>(bytes);
    nanos_ = nanos_ * kKept + static_cast<double>(elapsed.count());
  }

  // How long it takes until so many have come, at most `longest`. Only after an Add.
  [[nodiscard]] Nanos TimeFor(std::size_t bytes, Nanos longest) const {
    const double nanos = nanos_ * static_cast<double>(bytes) / bytes_;
    if (nanos >= static_cast<double>(longest.count())) return longest;
    return Nanos(static_cast<Nanos::rep>(nanos));
  }

 private:
  static constexpr double kKept = 0.8;  // of what was known, at each read
  double bytes_{0};
  double nanos_{0};
};

}  // namespace jobrun
