// A bare HTTP client for tests: sends bytes, reads until the server closes or nothing more is
// expected.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace jobrun {

// Asks the kernel, not our server: a server that can't do IPv6 must fail its tests, not skip them.
// Containers often have none, also where CI is set.
inline bool KernelHasIpv6Loopback() {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) return false;
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return bound;
}

class HttpClient {
 public:
  // "127.0.0.1" or "::1".
  explicit HttpClient(std::uint16_t port, const char* host = "127.0.0.1") {
    sockaddr_storage storage{};
    socklen_t size = 0;
    if (std::string_view(host).find(':') == std::string_view::npos) {
      auto* address = reinterpret_cast<sockaddr_in*>(&storage);
      address->sin_family = AF_INET;
      address->sin_port = htons(port);
      inet_pton(AF_INET, host, &address->sin_addr);
      size = sizeof(sockaddr_in);
    } else {
      auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
      address->sin6_family = AF_INET6;
      address->sin6_port = htons(port);
      inet_pton(AF_INET6, host, &address->sin6_addr);
      size = sizeof(sockaddr_in6);
    }
    fd_ = socket(storage.ss_family, SOCK_STREAM, 0);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&storage), size) == 0;
  }
  ~HttpClient() { close(fd_); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }

  // False when the server has hung up.
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // All until the server closes; what came when it takes more than 20 s.
  std::string ReadAll() {
    while (ReadSome()) {
    }
    return std::exchange(read_, {});
  }

  // One response: its header and as many bytes as that announces (none for `head`).
  std::string ReadResponse(bool head = false) {
    while (read_.find("\r\n\r\n") == std::string::npos && ReadSome()) {
    }
    const std::size_t header = read_.find("\r\n\r\n") + 4;
    const std::size_t mark = read_.find("Content-Length: ");
    const std::size_t body =
        head || mark == std::string::npos ? 0 : std::stoul(read_.substr(mark + 16));
    while (read_.size() < header + body && ReadSome()) {
    }
    std::string response = read_.substr(0, header + body);
    read_.erase(0, header + body);
    return response;
  }

 private:
  bool ReadSome() {
    pollfd poller{fd_, POLLIN, 0};
    if (poll(&poller, 1, 20'000) != 1) return false;
    char buffer[4096];
    const ssize_t bytes = recv(fd_, buffer, sizeof buffer, 0);
    if (bytes > 0) read_.append(buffer, static_cast<std::size_t>(bytes));
    return bytes > 0;
  }

  int fd_{-1};
  bool connected_{false};
  std::string read_{};
};

// The whole answer to one request on a connection of its own.
inline std::string Get(std::uint16_t port, const std::string& target,
                       const char* host = "127.0.0.1") {
  HttpClient client(port, host);
  client.Send("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return client.ReadAll();
}

}  // namespace jobrun
