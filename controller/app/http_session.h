// One connection of an HttpServer. Only http_server.cc and http_session.cc include it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "controller/app/http_server.h"
#include "controller/app/http_stream.h"

namespace jobrun {

class HttpSession;

// Where the server posts to while it lives: what outlives it asks here first.
struct HttpMailbox {
  std::mutex mutex{};
  boost::asio::io_context* io{nullptr};
};

// What the sessions of a server share.
struct HttpSessions {
  HttpRoutes routes{};
  HttpLimits limits{};
  std::unique_ptr<ServerTls> tls{};  // null: plain HTTP
  std::shared_ptr<HttpMailbox> mailbox{std::make_shared<HttpMailbox>()};
  // Those that have waited longest for their client stand first. Sessions put themselves in and
  // out; they are owned by their pending handlers, so this stands before the io_context, which
  // destroys those.
  std::list<HttpSession*> all{};
  boost::asio::io_context io{1};
};

// One connection. Exactly one operation of it is pending at any time; its handler owns the session.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(HttpSessions& server, boost::asio::ip::tcp::socket socket)
      : server_(server), stream_(std::move(socket)), reply_timer_(server.io) {
    place_ = server_.all.insert(server_.all.end(), this);
  }
  ~HttpSession() { Leave(); }
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void Start();
  [[nodiscard]] bool WaitsForClient() const { return waits_for_client_; }
  void Cut() {
    Leave();
    stream_.Socket().close();
  }

 private:
  using Request = boost::beast::http::request<boost::beast::http::empty_body>;

  void Leave() {
    if (in_list_) server_.all.erase(place_);
    in_list_ = false;
  }
  void OnFirstBytes(std::size_t bytes);
  void AwaitRequest(std::chrono::milliseconds deadline);
  void ReadHeader();
  void OnHeader(const boost::system::error_code& error);
  void Dispatch(const Request& request);
  void Finish(std::uint64_t number, const ServerReply& reply);
  void Refuse(const ServerReply& reply) {
    keep_alive_ = false;
    Write(reply);
  }
  void Write(const ServerReply& reply);
  void OnWritten();
  void Close();
  void Linger(std::size_t budget);

  HttpSessions& server_;
  HttpStream stream_;
  boost::asio::steady_timer reply_timer_;
  boost::beast::flat_buffer buffer_{};
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_{};
  std::string out_{};
  std::list<HttpSession*>::iterator place_{};
  bool in_list_{true};
  bool waits_for_client_{true};
  bool keep_alive_{false};
  bool head_{false};
  unsigned version_{11};
  // Tells the answer to the request at hand from a late one to the request before.
  std::uint64_t request_number_{0};
};

}  // namespace jobrun
