// A histogram kept as plain numbers, for what comes thousands of times a second.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace jobrun {

// Values by the first of N ascending bounds that they do not exceed; the last place has those above
// all of them.
template <std::size_t N>
struct BucketCounts {
  std::array<std::uint64_t, N + 1> counts{};
  double sum{0};

  void Observe(const std::array<double, N>& bounds, double value) {
    const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
    ++counts[static_cast<std::size_t>(bound - bounds.begin())];
    sum += value;
  }

  void Add(const BucketCounts& others) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += others.counts[i];
    sum += others.sum;
  }
};

}  // namespace jobrun
