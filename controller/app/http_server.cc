#include "controller/app/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <list>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>  // Asio 1.74 on C++20 forgets it

#include "controller/base/real_clock.h"
#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// How much of what a refused client still sends is read away before the connection is closed, so
// that it gets to see the refusal, and for how long.
constexpr std::size_t kLingerBytesMax = std::size_t{64} * 1024;
constexpr std::chrono::seconds kLingerDeadline{2};
constexpr std::size_t kReadBytes = 2048;
constexpr int kBacklog = 128;
// After accept() failed for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

ServerReply Plain(int status, std::string body) {
  return {.status = status, .body = std::move(body) + '\n'};
}

// "/metrics?a=b" and "http://host/metrics?a=b" as path and query.
HttpQuery ParseTarget(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {
    const std::size_t slash = target.find('/', kScheme.size());
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  const std::size_t mark = target.find('?');
  HttpQuery query{.path = std::string(target.substr(0, mark))};
  if (mark != std::string_view::npos) query.query = target.substr(mark + 1);
  return query;
}

// Where the server posts to while it lives: what outlives it asks here first.
bool IsFromLoopback(const tcp::socket& socket) {
  error_code error;
  const asio::ip::address client = socket.remote_endpoint(error).address();
  if (error) return false;
  if (client.is_v6() && client.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, client.to_v6()).is_loopback();
  }
  return client.is_loopback();
}

struct Mailbox {
  std::mutex mutex{};
  asio::io_context* io{nullptr};
};

}  // namespace

struct HttpServer::Impl {
  class Session;

  Impl(HttpRoutes with_routes, HttpLimits with_limits)
      : routes(std::move(with_routes)), limits(with_limits) {
    mailbox->io = &io;
  }

  error_code Listen(const tcp::endpoint& endpoint);
  error_code Bind(const BindAddress& address);
  void Accept();
  void MakeRoom();

  HttpRoutes routes;
  HttpLimits limits;
  std::shared_ptr<Mailbox> mailbox{std::make_shared<Mailbox>()};
  // Those that have waited longest for their client stand first. Sessions put themselves in and
  // out; they are owned by their pending handlers, so this stands before the io_context, which
  // destroys those.
  std::list<Session*> sessions{};
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer accept_pause{io};
  std::thread thread{};
};

// One connection. Exactly one operation of it is pending at any time; its handler owns the session.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl& server, tcp::socket socket)
      : server_(server), stream_(std::move(socket)), reply_timer_(server.io) {
    place_ = server_.sessions.insert(server_.sessions.end(), this);
  }
  ~Session() { Leave(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start() { AwaitRequest(server_.limits.request_deadline); }
  [[nodiscard]] bool WaitsForClient() const { return waits_for_client_; }
  void Cut() {
    Leave();
    stream_.close();
  }

 private:
  void Leave() {
    if (in_list_) server_.sessions.erase(place_);
    in_list_ = false;
  }
  void AwaitRequest(std::chrono::milliseconds deadline);
  void ReadHeader();
  void OnHeader(const error_code& error);
  void Dispatch(const http::request<http::empty_body>& request);
  void Finish(std::uint64_t number, const ServerReply& reply);
  void Refuse(const ServerReply& reply) {
    keep_alive_ = false;
    Write(reply);
  }
  void Write(const ServerReply& reply);
  void OnWritten();
  void Linger(std::size_t budget);

  Impl& server_;
  beast::tcp_stream stream_;
  asio::steady_timer reply_timer_;
  beast::flat_buffer buffer_{};
  std::optional<http::request_parser<http::empty_body>> parser_{};
  std::string out_{};
  std::list<Session*>::iterator place_{};
  bool in_list_{true};
  bool waits_for_client_{true};
  bool keep_alive_{false};
  bool head_{false};
  unsigned version_{11};
  // Tells the answer to the request at hand from a late one to the request before.
  std::uint64_t request_number_{0};
};

void HttpServer::Impl::Session::AwaitRequest(std::chrono::milliseconds deadline) {
  waits_for_client_ = true;
  if (in_list_) {
    auto& all = server_.sessions;
    all.splice(all.end(), all, place_);
  }
  if (buffer_.size() > 0) return ReadHeader();
  stream_.expires_after(deadline);
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                            if (error) return;
                            self->buffer_.commit(bytes);
                            self->ReadHeader();
                          });
}

void HttpServer::Impl::Session::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(server_.limits.header_bytes_max));
  stream_.expires_after(server_.limits.request_deadline);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const error_code& error, std::size_t) { self->OnHeader(error); });
}

void HttpServer::Impl::Session::OnHeader(const error_code& error) {
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

void HttpServer::Impl::Session::Dispatch(const http::request<http::empty_body>& request) {
  const auto target = request.target();
  HttpQuery query = ParseTarget({target.data(), target.size()});
  query.from_loopback = IsFromLoopback(stream_.socket());
  const auto route = server_.routes.find(query.path);
  if (route == server_.routes.end()) return Write(Plain(404, "not found"));

  waits_for_client_ = false;
  const std::uint64_t number = ++request_number_;
  stream_.expires_never();
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

void HttpServer::Impl::Session::Finish(std::uint64_t number, const ServerReply& reply) {
  if (number != request_number_) return;
  ++request_number_;
  reply_timer_.cancel();
  Write(reply);
}

void HttpServer::Impl::Session::Write(const ServerReply& reply) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(reply.status));
  out_ = version_ == 10 ? "HTTP/1.0 " : "HTTP/1.1 ";
  out_ += std::to_string(reply.status) + ' ' + std::string(reason.data(), reason.size());
  out_ += "\r\nDate: " + FormatHttpDate(ReadWallClock());
  out_ += "\r\nContent-Type: " + reply.content_type;
  out_ += "\r\nContent-Length: " + std::to_string(reply.body.size());
  out_ += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff";
  if (reply.status == 405) out_ += "\r\nAllow: GET, HEAD";
  out_ += keep_alive_ ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  if (!head_) out_ += reply.body;

  waits_for_client_ = true;
  stream_.expires_after(server_.limits.write_deadline);
  asio::async_write(stream_, asio::buffer(out_),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      if (!error) self->OnWritten();
                    });
}

void HttpServer::Impl::Session::OnWritten() {
  if (keep_alive_) return AwaitRequest(server_.limits.idle_deadline);
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLingerDeadline);
  Linger(kLingerBytesMax);
}

// Closing while there is something unread resets the connection, and the client may lose the reply.
void HttpServer::Impl::Session::Linger(std::size_t budget) {
  buffer_.clear();
  stream_.async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this(), budget](const error_code& error, std::size_t bytes) {
        if (!error && bytes < budget) self->Linger(budget - bytes);
      });
}

error_code HttpServer::Impl::Listen(const tcp::endpoint& endpoint) {
  error_code error;
  error_code ignored;
  acceptor.close(ignored);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
    acceptor.set_option(asio::ip::v6_only(false), error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  return error;
}

error_code HttpServer::Impl::Bind(const BindAddress& address) {
  if (address.host.empty()) {
    const error_code error = Listen({asio::ip::address_v6::any(), address.port});
    const bool no_ipv6 = error == asio::error::address_family_not_supported ||
                         error == boost::system::errc::address_not_available;
    return no_ipv6 ? Listen({asio::ip::address_v4::any(), address.port}) : error;
  }
  error_code error;
  const asio::ip::address literal = asio::ip::make_address(address.host, error);
  if (!error) return Listen({literal, address.port});

  tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port), error);
  for (const auto& entry : found) {
    error = Listen(entry.endpoint());
    if (!error) break;
  }
  return error;
}

void HttpServer::Impl::Accept() {
  acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {
      accept_pause.expires_after(kAcceptPause);
      accept_pause.async_wait([this](const error_code& stopped) {
        if (!stopped) Accept();
      });
      return;
    }
    MakeRoom();
    if (sessions.size() < limits.connections_max) {
      std::make_shared<Session>(*this, std::move(socket))->Start();
    }
    Accept();
  });
}

// Idle and slow clients must not keep the probes out.
void HttpServer::Impl::MakeRoom() {
  if (sessions.size() < limits.connections_max) return;
  for (Session* session : sessions) {
    if (session->WaitsForClient()) return session->Cut();
  }
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const BindAddress& address, HttpRoutes routes,
                                                      HttpLimits limits) {
  auto impl = std::make_unique<Impl>(std::move(routes), limits);
  if (const error_code error = impl->Bind(address)) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return Error{Code::kInvalid,
                 "listen on " + (v6 ? '[' + address.host + ']' : address.host) + ':' +
                     std::to_string(address.port),
                 error.message()};
  }
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(impl)));
  Impl& running = *server->impl_;
  running.Accept();
  running.thread = std::thread([&running] { running.io.run(); });
  return server;
}

HttpServer::~HttpServer() {
  {
    const std::lock_guard lock(impl_->mailbox->mutex);
    impl_->mailbox->io = nullptr;
  }
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::string HttpServer::Address() const {
  std::ostringstream text;
  text << impl_->acceptor.local_endpoint();
  return text.str();
}

std::uint16_t HttpServer::Port() const { return impl_->acceptor.local_endpoint().port(); }

}  // namespace jobrun
