#include "controller/kube/socket_bio.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace jobrun {
namespace {

struct Socket {
  int fd{-1};
  std::vector<char> ahead{};
  std::size_t begin{0};
  std::size_t end{0};
  bool drained{false};  // the last recv took all that the kernel had
};

Socket& Of(BIO* bio) { return *static_cast<Socket*>(BIO_get_data(bio)); }

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

int Write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  Of(bio).drained = false;  // an answer will come
  const ssize_t sent = send(Of(bio).fd, data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && WouldBlock()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int Read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  Socket& socket = Of(bio);
  if (socket.begin == socket.end) {
    // Whoever is told "nothing yet" waits for the socket anyway, so asking once more would only
    // cost a call.
    if (std::exchange(socket.drained, false)) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const ssize_t got = recv(socket.fd, socket.ahead.data(), socket.ahead.size(), 0);
    if (got < 0 && WouldBlock()) BIO_set_retry_read(bio);
    if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    if (got <= 0) return static_cast<int>(got);
    socket.begin = 0;
    socket.end = static_cast<std::size_t>(got);
    socket.drained = socket.end < socket.ahead.size();
  }
  const std::size_t taken = std::min(static_cast<std::size_t>(size), socket.end - socket.begin);
  std::memcpy(into, socket.ahead.data() + socket.begin, taken);
  socket.begin += taken;
  return static_cast<int>(taken);
}

long Control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

int Destroy(BIO* bio) {
  delete static_cast<Socket*>(BIO_get_data(bio));
  BIO_set_data(bio, nullptr);
  return 1;
}

BIO_METHOD* MakeMethod() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "jobrun socket");
  BIO_meth_set_write(method, &Write);
  BIO_meth_set_read(method, &Read);
  BIO_meth_set_ctrl(method, &Control);
  BIO_meth_set_destroy(method, &Destroy);
  return method;
}

}  // namespace

BioPtr MakeSocketBio(int fd, std::size_t read_bytes) {
  // Made once and never freed: connections may outlive any moment that would be right for it.
  static BIO_METHOD* const method = MakeMethod();
  BioPtr bio(BIO_new(method));
  auto socket = std::make_unique<Socket>(Socket{.fd = fd, .ahead = std::vector<char>(read_bytes)});
  BIO_set_data(bio.get(), socket.release());
  BIO_set_init(bio.get(), 1);
  return bio;
}

}  // namespace jobrun
