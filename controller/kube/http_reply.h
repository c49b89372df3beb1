// The answer to one HTTP/1.1 request, parsed from bytes as they come (Beast's parser behind a plain
// face).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/time.h"

namespace jobrun {

// Longest status line and headers together; an API server sends about 500 bytes.
inline constexpr std::size_t kReplyHeadBytesMax = std::size_t{32} * 1024;

// Not thread-safe. Interim answers (1xx) are passed over. To reuse it for another request: Reset.
class HttpReply {
 public:
  explicit HttpReply(std::size_t body_bytes_max);
  ~HttpReply();
  HttpReply(HttpReply&&) noexcept;
  HttpReply& operator=(HttpReply&&) noexcept;

  // Forgets all but the memory. With `stop_at_head` Parse stops at kHead and leaves the body in
  // Rest().
  void Reset(bool stop_at_head);

  // Room for `bytes` more; read into it, then Commit what was read.
  [[nodiscard]] char* Prepare(std::size_t bytes);
  enum class State : std::uint8_t { kMore, kHead, kWhole, kBad };
  [[nodiscard]] State Commit(std::size_t bytes);
  // The connection ended: kWhole where that is how the body ends, else kBad.
  [[nodiscard]] State End();
  // After kHead: go on, and parse the body too.
  [[nodiscard]] State Continue();

  // From kHead on.
  [[nodiscard]] int status() const;
  [[nodiscard]] std::optional<ServerTime> date() const;
  [[nodiscard]] std::optional<std::chrono::seconds> retry_after() const;
  [[nodiscard]] std::string_view content_encoding() const;
  [[nodiscard]] bool chunked() const;
  [[nodiscard]] std::optional<std::uint64_t> content_length() const;
  [[nodiscard]] bool keep_alive() const;
  // After kHead: what came behind the head. After kWhole: what should not be there.
  [[nodiscard]] std::string_view Rest() const;
  // After kWhole.
  [[nodiscard]] std::string TakeBody();
  // After kBad: what is wrong with it.
  [[nodiscard]] const std::string& error() const;
  [[nodiscard]] bool too_large() const;
  // No byte of the answer has come yet.
  [[nodiscard]] bool Untouched() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "the answer is larger than 1000 bytes".
[[nodiscard]] std::string TooLargeText(std::size_t bytes_max);

// `Retry-After` in seconds, at most an hour; nothing for its other form, a date.
[[nodiscard]] std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view text);

// A request as it goes over the wire. No part may hold a line end: kube/transport.cc sees to that.
struct HttpRequestHead {
  std::string_view method;
  std::string_view target;  // with the base path
  std::string_view authority;
  std::string_view user_agent;
  std::string_view authorization;  // empty: none
  std::string_view content_type;   // empty: none
  std::string_view proxy_authorization{};
  bool accepts_gzip{false};
};
[[nodiscard]] std::string FormatRequest(const HttpRequestHead& head, std::string_view body);

}  // namespace jobrun
