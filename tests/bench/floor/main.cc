// jobrun-floor PORT: what any controller must spend on a heartbeat, and nothing more: TLS, a search
// for two fields in each event, a hash map. No JSON, no chunks, no timers, no policy, no writes. It
// makes the controller's figures comparable between machines: ./dev bench reports them as multiples
// of this.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::string_view kRequest =
    "GET /apis/jobrun.dev/v1/jobruns?watch=true&sendInitialEvents=true"
    "&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true HTTP/1.1\r\nHost: "
    "localhost\r\n\r\n";
constexpr std::string_view kUid = "\"uid\":\"";
constexpr std::string_view kHeartbeat = "\"lastHeartbeatAt\":\"";
constexpr std::string_view kInitialEnd = "k8s.io/initial-events-end";
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
constexpr int kRestMilliseconds = 2;  // as long as the controller lets events gather

// The text between `name` and the next quote; empty without it.
std::string_view Field(std::string_view line, std::string_view name) {
  const std::size_t at = line.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + name.size());
  return rest.substr(0, rest.find('"'));
}

// Takes the whole lines out of `text`; true when the initial list is complete.
bool TakeLines(std::string& text, std::unordered_map<std::string, std::size_t>& runs) {
  bool synced = false;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const std::string_view uid = Field(line, kUid);
    if (!uid.empty()) {
      runs[std::string(uid)] = std::hash<std::string_view>{}(Field(line, kHeartbeat));
    }
    synced = synced || line.find(kInitialEnd) != std::string_view::npos;
  }
  text.erase(0, begin);
  return synced;
}

SSL* Connect(int fd, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return nullptr;
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_read_ahead(context, 1);
  SSL* const ssl = SSL_new(context);
  const bool ready = SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 &&
                     SSL_write(ssl, kRequest.data(), static_cast<int>(kRequest.size())) > 0 &&
                     fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
  return ready ? ssl : nullptr;
}

}  // namespace

int main(int count, char** words) {
  const std::string_view word = count == 2 ? words[1] : "";
  std::uint16_t port = 0;
  if (std::from_chars(word.data(), word.data() + word.size(), port).ec != std::errc{}) {
    std::fputs("usage: jobrun-floor PORT\n", stderr);
    return 2;
  }
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  SSL* const ssl = Connect(fd, port);
  if (ssl == nullptr) {
    std::fprintf(stderr, "jobrun-floor: no load server at port %u\n", port);
    return 1;
  }
  std::array<char, kReadBytes> buffer;  // NOLINT: filled by the read
  std::string text;
  std::unordered_map<std::string, std::size_t> runs;
  for (;;) {
    int got = 0;
    while ((got = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()))) > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
      if (TakeLines(text, runs)) {
        std::puts("synced");
        std::fflush(stdout);
      }
    }
    if (SSL_get_error(ssl, got) != SSL_ERROR_WANT_READ) return 0;  // the load server ended
    poll(nullptr, 0, kRestMilliseconds);
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    poll(&readable, 1, -1);
  }
}
