// Whether the holder of a token may read what he asks for, as the API server sees it: a
// TokenReview, then a SubjectAccessReview, as controller-runtime's filter for metrics does it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/app/lru_map.h"
#include "controller/base/time.h"
#include "controller/engine/io.h"
#include "controller/engine/token_bucket.h"
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
  // For so long an older permission counts while the API server is asked anew, whether it answers
  // or not: an outage is when metrics are needed.
  static constexpr Nanos kAllowedMeanwhile = std::chrono::minutes(10);
  // Answers remembered, permissions and refusals apart: strangers must not push the others out.
  static constexpr std::size_t kRememberedMax = 256;
  // Questions about strangers: so many at the same time and so many a second, then so many at once.
  // More are answered kUnknown. They share their connections with lists and must not fill them.
  static constexpr std::size_t kStrangersMax = 8;
  static constexpr double kStrangersPerSecond = 10;
  static constexpr double kStrangersBurst = 20;
  // For each of the two requests: together within the usual scrape timeout of 10 s.
  static constexpr Nanos kDeadline = std::chrono::seconds(4);
  // Lines about reviews that failed come no more often.
  static constexpr Nanos kSayAgain = std::chrono::minutes(1);

  using Done = std::function<void(Access)>;

  // Whether an answer belongs to this; the ids of others are far below or above.
  [[nodiscard]] static bool Owns(RequestId id) { return (id >> 62U) == 1; }

  // Calls `done` once: at once, or when an answer has come. Questions that are alike share theirs.
  // A token has a permission or a refusal, never both.
  void Ask(std::string_view token, const WantedAccess& wanted, Mono now, Done done,
           Effects& effects);
  void OnResponse(const Response& response, Mono now, Effects& effects);

 private:
  struct Refusal {
    Access access{Access::kUnknown};
    Mono at{};
  };
  struct Flight {
    std::string key{};
    WantedAccess wanted{};
    bool user_known{false};
    bool of_stranger{true};
    std::vector<Done> waiting{};
  };

  [[nodiscard]] bool MayAskAboutStranger(Mono now);
  [[nodiscard]] Flight* FlightOf(const std::string& key);
  void Send(Flight flight, std::string_view target, std::string body, Effects& effects);
  void Settle(const Flight& flight, Access access, Mono now);
  void OnFailed(const Flight& flight, const Response& response, Mono now, Effects& effects);

  RequestId next_id_{RequestId{1} << 62U};
  LruMap<std::string, Mono, std::hash<std::string>> allowed_{kRememberedMax};  // when it was said
  LruMap<std::string, Refusal, std::hash<std::string>> refused_{kRememberedMax};
  TokenBucket strangers_{kStrangersPerSecond, kStrangersBurst};
  std::unordered_map<RequestId, Flight> flights_;
  Mono say_again_{};
};

}  // namespace jobrun
