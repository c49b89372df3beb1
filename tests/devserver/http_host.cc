#include "tests/devserver/http_host.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <utility>

#include "tests/devserver/http_session.h"

namespace jobrun {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using http_session::PlainStream;
using http_session::Session;
using http_session::Shared;
using http_session::TlsStream;
using tcp = asio::ip::tcp;

}  // namespace

class HttpHost::Impl {
 public:
  Impl(api_model::ApiModel& model, HttpHostOptions options) : shared_{model, std::move(options)} {}

  Outcome Open() {
    error_code error;
    const auto address = asio::ip::make_address(shared_.options.host, error);
    const tcp::endpoint endpoint(address, shared_.options.port);
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return Error{Code::kInvalid,
                   "listen on " + shared_.options.host + ":" + std::to_string(shared_.options.port),
                   error.message()};
    }
    if (shared_.options.pki != nullptr) return SetUpTls(*shared_.options.pki);
    return Ok();
  }

  std::string Address() const {
    const auto endpoint = acceptor_.local_endpoint();
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
           std::to_string(endpoint.port());
  }

  void Run() {
    signals_.async_wait([this](error_code error, int) {
      if (!error) io_.stop();
    });
    Accept();
    io_.run();
  }

  void Stop() {
    asio::post(io_, [this] { io_.stop(); });
  }

 private:
  Outcome SetUpTls(const Pki& pki) {
    try {
      tls_.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                       asio::ssl::context::no_tlsv1_1);
      tls_.use_certificate_chain(asio::buffer(pki.server_certificate));
      tls_.use_private_key(asio::buffer(pki.server_key), asio::ssl::context::pem);
      tls_.add_certificate_authority(asio::buffer(pki.ca_certificate));
      // A certificate is welcome but not needed; a wrong one is not an error of TLS but gets a 401.
      tls_.set_verify_mode(asio::ssl::verify_peer);
      tls_.set_verify_callback([](bool, asio::ssl::verify_context&) { return true; });
    } catch (const boost::system::system_error& error) {
      return Error{Code::kInternal, "set up TLS", error.what()};
    }
    return Ok();
  }

  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (!error && shared_.connections < kConnectionsMax) Begin(std::move(socket));
      if (error == asio::error::operation_aborted) return;
      Accept();
    });
  }

  void Begin(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    if (shared_.options.pki != nullptr) {
      std::make_shared<Session<TlsStream>>(shared_, TlsStream(std::move(socket), tls_))->Start();
    } else {
      std::make_shared<Session<PlainStream>>(shared_, PlainStream(std::move(socket)))->Start();
    }
  }

  // Sessions live in handlers that io_ owns: what they point to must be destroyed after it.
  Shared shared_;
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::signal_set signals_{io_, SIGINT, SIGTERM};
};

HttpHost::HttpHost(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpHost::~HttpHost() = default;

Result<std::unique_ptr<HttpHost>> HttpHost::Listen(api_model::ApiModel& model,
                                                   HttpHostOptions options) {
  auto impl = std::make_unique<Impl>(model, std::move(options));
  if (auto open = impl->Open(); !open) return open.error();
  return std::unique_ptr<HttpHost>(new HttpHost(std::move(impl)));
}

std::string HttpHost::Address() const { return impl_->Address(); }
void HttpHost::Run() { impl_->Run(); }
void HttpHost::Stop() { impl_->Stop(); }

}  // namespace jobrun
