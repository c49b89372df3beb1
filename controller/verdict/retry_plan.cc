#include "controller/verdict/retry_plan.h"

#include <algorithm>

#include "controller/model/reason.h"

namespace jobrun {
namespace {

constexpr double kJitter = 0.1;
constexpr int kDoublingsMax = 31;
constexpr std::size_t kNameMax = 63;
constexpr std::size_t kUidDigits = 10;

template <class T>
bool Holds(const std::vector<T>& list, const auto& value) {
  return std::ranges::find(list, value) != list.end();
}

bool Retryable(const RetryPolicy& policy, const EndedRun& run) {
  if (policy.on) {
    if (!Holds(*policy.on, run.reason)) return false;
  } else if (const auto reason = ParseReason(run.reason); reason && !Info(*reason).retryable) {
    return false;
  }
  if (run.exit_code.value_or(0) == 0) return true;
  if (policy.exit_codes_in && !Holds(*policy.exit_codes_in, *run.exit_code)) return false;
  return !Holds(policy.exit_codes_not_in, *run.exit_code);
}

Nanos Wait(const RetryPolicy& policy, std::uint32_t attempt, double unit) {
  const int doublings = static_cast<int>(std::min<std::uint32_t>(attempt - 1, kDoublingsMax));
  const double longest = static_cast<double>(policy.max_backoff.count()) / (1 + kJitter);
  auto seconds = static_cast<double>(policy.backoff.count());
  for (int i = 0; i < doublings && seconds < longest; ++i) seconds *= 2;
  seconds = std::min(seconds, longest) * (1 + kJitter * unit);
  return std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(seconds));
}

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// The name without what an earlier retry appended.
std::string_view Stem(std::string_view name) {
  constexpr std::size_t kSuffix = kUidDigits + 1;
  if (name.size() <= kSuffix || name[name.size() - kSuffix] != '-') return name;
  if (!std::ranges::all_of(name.substr(name.size() - kUidDigits), IsHexDigit)) return name;
  return name.substr(0, name.size() - kSuffix);
}

}  // namespace

RetryPlan PlanRetry(const RetryPolicy& policy, const EndedRun& run, double unit) {
  const std::uint32_t attempt = std::max<std::uint32_t>(run.attempt, 1);
  if (!Retryable(policy, run)) return {};
  if (run.reason != kHandedBack) {
    if (policy.max_attempts <= 1) return {};
    if (attempt >= static_cast<std::uint32_t>(policy.max_attempts)) return {RetryState::kExhausted};
  }
  return {RetryState::kPending, Wait(policy, attempt, unit)};
}

std::uint32_t NextAttempt(const EndedRun& run) {
  return std::max<std::uint32_t>(run.attempt, 1) + (run.reason == kHandedBack ? 0 : 1);
}

std::string SuccessorName(std::string_view name, Uid uid) {
  const std::string digits = FormatUid(uid);
  std::string_view stem = Stem(name).substr(0, kNameMax - kUidDigits - 1);
  while (!stem.empty() && (stem.back() == '-' || stem.back() == '.')) stem.remove_suffix(1);
  return std::string(stem) + '-' + digits.substr(digits.size() - kUidDigits);
}

}  // namespace jobrun
