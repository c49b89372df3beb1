// Whether the holder of a token may read what he asks for, as the API server sees it: a
// TokenReview, then a SubjectAccessReview, as controller-runtime's filter for metrics does it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "controller/app/lru_map.h"
#include "controller/base/time.h"
#include "controller/engine/io.h"
#include "controller/wire/access_review.h"

namespace jobrun {

enum class Access : std::uint8_t {
  kAllowed,
  kUnauthenticated,  // no token, or one that the API server does not take
  kForbidden,
  kUnknown,  // the API server could not be asked
};

// Sans-IO: it is told times and answers, and says what to ask as effects (SendRequest, LogLine).
// One thread owns it.
class AccessReviews {
 public:
  // How long an answer counts: for scrapes that come all the time (k8s.io/apiserver's
  // authentication cache and denials; its permissions hold for five minutes).
  static constexpr Nanos kAllowedFor = std::chrono::minutes(1);
  static constexpr Nanos kForbiddenFor = std::chrono::seconds(10);
  // While the API server can't be asked, a permission holds for so long: an outage is when metrics
  // are needed.
  static constexpr Nanos kAllowedWithoutAnswer = std::chrono::minutes(10);
  // Answers remembered. Tokens are long, and few read metrics.
  static constexpr std::size_t kRememberedMax = 64;
  // Questions at the same time; more are answered kUnknown. Above what the server has connections.
  static constexpr std::size_t kInFlightMax = 128;
  // For each of the two requests: together within the usual scrape timeout of 10 s.
  static constexpr Nanos kDeadline = std::chrono::seconds(4);
  // Lines about reviews that failed come no more often.
  static constexpr Nanos kSayAgain = std::chrono::minutes(1);

  using Done = std::function<void(Access)>;

  // Whether an answer belongs to this; the ids of others are far below or above.
  [[nodiscard]] static bool Owns(RequestId id) { return (id >> 62U) == 1; }

  // Calls `done` once: at once, or when an answer has come. Questions that are alike share theirs.
  void Ask(std::string_view token, const WantedAccess& wanted, Mono now, Done done,
           Effects& effects);
  void OnResponse(const Response& response, Mono now, Effects& effects);

 private:
  struct Remembered {
    Access access{Access::kUnknown};
    Mono at{};
  };
  struct Flight {
    std::string key{};
    WantedAccess wanted{};
    bool user_known{false};
    std::vector<Done> waiting{};
  };

  void Send(Flight flight, std::string_view target, std::string body, Effects& effects);
  void Settle(const Flight& flight, Access access, Mono now);
  void OnFailed(const Flight& flight, const Response& response, Mono now, Effects& effects);

  RequestId next_id_{RequestId{1} << 62U};
  LruMap<std::string, Remembered, std::hash<std::string>> remembered_{kRememberedMax};
  std::unordered_map<RequestId, Flight> flights_;
  Mono say_again_{};
};

}  // namespace jobrun
