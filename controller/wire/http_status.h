// The answers of the API server that mean something here.
#pragma once

namespace jobrun {

inline constexpr int kHttpOk = 200;
inline constexpr int kHttpCreated = 201;
inline constexpr int kHttpAccepted = 202;
inline constexpr int kHttpBadRequest = 400;
inline constexpr int kHttpUnauthorized = 401;
inline constexpr int kHttpForbidden = 403;
inline constexpr int kHttpNotFound = 404;
inline constexpr int kHttpConflict = 409;
inline constexpr int kHttpGone = 410;
inline constexpr int kHttpUnprocessable = 422;
inline constexpr int kHttpTooManyRequests = 429;
inline constexpr int kHttpServerError = 500;  // and above

}  // namespace jobrun
