// A small HTTP/1.1 server for probes and scrapes, with TLS or without, on a thread of its own. GET
// and HEAD only. It bounds what a client can cost: header size, no bodies, a total deadline per
// request, a number of connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controller/app/bind_address.h"
#include "controller/app/server_tls.h"
#include "controller/base/result.h"

namespace jobrun {

struct HttpQuery {
  std::string path{};         // as sent, not decoded
  std::string query{};        // what stands behind '?', as sent
  std::string bearer{};       // the token that the client shows; empty: none
  bool from_loopback{false};  // the client is on this machine (or in this pod)

  // "verbose", "verbose=1" among the parameters.
  [[nodiscard]] bool Has(std::string_view name) const;
  // The first parameter of this name, percent-decoded; nothing: there is none, or it is malformed.
  [[nodiscard]] std::optional<std::string> Get(std::string_view name) const;
};

struct ServerReply {
  int status{200};
  std::string content_type{"text/plain; charset=utf-8"};
  std::string body{};
};

// Takes a function that makes the reply; that one is called on the server's thread. Callable from
// any thread and also after the server is gone; only the first call counts.
using ServerReplier = std::function<void(std::function<ServerReply()>)>;
// Called on the server's thread; must not block. Without an answer in time the client gets a 503.
using HttpHandler = std::function<void(const HttpQuery&, ServerReplier)>;
using HttpRoutes = std::map<std::string, HttpHandler>;

struct HttpLimits {
  std::size_t header_bytes_max{
      8192};  // request line included; kubelet and Prometheus send a few hundred
  std::size_t connections_max{64};  // one more, and the oldest that waits for its client is cut
  std::chrono::milliseconds request_deadline{
      10'000};  // first byte of a request to the last of its header; with TLS also to shake hands
  std::chrono::milliseconds reply_deadline{2'000};   // for the handler
  std::chrono::milliseconds write_deadline{10'000};  // for the client to take the reply
  std::chrono::milliseconds idle_deadline{
      120'000};  // between requests; twice the longest usual scrape
};

// What is served, and how.
struct HttpService {
  HttpRoutes routes{};
  HttpLimits limits{};
  std::unique_ptr<ServerTls> tls{};  // null: plain HTTP
};

class HttpServer {
 public:
  // Listens before it returns. Errors say why it can't (kInvalid), e.g. that the address is taken.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> Start(const BindAddress& address,
                                                                 HttpService service);
  // Cuts all connections and joins the thread.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Where it listens: "[::]:8080", with the port that port 0 became.
  [[nodiscard]] std::string Address() const;
  [[nodiscard]] std::uint16_t Port() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobrun
