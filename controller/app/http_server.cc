#include "controller/app/http_server.h"

#include <boost/asio/ip/v6_only.hpp>
#include <sstream>
#include <thread>
#include <utility>  // Asio 1.74 on C++20 forgets it

#include "controller/app/http_session.h"
#include "controller/app/server_tls.h"

namespace jobrun {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 128;
// After accept() failed for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

struct HttpServer::Impl {
  explicit Impl(HttpService service)
      : sessions{.routes = std::move(service.routes),
                 .limits = service.limits,
                 .tls = std::move(service.tls)} {
    sessions.mailbox->io = &sessions.io;
  }

  error_code Listen(const tcp::endpoint& endpoint);
  error_code Bind(const BindAddress& address);
  void Accept();
  void MakeRoom();

  HttpSessions sessions;
  tcp::acceptor acceptor{sessions.io};
  asio::steady_timer accept_pause{sessions.io};
  std::thread thread{};
};

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

  tcp::resolver resolver(sessions.io);
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
    if (sessions.all.size() < sessions.limits.connections_max) {
      std::make_shared<HttpSession>(sessions, std::move(socket))->Start();
    }
    Accept();
  });
}

// Idle and slow clients must not keep the probes out.
void HttpServer::Impl::MakeRoom() {
  if (sessions.all.size() < sessions.limits.connections_max) return;
  for (HttpSession* session : sessions.all) {
    if (session->WaitsForClient()) return session->Cut();
  }
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const BindAddress& address,
                                                      HttpService service) {
  auto impl = std::make_unique<Impl>(std::move(service));
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
  running.thread = std::thread([&running] { running.sessions.io.run(); });
  return server;
}

HttpServer::~HttpServer() {
  {
    const std::lock_guard lock(impl_->sessions.mailbox->mutex);
    impl_->sessions.mailbox->io = nullptr;
  }
  impl_->sessions.io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::string HttpServer::Address() const {
  std::ostringstream text;
  text << impl_->acceptor.local_endpoint();
  return text.str();
}

std::uint16_t HttpServer::Port() const { return impl_->acceptor.local_endpoint().port(); }

}  // namespace jobrun
