// One connection of the dev server: reads requests, asks the model, streams watches. Included by
// http_host.cc only: it is all templates of Asio and Beast, which take long to compile.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "controller/base/rfc3339.h"
#include "tests/devserver/http_host.h"

namespace jobrun::http_session {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using api_model::BadRequest;
using api_model::Drained;
using api_model::EntityTooLarge;
using api_model::RefusalReply;
using api_model::Reply;
using api_model::Request;
using api_model::Revision;
using api_model::SubscriptionId;
using api_model::Unauthorized;

constexpr std::chrono::seconds kHandshakeMax{10};
constexpr std::chrono::seconds kRequestMax{60};  // from its first byte to its last
constexpr std::chrono::minutes kIdleMax{5};      // between requests
constexpr std::chrono::seconds kWriteMax{60};

// What the sessions share. Owned by the host's Impl.
struct Shared {
  api_model::ApiModel& model;
  HttpHostOptions options;
  std::set<std::function<void()>*> waiting{};  // watches with nothing to send
  std::size_t connections = 0;

  // Called after every request that may have changed something.
  void WakeWatches() {
    const auto woken = std::exchange(waiting, {});
    for (auto* wake : woken) (*wake)();
  }
};

inline bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

inline bool VerifiedPeer(PlainStream&) { return false; }
inline bool VerifiedPeer(TlsStream& stream) {
  SSL* ssl = stream.native_handle();
  X509* certificate = SSL_get1_peer_certificate(ssl);
  if (certificate == nullptr) return false;
  X509_free(certificate);
  return SSL_get_verify_result(ssl) == X509_V_OK;
}

// One connection. Keeps itself alive through the handlers that are pending.
template <class Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(Shared& shared, Stream stream)
      : shared_(shared), stream_(std::move(stream)), timer_(Executor()) {
    ++shared_.connections;
    wake_ = [this] { Post(); };
  }
  ~Session() {
    EndWatch();
    --shared_.connections;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      beast::get_lowest_layer(stream_).expires_after(kHandshakeMax);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (!error) self->ReadHeader();
                              });
    } else {
      ReadHeader();
    }
  }

 private:
  auto Executor() { return beast::get_lowest_layer(stream_).get_executor(); }

  void ReadHeader() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(kBodyBytesRead);
    beast::get_lowest_layer(stream_).expires_after(kIdleMax);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, std::size_t) {
                              self->OnHeader(error);
                            });
  }

  void OnHeader(error_code error) {
    if (error) return Refuse(error);
    beast::get_lowest_layer(stream_).expires_after(kRequestMax);
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
      auto text = std::make_shared<std::string>("HTTP/1.1 100 Continue\r\n\r\n");
      asio::async_write(stream_, asio::buffer(*text),
                        [self = this->shared_from_this(), text](error_code failed, std::size_t) {
                          if (!failed) self->ReadBody();
                        });
      return;
    }
    ReadBody();
  }

  void ReadBody() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](error_code error, std::size_t) {
                       if (error) return self->Refuse(error);
                       self->Serve();
                     });
  }

  // What can't be parsed gets an answer if it can still be sent, and the connection ends.
  void Refuse(error_code error) {
    if (error == http::error::end_of_stream) return Shutdown();
    keep_alive_ = false;
    if (error == http::error::body_limit) {
      return Send(RefusalReply(EntityTooLarge("limit is " + std::to_string(kBodyBytesMax))), false);
    }
    if (error.category() != make_error_code(http::error::bad_method).category()) return;
    Reply reply = RefusalReply(BadRequest(error.message()));
    if (error == http::error::header_limit) reply.status = 431;
    Send(std::move(reply), false);
  }

  bool Authorized() {
    if (shared_.options.pki == nullptr || VerifiedPeer(stream_)) return true;
    const auto header = parser_->get()[http::field::authorization];
    constexpr std::string_view kBearer = "Bearer ";
    const std::string_view text(header.data(), header.size());
    return text.starts_with(kBearer) &&
           SameSecret(text.substr(kBearer.size()), shared_.options.token);
  }

  std::string Header(http::field name) {
    const auto value = parser_->get()[name];
    return {value.data(), value.size()};
  }

  void Serve() {
    auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    request.accept = Header(http::field::accept);
    request.content_type = Header(http::field::content_type);
    request.user_agent = Header(http::field::user_agent);
    request.body = std::move(message.body());
    const ServerTime now = shared_.options.clock();
    const bool open = request.target.starts_with("/healthz") ||
                      request.target.starts_with("/livez") || request.target.starts_with("/readyz");
    if (!open && !Authorized()) return Send(RefusalReply(Unauthorized()), request.method == "HEAD");
    if (request.body.size() > kBodyBytesMax) {
      return Send(RefusalReply(EntityTooLarge("limit is " + std::to_string(kBodyBytesMax))), false);
    }
    const Revision before = shared_.model.revision();
    Reply reply = shared_.model.Handle(request, now);
    if (shared_.model.revision() != before) shared_.WakeWatches();
    if (reply.watch) return StartWatch(std::move(reply));
    Send(std::move(reply), request.method == "HEAD");
  }

  template <class Message>
  void SetHeaders(Message& message, const Reply& reply) {
    message.set(http::field::date, FormatHttpDate(shared_.options.clock()));
    message.set(http::field::content_type, reply.content_type);
    message.set(http::field::cache_control, "no-cache, private");
    for (const std::string& warning : reply.warnings) message.insert(http::field::warning, warning);
    if (reply.retry_after_seconds > 0) {
      message.set(http::field::retry_after, std::to_string(reply.retry_after_seconds));
    }
    if (reply.status == 401)
      message.set(http::field::www_authenticate, "Bearer realm=\"jobrun-devserver\"");
  }

  void Send(Reply reply, bool headers_only) {
    auto message = std::make_shared<http::response<http::string_body>>();
    message->version(11);
    message->result(static_cast<unsigned>(reply.status));
    SetHeaders(*message, reply);
    message->keep_alive(keep_alive_);
    message->content_length(reply.body.size());
    if (!headers_only) message->body() = std::move(reply.body);
    beast::get_lowest_layer(stream_).expires_after(kWriteMax);
    http::async_write(stream_, *message,
                      [self = this->shared_from_this(), message](error_code error, std::size_t) {
                        if (error) return;
                        if (!self->keep_alive_) return self->Shutdown();
                        self->ReadHeader();
                      });
  }

  void Shutdown() {
    error_code ignored;
    beast::get_lowest_layer(stream_).socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  void StartWatch(Reply reply) {
    watch_ = reply.watch;
    auto message = std::make_shared<http::response<http::empty_body>>();
    message->version(11);
    message->result(http::status::ok);
    SetHeaders(*message, reply);
    message->keep_alive(false);  // the connection is closed with the watch
    message->chunked(true);
    auto serializer = std::make_shared<http::response_serializer<http::empty_body>>(*message);
    beast::get_lowest_layer(stream_).expires_after(kWriteMax);
    http::async_write_header(
        stream_, *serializer,
        [self = this->shared_from_this(), message, serializer](error_code error, std::size_t) {
          if (error) return;
          // The read below waits as long as the watch lasts.
          beast::get_lowest_layer(self->stream_).expires_never();
          self->WaitForClose();
          self->Pump();
        });
  }

  // A client that goes away ends its watch; one that sends more before the end breaks the protocol.
  void WaitForClose() {
    stream_.async_read_some(asio::buffer(&scratch_, 1),
                            [self = this->shared_from_this()](error_code, std::size_t) {
                              self->EndWatch();
                              self->CloseSocket();
                            });
  }

  void CloseSocket() {
    timer_.cancel();
    error_code ignored;
    beast::get_lowest_layer(stream_).socket().close(ignored);
  }

  void EndWatch() {
    shared_.waiting.erase(&wake_);
    if (watch_) shared_.model.Close(*watch_);
    watch_.reset();
  }

  // Sends what the watch has; with nothing to send, waits for a change or a timer.
  void Pump() {
    if (!watch_ || writing_) return;
    Drained drained = shared_.model.Drain(*watch_, shared_.options.clock());
    if (!drained.bytes.empty() || drained.closed) return WriteChunk(std::move(drained));
    shared_.waiting.insert(&wake_);
    const auto due = shared_.model.NextTimer(*watch_);
    if (!due) return;
    // A little late rather than early: the clocks of timer and model differ.
    timer_.expires_after(*due - shared_.options.clock() + std::chrono::milliseconds(1));
    timer_.async_wait([self = this->shared_from_this()](error_code error) {
      if (!error) self->Pump();
    });
  }

  void Post() {
    asio::post(Executor(), [self = this->shared_from_this()] { self->Pump(); });
  }

  void WriteChunk(Drained drained) {
    writing_ = true;
    auto bytes = std::make_shared<std::string>(std::move(drained.bytes));
    const bool closed = drained.closed;
    beast::get_lowest_layer(stream_).expires_after(kWriteMax);
    const auto done = [self = this->shared_from_this(), bytes, closed](error_code error,
                                                                       std::size_t) {
      self->writing_ = false;
      if (error) return self->EndWatch();
      beast::get_lowest_layer(self->stream_).expires_never();
      if (closed) return self->FinishWatch();
      self->Pump();
    };
    if (bytes->empty()) {
      asio::post(Executor(), [done] { done({}, 0); });
    } else {
      asio::async_write(stream_, http::make_chunk(asio::buffer(*bytes)), done);
    }
  }

  void FinishWatch() {
    EndWatch();
    asio::async_write(
        stream_, http::make_chunk_last(),
        [self = this->shared_from_this()](error_code, std::size_t) { self->CloseSocket(); });
  }

  Shared& shared_;
  Stream stream_;
  beast::flat_buffer buffer_{};
  std::optional<http::request_parser<http::string_body>> parser_{};
  bool keep_alive_ = false;
  asio::steady_timer timer_;
  std::optional<SubscriptionId> watch_{};
  std::function<void()> wake_{};
  bool writing_ = false;
  char scratch_ = 0;
};

}  // namespace jobrun::http_session
