#include "controller/engine/answers.h"

#include <algorithm>

#include "controller/wire/event_decoder.h"

namespace jobrun {
namespace {

constexpr Nanos kThrottleDefault = std::chrono::seconds(1);
constexpr std::chrono::seconds kThrottleMax{30};
constexpr Nanos kHoldFirst = std::chrono::milliseconds(500);
constexpr int kHoldDoublingsMax = 10;

}  // namespace

Nanos ThrottleWait(const Response& response) {
  if (!response.retry_after) return kThrottleDefault;
  return std::min(*response.retry_after, kThrottleMax);
}

Nanos HoldWait(int failures, Nanos longest, Random& random) {
  const Nanos base = std::min(kHoldFirst * (1 << std::min(failures, kHoldDoublingsMax)), longest);
  const double jitter = static_cast<double>(base.count()) * random.Unit() / 2;
  return base + Nanos(static_cast<Nanos::rep>(jitter));
}

std::string WordsOf(const Response& response) {
  return response.detail.empty() ? DecodeStatus(response.body).message : response.detail;
}

}  // namespace jobrun
