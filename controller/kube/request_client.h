// What the two clients have in common, so that a RequestClass can be carried by either.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "controller/wire/exchange.h"

namespace jobrun {

struct RequestClientOptions {
  std::size_t concurrency{32};  // requests under way; further ones wait
  std::size_t body_bytes_max{std::size_t{64} << 20U};
  std::string user_agent{};
};

// Most requests that wait for their turn. The engine keeps a few dozen under way; a thousand
// waiting means that nobody counts, and more would only time out one after the other.
inline constexpr std::size_t kWaitingRequestsMax = 4096;

// Belongs to the loop's thread.
class RequestClient {
 public:
  // Called once for every Send, on the loop's thread and never from within Send.
  using Answer = std::function<void(Response)>;

  virtual ~RequestClient() = default;
  // `request.target` holds no spaces and no control characters. The answer comes within the
  // deadline plus scheduling. A 401 is sent again once when the credentials have changed meanwhile.
  virtual void Send(Request request) = 0;
};

[[nodiscard]] const char* MethodName(Method method);
// "no answer from https://… within 10 s".
[[nodiscard]] std::string TooLateText(const std::string& url, Nanos deadline);

}  // namespace jobrun
