// Asking the API server who the holder of a token is and what he may do: TokenReview of
// authentication.k8s.io/v1 and SubjectAccessReview of authorization.k8s.io/v1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace jobrun {

inline constexpr std::string_view kTokenReviewTarget =
    "/apis/authentication.k8s.io/v1/tokenreviews";
inline constexpr std::string_view kAccessReviewTarget =
    "/apis/authorization.k8s.io/v1/subjectaccessreviews";

// As the API server knows him. The last two are JSON, as they came; empty: there are none.
struct ReviewedUser {
  std::string name{};
  std::string uid{};
  std::string groups_json{};
  std::string extra_json{};
};

// What somebody wants to read: a path that is no resource, or a JobRun.
struct WantedAccess {
  std::string path{};  // empty: the run
  std::string name_space{};
  std::string name{};
  bool operator==(const WantedAccess&) const = default;
};

// The body of the POST to kTokenReviewTarget, and its answer's content: nothing for a token that
// the API server does not take. kInvalid: it is no TokenReview.
[[nodiscard]] std::string WriteTokenReview(std::string_view token);
[[nodiscard]] Result<std::optional<ReviewedUser>> ReadTokenReview(std::string_view json_text);

// The body of the POST to kAccessReviewTarget, and its answer's content: whether it is allowed.
[[nodiscard]] std::string WriteAccessReview(const ReviewedUser& user, const WantedAccess& wanted);
[[nodiscard]] Result<bool> ReadAccessReview(std::string_view json_text);

}  // namespace jobrun
