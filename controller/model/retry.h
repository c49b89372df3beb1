// Retries: what a run, a lane or the defaults may say about them, what holds for one run, and what
// its status records.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobrun {

// Nothing = not said: the next level speaks, field by field.
struct RetryRules {
  std::optional<int> max_attempts{};  // runs in all, the first one included
  std::optional<std::chrono::seconds> backoff{};
  std::optional<std::chrono::seconds> max_backoff{};
  std::optional<std::vector<std::string>> on{};  // reasons that are retried
  std::optional<std::vector<std::int32_t>> exit_codes_in{};
  std::optional<std::vector<std::int32_t>> exit_codes_not_in{};

  bool operator==(const RetryRules&) const = default;
};

inline constexpr int kMaxAttemptsMax = 100;

// What holds for one run.
struct RetryPolicy {
  int max_attempts{1};  // 1: no retries
  std::chrono::seconds backoff{10};
  std::chrono::seconds max_backoff{360};
  std::optional<std::vector<std::string>> on{};
  std::optional<std::vector<std::int32_t>> exit_codes_in{};
  std::vector<std::int32_t> exit_codes_not_in{};

  bool operator==(const RetryPolicy&) const = default;
};

// status.retry.state. The names are API.
enum class RetryState : std::uint8_t {
  kPending,    // a successor is to be created
  kCreated,    // it was
  kSkipped,    // another run of the concurrencyKey is active
  kBlocked,    // its name is taken by an object that is not ours
  kExhausted,  // no attempt is left
  kNotDue,     // no retry was asked for
};
inline constexpr std::array<std::string_view, 6> kRetryStateNames = {
    "Pending", "Created", "Skipped", "Blocked", "Exhausted", "NotDue"};

// Reasons that workers write themselves and that mean something here.
inline constexpr std::string_view kHandedBack = "HandedBack";

}  // namespace jobrun
