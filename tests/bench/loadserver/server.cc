#include "tests/bench/loadserver/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "controller/base/real_clock.h"

namespace jobrun::bench {
namespace {

constexpr std::size_t kLatenessPlaces = 1001;
constexpr int kBacklog = 256;

Error SystemError(const char* doing) {
  return {Code::kInternal, doing, std::strerror(errno)};  // NOLINT: one thread
}

Workload::Time ReadTime() { return {ReadClocks().mono, ReadWallClock()}; }

}  // namespace

Server::Server(Parts parts) : parts_(std::move(parts)), lateness_(kLatenessPlaces) {}

Server::~Server() {
  clients_.clear();
  for (const int descriptor : {epoll_, listener_, timer_, signals_}) {
    if (descriptor >= 0) close(descriptor);
  }
}

Result<std::unique_ptr<Server>> Server::Listen(Parts parts) {
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  if (Outcome opened = server->Open(); !opened) return opened.error();
  return server;
}

Outcome Server::Open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);  // NOLINT: as the call wants it
  if (epoll_ < 0 || listener_ < 0 || bind(listener_, any, size) != 0 ||
      listen(listener_, kBacklog) != 0 || getsockname(listener_, any, &size) != 0) {
    return SystemError("listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);

  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  const auto nanos = static_cast<long>(std::chrono::duration_cast<Nanos>(kTick).count());
  const itimerspec every{.it_interval = {0, nanos}, .it_value = {0, nanos}};
  if (timer_ < 0 || timerfd_settime(timer_, 0, &every, nullptr) != 0) {
    return SystemError("set a timer");
  }
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  signals_ = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals_ < 0) return SystemError("take signals");
  for (const int descriptor : {listener_, timer_, signals_, STDIN_FILENO}) {
    Watch(descriptor, EPOLLIN);  // refused for a stdin that is a file: then there are no commands
  }
  return Ok();
}

void Server::Watch(int descriptor, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0) {
    (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }
}

void Server::Run() {
  std::array<epoll_event, 64> events{};
  while (!stopping_) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      OnEvent(events[static_cast<std::size_t>(i)].data.fd,
              events[static_cast<std::size_t>(i)].events);
    }
    parts_.api.AnswerWrites(ReadTime());
    UpdateWrites();
  }
}

void Server::OnEvent(int descriptor, std::uint32_t events) {
  if (descriptor == listener_) return Accept();
  if (descriptor == timer_) return OnTick();
  if (descriptor == STDIN_FILENO) return ReadCommands();
  if (descriptor == signals_) {
    stopping_ = true;
    return;
  }
  const auto client = clients_.find(descriptor);
  if (client != clients_.end()) OnClient(*client->second, events);
}

void Server::Accept() {
  for (;;) {
    const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients_[descriptor] = std::make_unique<Connection>(descriptor, parts_.context.get());
    Watch(descriptor, EPOLLIN);
  }
}

void Server::OnClient(Connection& connection, std::uint32_t events) {
  const Workload::Time now = ReadTime();
  if ((events & EPOLLOUT) != 0) parts_.api.Continue(connection, now);
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
  const bool open = connection.Read();
  while (auto request = connection.NextRequest()) parts_.api.OnRequest(connection, *request, now);
  if (!open || !connection.Flush()) Drop(connection.Descriptor());
}

void Server::Drop(int descriptor) {
  const auto client = clients_.find(descriptor);
  bytes_of_gone_ += client->second->BytesSent();
  parts_.api.OnClosed(*client->second);
  clients_.erase(client);
  wants_write_.erase(descriptor);
}

// Asks to be told of room for the connections that have something to send, and only for those.
void Server::UpdateWrites() {
  for (const auto& [descriptor, connection] : clients_) {
    const bool wants = connection->Pending() > 0;
    bool& asked = wants_write_[descriptor];
    if (std::exchange(asked, wants) != wants)
      Watch(descriptor, wants ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
}

void Server::OnTick() {
  std::uint64_t expirations = 0;
  (void)!read(timer_, &expirations, sizeof expirations);
  const Workload::Time now = ReadTime();
  if (last_tick_ != Mono::min()) {
    const auto late =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.mono - last_tick_ - kTick);
    const auto place = static_cast<std::size_t>(std::max<std::int64_t>(0, late.count()));
    ++lateness_[std::min(place, kLatenessPlaces - 1)];
  }
  last_tick_ = now.mono;
  parts_.api.Tick(now);
}

void Server::ReadCommands() {
  std::array<char, 4096> buffer;  // NOLINT: filled by the read
  const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
  if (got <= 0) {
    (void)epoll_ctl(epoll_, EPOLL_CTL_DEL, STDIN_FILENO, nullptr);
    return;
  }
  commands_.append(buffer.data(), static_cast<std::size_t>(got));
  for (std::size_t end = 0; (end = commands_.find('\n')) != std::string::npos;) {
    parts_.on_command(commands_.substr(0, end));
    commands_.erase(0, end + 1);
  }
}

std::uint64_t Server::BytesSent() const {
  std::uint64_t bytes = bytes_of_gone_;
  for (const auto& [descriptor, connection] : clients_) bytes += connection->BytesSent();
  return bytes;
}

}  // namespace jobrun::bench
