#include "controller/app/http_session.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <string_view>
#include <utility>  // Asio 1.74 on C++20 forgets it

#include "controller/app/server_tls.h"
#include "controller/base/real_clock.h"
#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// How much of what a refused client still sends is read away before the connection is closed, so
// that it gets to see the refusal, and for how long.
constexpr std::size_t kLingerBytesMax = std::size_t{64} * 1024;
constexpr std::chrono::seconds kLingerDeadline{2};
constexpr std::size_t kReadBytes = 2048;
// The first byte of a TLS client (RFC 8446, ContentType).
constexpr unsigned char kTlsHandshake = 22;

ServerReply Plain(int status, std::string body) {
  return {.status = status, .body = std::move(body) + '\n'};
}

// "/metrics?a=b" and "http://host/metrics?a=b" as path and query.
HttpQuery ParseTarget(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (scheme != std::string_view::npos && !target.starts_with('/')) {
    const std::size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  const std::size_t mark = target.find('?');
  HttpQuery query{.path = std::string(target.substr(0, mark))};
  if (mark != std::string_view::npos) query.query = target.substr(mark + 1);
  return query;
}

bool IsFromLoopback(const tcp::socket& socket) {
  error_code error;
  const asio::ip::address client = socket.remote_endpoint(error).address();
  if (error) return false;
  if (client.is_v6() && client.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, client.to_v6()).is_loopback();
  }
  return client.is_loopback();
}

// The token of "Authorization: Bearer TOKEN"; empty without one.
std::string_view BearerOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const auto same = [](char a, char b) { return (a | 0x20) == b; };
  if (authorization.size() < kScheme.size() ||
      !std::equal(kScheme.begin(), kScheme.end() - 1, authorization.begin(),
                  [&](char wanted, char found) { return same(found, wanted); }) ||
      authorization[kScheme.size() - 1] != ' ') {
    return {};
  }
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

}  // namespace

void HttpSession::Start() {
  if (!server_.tls) return AwaitRequest(server_.limits.request_deadline);
  // One deadline for all until the first request can be read.
  stream_.Socket().expires_after(server_.limits.request_deadline);
  stream_.Socket().async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this()](const error_code& error, std::size_t bytes) {
        if (!error) self->OnFirstBytes(bytes);
      });
}

void HttpSession::OnFirstBytes(std::size_t bytes) {
  buffer_.commit(bytes);
  if (*static_cast<const unsigned char*>(buffer_.data().data()) != kTlsHandshake) {
    return Refuse(Plain(400, "this is an HTTPS server, and the client speaks something else"));
  }
  stream_.Handshake(server_.tls->Context().get(), buffer_.data(),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      if (error) return;
                      self->buffer_.clear();
                      self->AwaitRequest(self->server_.limits.request_deadline);
                    });
}

void HttpSession::AwaitRequest(std::chrono::milliseconds deadline) {
  waits_for_client_ = true;
  if (in_list_) {
    auto& all = server_.all;
    all.splice(all.end(), all, place_);
  }
  if (buffer_.size() > 0) return ReadHeader();
  stream_.Socket().expires_after(deadline);
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                            if (error) return;
                            self->buffer_.commit(bytes);
                            self->ReadHeader();
                          });
}

void HttpSession::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(server_.limits.header_bytes_max));
  stream_.Socket().expires_after(server_.limits.request_deadline);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const error_code& error, std::size_t) { self->OnHeader(error); });
}

void HttpSession::OnHeader(const error_code& error) {
  head_ = false;
  version_ = 11;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Refuse(Plain(431, "the request header is too large"));
  }
  const bool malformed =
      error.category() == http::make_error_code(http::error::bad_method).category();
  if (malformed && error != http::error::end_of_stream && error != http::error::partial_message) {
    return Refuse(Plain(400, "this is no HTTP request: " + error.message()));
  }
  if (error) return;

  const auto& request = parser_->get();
  version_ = request.version();
  keep_alive_ = request.keep_alive();
  head_ = request.method() == http::verb::head;
  if (request.method() != http::verb::get && !head_) {
    return Refuse(Plain(405, "only GET and HEAD are answered"));
  }
  if (parser_->chunked() || parser_->content_length().value_or(0) > 0) {
    return Refuse(Plain(413, "requests have no body here"));
  }
  Dispatch(request);
}

void HttpSession::Dispatch(const Request& request) {
  const auto target = request.target();
  HttpQuery query = ParseTarget({target.data(), target.size()});
  query.from_loopback = IsFromLoopback(stream_.Socket().socket());
  const auto authorization = request[http::field::authorization];
  query.bearer = BearerOf({authorization.data(), authorization.size()});
  const auto route = server_.routes.find(query.path);
  if (route == server_.routes.end()) return Write(Plain(404, "not found"));

  waits_for_client_ = false;
  const std::uint64_t number = ++request_number_;
  stream_.Socket().expires_never();
  reply_timer_.expires_after(server_.limits.reply_deadline);
  reply_timer_.async_wait([self = shared_from_this(), number](const error_code& error) {
    if (!error) self->Finish(number, Plain(503, "no answer in time"));
  });
  route->second(query, [mailbox = server_.mailbox, weak = weak_from_this(),
                        number](std::function<ServerReply()> make) {
    const std::lock_guard lock(mailbox->mutex);
    if (mailbox->io == nullptr) return;
    asio::post(*mailbox->io, [weak, number, make = std::move(make)] {
      const auto self = weak.lock();
      if (self && self->request_number_ == number) self->Finish(number, make());
    });
  });
}

void HttpSession::Finish(std::uint64_t number, const ServerReply& reply) {
  if (number != request_number_) return;
  ++request_number_;
  reply_timer_.cancel();
  Write(reply);
}

void HttpSession::Write(const ServerReply& reply) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(reply.status));
  out_ = version_ == 10 ? "HTTP/1.0 " : "HTTP/1.1 ";
  out_ += std::to_string(reply.status) + ' ' + std::string(reason.data(), reason.size());
  out_ += "\r\nDate: " + FormatHttpDate(ReadWallClock());
  out_ += "\r\nContent-Type: " + reply.content_type;
  out_ += "\r\nContent-Length: " + std::to_string(reply.body.size());
  out_ += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff";
  if (reply.status == 405) out_ += "\r\nAllow: GET, HEAD";
  if (reply.status == 401) out_ += "\r\nWWW-Authenticate: Bearer";
  out_ += keep_alive_ ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  if (!head_) out_ += reply.body;

  waits_for_client_ = true;
  stream_.Socket().expires_after(server_.limits.write_deadline);
  asio::async_write(stream_, asio::buffer(out_),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      if (!error) self->OnWritten();
                    });
}

void HttpSession::OnWritten() {
  if (keep_alive_) return AwaitRequest(server_.limits.idle_deadline);
  if (stream_.HasTls()) {
    stream_.Socket().expires_after(kLingerDeadline);
    return stream_.ShutDown([self = shared_from_this()](const error_code&) { self->Close(); });
  }
  Close();
}

void HttpSession::Close() {
  stream_.DropTls();
  error_code ignored;
  stream_.Socket().socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.Socket().expires_after(kLingerDeadline);
  Linger(kLingerBytesMax);
}

// Closing while there is something unread resets the connection, and the client may lose the reply.
void HttpSession::Linger(std::size_t budget) {
  buffer_.clear();
  stream_.async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this(), budget](const error_code& error, std::size_t bytes) {
        if (!error && bytes < budget) self->Linger(budget - bytes);
      });
}

}  // namespace jobrun
