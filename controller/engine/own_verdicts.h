// The verdicts that this process has sent and not yet seen committed. What is seen is counted once,
// however often lists, watches and answers tell of it.
#pragma once

#include <charconv>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace jobrun {

class OwnVerdicts {
 public:
  // Verdicts whose outcome stays unknown are few; beyond these the oldest is forgotten.
  static constexpr std::size_t kMax = 4096;

  explicit OwnVerdicts(const std::string& process_id) : prefix_(process_id + "-") {}

  // A verdictID that no other verdict has.
  [[nodiscard]] std::string NewId() {
    unseen_.insert(++last_);
    if (unseen_.size() > kMax) unseen_.erase(unseen_.begin());
    return prefix_ + std::to_string(last_);
  }

  // Whether the verdict is one of these, and seen for the first time.
  [[nodiscard]] bool See(std::string_view verdict_id) {
    if (!verdict_id.starts_with(prefix_)) return false;
    verdict_id.remove_prefix(prefix_.size());
    std::uint64_t number = 0;
    const char* const end = verdict_id.data() + verdict_id.size();
    const auto [read, error] = std::from_chars(verdict_id.data(), end, number);
    return error == std::errc() && read == end && unseen_.erase(number) != 0;
  }

 private:
  std::string prefix_;
  std::uint64_t last_{0};
  std::set<std::uint64_t> unseen_{};
};

}  // namespace jobrun
