// A server's connection as a stream for Asio and Beast, with TLS or without. Only http_session.cc
// and http_server.cc include it.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <optional>
#include <utility>

namespace jobrun {

// Deadlines are set on the socket below. One operation at a time.
class HttpStream {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;

  explicit HttpStream(boost::asio::ip::tcp::socket socket) : plain_(std::move(socket)) {}

  executor_type get_executor() { return plain_.get_executor(); }
  boost::beast::tcp_stream& Socket() { return plain_; }
  [[nodiscard]] bool HasTls() const { return tls_.has_value(); }

  // `already_read`: what the client has sent so far; it must live until the end.
  template <class Handler>
  void Handshake(SSL_CTX* context, boost::asio::const_buffer already_read, Handler&& handler) {
    SSL_CTX_up_ref(context);
    boost::asio::ssl::context borrowed(context);
    tls_.emplace(plain_, borrowed);
    tls_->async_handshake(boost::asio::ssl::stream_base::server, already_read,
                          std::forward<Handler>(handler));
  }
  // Says goodbye in TLS and waits for the client to do so.
  template <class Handler>
  void ShutDown(Handler&& handler) {
    tls_->async_shutdown(std::forward<Handler>(handler));
  }

  // What still comes is read as it comes.
  void DropTls() { tls_.reset(); }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    plain_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    plain_.async_write_some(buffers, std::forward<Handler>(handler));
  }

 private:
  boost::beast::tcp_stream plain_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_{};
};

}  // namespace jobrun
