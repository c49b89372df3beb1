#include "controller/kube/connection.h"

#include <netinet/tcp.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <deque>

#include "controller/base/real_clock.h"
#include "controller/kube/event_loop_impl.h"
#include "controller/kube/proxy_tunnel.h"
#include "controller/kube/socket_bio.h"

namespace jobrun {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kAddressesMax = 8;  // of one name; the rest is not tried
constexpr std::size_t kProxyReadBytes = 4096;

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

// SSL_get_error looks at the queue too; clearing an empty one is dearer than looking.
void ForgetTlsErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

void SetOption(int fd, int level, int name, int value) {
  // Hints to the kernel: one that it does not know costs nothing but the hint.
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

void TuneSocket(int fd) {
  constexpr int kSeconds = static_cast<int>(kPeerTimeout.count());
  constexpr int kProbes = 3;
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kSeconds / 2);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kSeconds / 2 / kProbes);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kSeconds * 1000);
}

}  // namespace

struct Connection::Impl : std::enable_shared_from_this<Connection::Impl> {
  Impl(EventLoop& loop, std::shared_ptr<LiveCredentials> live, std::size_t bytes)
      : credentials(std::move(live)),
        server(credentials->fixed().server),
        proxy(credentials->fixed().proxy),
        read_bytes(bytes),
        resolver(loop.impl().io),
        socket(loop.impl().io),
        attempt(loop) {}

  void Resolve();
  void ConnectNext();
  void Connected();
  void OpenTunnel();
  void ReadTunnel();
  void StartTls();
  void Handshake();
  void Finish(const std::string& failure);
  void TellSoon();
  void Flush();
  void Readable();
  void Close();
  [[nodiscard]] ReadResult ReadPlain(char* into, std::size_t size);
  [[nodiscard]] ReadResult ReadTls(char* into, std::size_t size);
  [[nodiscard]] ReadResult ReadFailed(const std::string& why);
  [[nodiscard]] std::ptrdiff_t Send(const char* data, std::size_t size);
  template <class Then>
  void Await(tcp::socket::wait_type what, Then then);

  const std::shared_ptr<LiveCredentials> credentials;
  const ServerAddress& server;
  const std::optional<ProxyAddress>& proxy;
  const std::size_t read_bytes;
  tcp::resolver resolver;
  tcp::socket socket;
  Timer attempt;
  std::deque<tcp::endpoint> addresses{};
  std::unique_ptr<ProxyTunnel> tunnel{};
  std::unique_ptr<SSL, SslFree> ssl{};
  std::uint64_t generation{0};
  std::function<void(const std::string&)> connected{};
  std::function<void()> readable{};
  std::string out{};
  std::size_t out_sent{0};
  std::string error{};
  bool broken{false};  // for writing
  bool awaiting{false};
  bool closed{false};
};

template <class Then>
void Connection::Impl::Await(tcp::socket::wait_type what, Then then) {
  socket.async_wait(what, [self = shared_from_this(), then](const error_code& failed) {
    // A wait that fails leaves it to the next step to find out why.
    if (!self->closed && failed != boost::asio::error::operation_aborted) then(*self);
  });
}

void Connection::Impl::Resolve() {
  const HostAndPort& to = proxy ? static_cast<const HostAndPort&>(*proxy) : server;
  error_code bad;
  const auto literal = boost::asio::ip::make_address(to.host, bad);
  if (!bad) {
    addresses.emplace_back(literal, to.port);
    boost::asio::post(socket.get_executor(), [self = shared_from_this()] {
      if (!self->closed) self->ConnectNext();
    });
    return;
  }
  resolver.async_resolve(
      to.host, std::to_string(to.port),
      [self = shared_from_this(), &to](const error_code& failed, const auto& found) {
        if (self->closed) return;
        if (failed) {
          return self->Finish("the name " + to.host + " can't be looked up: " + failed.message() +
                              "; check the " + (self->proxy ? "proxy's" : "server's") +
                              " URL and the DNS");
        }
        for (const auto& entry : found) {
          if (self->addresses.size() < kAddressesMax) {
            self->addresses.push_back(entry.endpoint());
          }
        }
        self->ConnectNext();
      });
}

void Connection::Impl::ConnectNext() {
  if (addresses.empty()) {
    return Finish(error.empty() ? "the name has no address" : error);
  }
  const tcp::endpoint address = addresses.front();
  addresses.pop_front();
  error_code ignored;
  socket.close(ignored);
  attempt.Set(ReadClocks().mono + kConnectAttempt, [this] {
    error_code also_ignored;
    socket.close(also_ignored);  // its handler goes on with the next address
  });
  socket.async_connect(address, [self = shared_from_this()](const error_code& failed) {
    if (self->closed) return;
    self->attempt.Clear();
    if (failed) {
      const bool late = failed == boost::asio::error::operation_aborted;
      self->error = std::string("can't connect") + (self->proxy ? " to the proxy: " : ": ") +
                    (late ? "no answer within 3 s" : failed.message()) + "; is the " +
                    (self->proxy ? "proxy" : "API server") + " running, and reachable from here?";
      return self->ConnectNext();
    }
    self->error.clear();
    self->Connected();
  });
}

void Connection::Impl::Connected() {
  error_code failed;
  socket.non_blocking(true, failed);
  if (failed) return Finish("can't use the socket: " + failed.message());
  TuneSocket(socket.native_handle());
  if (proxy && proxy->Tunnels(server)) return OpenTunnel();
  StartTls();
}

void Connection::Impl::OpenTunnel() {
  tunnel = std::make_unique<ProxyTunnel>(*proxy, server);
  out = tunnel->Begin();
  out_sent = 0;
  Flush();
  Await(tcp::socket::wait_read, [](Impl& self) { self.ReadTunnel(); });
}

void Connection::Impl::ReadTunnel() {
  std::array<char, kProxyReadBytes> bytes{};
  const ReadResult read = ReadPlain(bytes.data(), bytes.size());
  ProxyTunnel::Step step;
  if (read.got == Got::kFailed || read.got == Got::kEnd) {
    error.clear();
    step = tunnel->End();
  }
  if (read.got == Got::kBytes) step = tunnel->Take({bytes.data(), read.bytes});
  switch (step.state) {
    case ProxyTunnel::State::kOpen:
      return StartTls();
    case ProxyTunnel::State::kRefused:
      return Finish(step.text);
    case ProxyTunnel::State::kSend:
      out = std::move(step.text);
      out_sent = 0;
      Flush();
      [[fallthrough]];
    case ProxyTunnel::State::kMore:
      return Await(tcp::socket::wait_read, [](Impl& self) { self.ReadTunnel(); });
  }
}

void Connection::Impl::StartTls() {
  if (!server.tls) return Finish("");
  const LiveCredentials::Tls tls = credentials->ForNewConnection();
  generation = tls.generation;
  ssl.reset(SSL_new(tls.context.get()));
  if (ssl == nullptr) return Finish(TakeTlsError("OpenSSL can't make a connection"));
  BIO* bio = MakeSocketBio(socket.native_handle(), read_bytes).release();
  SSL_set_bio(ssl.get(), bio, bio);
  const std::string& name = credentials->fixed().tls_server_name.empty()
                                ? server.host
                                : credentials->fixed().tls_server_name;
  if (!IsAddressLiteral(name)) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  Handshake();
}

void Connection::Impl::Handshake() {
  ForgetTlsErrors();
  const int result = SSL_connect(ssl.get());
  if (result == 1) return Finish("");
  switch (SSL_get_error(ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Await(tcp::socket::wait_read, [](Impl& self) { self.Handshake(); });
    case SSL_ERROR_WANT_WRITE:
      return Await(tcp::socket::wait_write, [](Impl& self) { self.Handshake(); });
    default:
      return Finish(credentials->TakeHandshakeError(
          "the server hung up during the TLS handshake; is it an HTTPS port?"));
  }
}

void Connection::Impl::Finish(const std::string& failure) {
  if (!failure.empty()) error = credentials->fixed().Peer() + ": " + failure;
  const auto done = std::exchange(connected, nullptr);
  if (done) done(error);
}

void Connection::Impl::TellSoon() {
  boost::asio::post(socket.get_executor(), [self = shared_from_this()] {
    if (!self->closed && self->awaiting) self->Readable();
  });
}

std::ptrdiff_t Connection::Impl::Send(const char* data, std::size_t size) {
  if (ssl == nullptr) return send(socket.native_handle(), data, size, MSG_NOSIGNAL);
  ForgetTlsErrors();
  return SSL_write(ssl.get(), data, static_cast<int>(std::min<std::size_t>(size, 1U << 30U)));
}

void Connection::Impl::Flush() {
  while (out_sent < out.size()) {
    const std::ptrdiff_t sent = Send(out.data() + out_sent, out.size() - out_sent);
    if (sent > 0) {
      out_sent += static_cast<std::size_t>(sent);
      continue;
    }
    const int why = ssl == nullptr ? 0 : SSL_get_error(ssl.get(), static_cast<int>(sent));
    const bool later = ssl == nullptr ? errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                                      : why == SSL_ERROR_WANT_WRITE;
    if (later || why == SSL_ERROR_WANT_READ) {
      return Await(later ? tcp::socket::wait_write : tcp::socket::wait_read,
                   [](Impl& self) { self.Flush(); });
    }
    // A peer that hangs up says why in what it sent before; Read finds it, or the end.
    ForgetTlsErrors();
    broken = true;
    if (awaiting) TellSoon();
    return;
  }
}

Connection::ReadResult Connection::Impl::ReadFailed(const std::string& why) {
  if (error.empty()) error = credentials->fixed().Peer() + ": " + why;
  return {Got::kFailed, 0};
}

Connection::ReadResult Connection::Impl::ReadPlain(char* into, std::size_t size) {
  const ssize_t got = recv(socket.native_handle(), into, size, 0);
  if (got > 0) return {Got::kBytes, static_cast<std::size_t>(got)};
  if (got == 0) return {Got::kEnd, 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Got::kNothingYet, 0};
  return ReadFailed(std::string("the connection broke: ") + std::strerror(errno));
}

Connection::ReadResult Connection::Impl::ReadTls(char* into, std::size_t size) {
  ForgetTlsErrors();
  std::size_t got = 0;
  const int result = SSL_read_ex(ssl.get(), into, size, &got);
  if (result == 1) return {Got::kBytes, got};
  const int system = errno;
  switch (SSL_get_error(ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:  // a key update that waits for the next write
      return {Got::kNothingYet, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Got::kEnd, 0};
    case SSL_ERROR_SYSCALL:
      return ReadFailed(
          TakeTlsError(std::string("the connection broke: ") + std::strerror(system)));
    default:
      return ReadFailed(TakeTlsError("the connection broke"));
  }
}

void Connection::Impl::Readable() {
  awaiting = false;
  // Held here while it runs: it may destroy the connection.
  const std::shared_ptr<Impl> alive = shared_from_this();
  std::function<void()> call = std::exchange(readable, nullptr);
  if (call) call();
  if (!closed && !readable) readable = std::move(call);
}

void Connection::Impl::Close() {
  closed = true;
  connected = nullptr;
  readable = nullptr;
  attempt.Clear();
  resolver.cancel();
  if (ssl != nullptr && socket.is_open() && SSL_is_init_finished(ssl.get()) == 1 && error.empty()) {
    ForgetTlsErrors();
    (void)SSL_shutdown(ssl.get());  // a courtesy; the answer is not waited for
    ForgetTlsErrors();
  }
  error_code ignored;
  socket.close(ignored);
}

Connection::Connection(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials,
                       std::size_t read_bytes)
    : impl_(std::make_shared<Impl>(loop, std::move(credentials), read_bytes)) {}

Connection::~Connection() { impl_->Close(); }

void Connection::Connect(std::function<void(const std::string&)> done) {
  impl_->connected = std::move(done);
  impl_->Resolve();
}

std::uint64_t Connection::generation() const { return impl_->generation; }

void Connection::Write(std::string bytes) {
  impl_->out = std::move(bytes);
  impl_->out_sent = 0;
  impl_->Flush();
}

bool Connection::NothingWritten() const { return impl_->out_sent == 0; }

Connection::ReadResult Connection::Read(char* into, std::size_t size) {
  if (!impl_->error.empty()) return {Got::kFailed, 0};
  const ReadResult read =
      impl_->ssl == nullptr ? impl_->ReadPlain(into, size) : impl_->ReadTls(into, size);
  if (read.got == Got::kNothingYet && impl_->broken) {
    return impl_->ReadFailed("the connection broke while sending");
  }
  return read;
}

const std::string& Connection::error() const { return impl_->error; }

void Connection::OnReadable(std::function<void()> readable) {
  impl_->readable = std::move(readable);
}

void Connection::AwaitReadable() {
  if (impl_->awaiting) return;
  impl_->awaiting = true;
  if (!impl_->error.empty() || impl_->broken) return impl_->TellSoon();
  impl_->Await(tcp::socket::wait_read, [](Impl& self) {
    if (self.awaiting) self.Readable();
  });
}

void Connection::WakeAtBytes(int bytes) {
  SetOption(impl_->socket.native_handle(), SOL_SOCKET, SO_RCVLOWAT, bytes);
}

}  // namespace jobrun
