#include "controller/app/access_reviews.h"

#include <algorithm>
#include <utility>

#include "controller/engine/answers.h"
#include "controller/wire/http_status.h"

namespace jobrun {
namespace {

// Neither names nor paths have a line break; a token with one is none.
std::string KeyOf(std::string_view token, const WantedAccess& wanted) {
  std::string key(token);
  return key.append("\n")
      .append(wanted.path)
      .append("\n")
      .append(wanted.name_space)
      .append("\n")
      .append(wanted.name);
}

bool IsDone(int status) { return status == kHttpOk || status == kHttpCreated; }

}  // namespace

bool AccessReviews::MayAskAboutStranger(Mono now) {
  const auto asked =
      std::ranges::count_if(flights_, [](const auto& flight) { return flight.second.of_stranger; });
  return static_cast<std::size_t>(asked) < kStrangersMax && strangers_.Take(now);
}

AccessReviews::Flight* AccessReviews::FlightOf(const std::string& key) {
  const auto found = std::ranges::find_if(
      flights_, [&key](const auto& flight) { return flight.second.key == key; });
  return found == flights_.end() ? nullptr : &found->second;
}

void AccessReviews::Ask(std::string_view token, const WantedAccess& wanted, Mono now, Done done,
                        Effects& effects) {
  if (token.empty() || token.find('\n') != std::string_view::npos) {
    return done(Access::kUnauthenticated);
  }
  Flight flight{.key = KeyOf(token, wanted), .wanted = wanted};
  Flight* const same = FlightOf(flight.key);
  const Mono* const allowed = allowed_.Use(flight.key);
  const Refusal* const refusal = refused_.Use(flight.key);
  if (refusal != nullptr && now - refusal->at < kForbiddenFor) return done(refusal->access);
  if (allowed != nullptr && now - *allowed < kAllowedMeanwhile) {
    done(Access::kAllowed);
    if (same != nullptr || now - *allowed < kAllowedFor) return;
    flight.of_stranger = false;
  } else if (same != nullptr) {
    return same->waiting.push_back(std::move(done));
  } else if (!MayAskAboutStranger(now)) {
    return done(Access::kUnknown);
  } else {
    flight.waiting.push_back(std::move(done));
  }
  Send(std::move(flight), kTokenReviewTarget, WriteTokenReview(token), effects);
}

void AccessReviews::Send(Flight flight, std::string_view target, std::string body,
                         Effects& effects) {
  Request request{.id = next_id_++,
                  .klass = RequestClass::kControl,
                  .method = Method::kPost,
                  .target = std::string(target),
                  .content_type = "application/json",
                  .body = std::move(body),
                  .deadline = kDeadline};
  flights_.emplace(request.id, std::move(flight));
  effects.emplace_back(std::move(request));
}

void AccessReviews::OnResponse(const Response& response, Mono now, Effects& effects) {
  const auto found = flights_.find(response.id);
  if (found == flights_.end()) return;
  Flight flight = std::move(found->second);
  flights_.erase(found);
  if (!IsDone(response.status)) return OnFailed(flight, response, now, effects);
  if (flight.user_known) {
    const Result<bool> allowed = ReadAccessReview(response.body);
    if (!allowed) return OnFailed(flight, response, now, effects);
    return Settle(flight, *allowed ? Access::kAllowed : Access::kForbidden, now);
  }
  const auto user = ReadTokenReview(response.body);
  if (!user) return OnFailed(flight, response, now, effects);
  if (!*user) return Settle(flight, Access::kUnauthenticated, now);
  flight.user_known = true;
  std::string body = WriteAccessReview(**user, flight.wanted);
  Send(std::move(flight), kAccessReviewTarget, std::move(body), effects);
}

void AccessReviews::Settle(const Flight& flight, Access access, Mono now) {
  allowed_.Erase(flight.key);
  refused_.Erase(flight.key);
  if (access == Access::kAllowed) {
    allowed_.Add(flight.key, now);
  } else {
    refused_.Add(flight.key, {access, now});
  }
  for (const Done& done : flight.waiting) done(access);
}

void AccessReviews::OnFailed(const Flight& flight, const Response& response, Mono now,
                             Effects& effects) {
  for (const Done& done : flight.waiting) done(Access::kUnknown);
  if (now < say_again_) return;
  say_again_ = now + kSayAgain;
  const bool lacks_right = response.status == kHttpForbidden;
  effects.emplace_back(
      LogLine{LogLevel::kError,
              lacks_right ? "the API server can't be asked who may read metrics: the controller "
                            "needs create on tokenreviews.authentication.k8s.io and "
                            "subjectaccessreviews.authorization.k8s.io"
                          : "the API server can't be asked who may read metrics",
              {{"status", std::to_string(response.status)}, {"error", WordsOf(response)}}});
}

}  // namespace jobrun
