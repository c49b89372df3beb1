#include "controller/kube/http_reply.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/src.hpp>  // here and nowhere else: BOOST_BEAST_SEPARATE_COMPILATION
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct HttpReply::Impl {
  explicit Impl(std::size_t limit) : body_bytes_max(limit) {}

  void Begin() {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(kReplyHeadBytesMax));
    parser->body_limit(body_bytes_max);
    // Never straight on into the body: Beast 1.74 then forgets that it is too long.
    parser->eager(false);
  }
  State Parse();
  State Bad(const boost::beast::error_code& why);
  [[nodiscard]] std::string_view Field(http::field field) const {
    return View(parser->get()[field]);
  }

  std::size_t body_bytes_max;
  std::optional<Parser> parser{};
  bool stop_at_head{false};
  std::vector<char> buffer{};
  std::size_t begin{0};
  std::size_t end{0};
  bool untouched{true};
  bool too_large{false};
  std::string error{};
};

HttpReply::HttpReply(std::size_t body_bytes_max) : impl_(std::make_unique<Impl>(body_bytes_max)) {
  Reset(false);
}
HttpReply::~HttpReply() = default;
HttpReply::HttpReply(HttpReply&&) noexcept = default;
HttpReply& HttpReply::operator=(HttpReply&&) noexcept = default;

void HttpReply::Reset(bool stop_at_head) {
  impl_->stop_at_head = stop_at_head;
  impl_->begin = impl_->end = 0;
  impl_->untouched = true;
  impl_->too_large = false;
  impl_->error.clear();
  impl_->Begin();
}

char* HttpReply::Prepare(std::size_t bytes) {
  Impl& self = *impl_;
  if (self.begin > 0) {
    std::memmove(self.buffer.data(), self.buffer.data() + self.begin, self.end - self.begin);
    self.end -= self.begin;
    self.begin = 0;
  }
  if (self.buffer.size() < self.end + bytes) self.buffer.resize(self.end + bytes);
  return self.buffer.data() + self.end;
}

HttpReply::State HttpReply::Commit(std::size_t bytes) {
  impl_->end += bytes;
  if (bytes > 0) impl_->untouched = false;
  return impl_->Parse();
}

HttpReply::State HttpReply::Continue() {
  impl_->stop_at_head = false;
  return impl_->Parse();
}

HttpReply::State HttpReply::Impl::Bad(const boost::beast::error_code& why) {
  too_large = why == http::error::body_limit;
  if (too_large) {
    error = TooLargeText(body_bytes_max);
  } else {
    error = "the answer is not HTTP/1.1 as expected: " + why.message();
  }
  return State::kBad;
}

HttpReply::State HttpReply::Impl::Parse() {
  for (;;) {
    if (parser->is_done()) {
      const unsigned status = parser->get().result_int();
      if (status >= 200 || status == 101) return State::kWhole;
      Begin();
    } else if (parser->is_header_done()) {
      if (stop_at_head) return State::kHead;
      parser->eager(true);
    }
    if (begin == end) return State::kMore;
    boost::beast::error_code why;
    begin += parser->put(boost::asio::buffer(buffer.data() + begin, end - begin), why);
    if (why == http::error::need_more) return State::kMore;
    if (why) return Bad(why);
  }
}

HttpReply::State HttpReply::End() {
  Impl& self = *impl_;
  boost::beast::error_code why;
  if (self.untouched || !self.parser->got_some()) {
    self.error = "the connection was closed before an answer came";
    return State::kBad;
  }
  self.parser->put_eof(why);
  if (!why && self.parser->is_done()) return State::kWhole;
  self.error = "the connection was closed in the middle of the answer";
  return State::kBad;
}

int HttpReply::status() const { return static_cast<int>(impl_->parser->get().result_int()); }

std::optional<ServerTime> HttpReply::date() const {
  return ParseHttpDate(impl_->Field(http::field::date));
}

std::optional<std::chrono::seconds> HttpReply::retry_after() const {
  return ParseRetryAfter(impl_->Field(http::field::retry_after));
}

std::string_view HttpReply::content_encoding() const {
  return impl_->Field(http::field::content_encoding);
}

bool HttpReply::chunked() const { return impl_->parser->chunked(); }

std::optional<std::uint64_t> HttpReply::content_length() const {
  const auto length = impl_->parser->content_length();
  if (!length) return std::nullopt;
  return *length;
}

bool HttpReply::keep_alive() const { return impl_->parser->keep_alive(); }

std::string_view HttpReply::Rest() const {
  return {impl_->buffer.data() + impl_->begin, impl_->end - impl_->begin};
}

std::string HttpReply::TakeBody() { return std::move(impl_->parser->get().body()); }

const std::string& HttpReply::error() const { return impl_->error; }

bool HttpReply::too_large() const { return impl_->too_large; }

bool HttpReply::Untouched() const { return impl_->untouched; }

std::string TooLargeText(std::size_t bytes_max) {
  return "the answer is larger than " + std::to_string(bytes_max) + " bytes";
}

std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view text) {
  constexpr int kLongest = 3600;  // what asks for more is asked again after an hour
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc::result_out_of_range) return std::chrono::seconds(kLongest);
  if (error != std::errc{} || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(seconds < kLongest ? seconds : kLongest);
}

std::string FormatRequest(const HttpRequestHead& head, std::string_view body) {
  std::string text;
  text.reserve(256 + head.target.size() + head.authorization.size() + body.size());
  text.append(head.method).append(" ").append(head.target);
  text.append(" HTTP/1.1\r\nHost: ").append(head.authority);
  text.append("\r\nUser-Agent: ").append(head.user_agent);
  text.append("\r\nAccept: application/json\r\n");
  if (head.accepts_gzip) text.append("Accept-Encoding: gzip\r\n");
  if (!head.authorization.empty()) {
    text.append("Authorization: ").append(head.authorization).append("\r\n");
  }
  if (!head.proxy_authorization.empty()) {
    text.append("Proxy-Authorization: ").append(head.proxy_authorization).append("\r\n");
  }
  if (!head.content_type.empty()) {
    text.append("Content-Type: ").append(head.content_type).append("\r\n");
  }
  if (!head.content_type.empty() || !body.empty()) {
    text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  text.append("\r\n").append(body);
  return text;
}

}  // namespace jobrun
