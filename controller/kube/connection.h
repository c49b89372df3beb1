// One connection to the API server: TCP, through a proxy where there is one, and TLS where the
// server's URL says so. Bytes in, bytes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "controller/base/time.h"
#include "controller/kube/event_loop.h"
#include "controller/kube/live_credentials.h"

namespace jobrun {

// Longest wait for one of a host's addresses before the next is tried.
inline constexpr Nanos kConnectAttempt = std::chrono::seconds(3);
// A peer that does not acknowledge what was sent, or a probe of the silent connection, for this
// long is gone: the kernel then fails the connection (TCP keep-alive and TCP_USER_TIMEOUT).
inline constexpr std::chrono::seconds kPeerTimeout{30};

// Belongs to the loop's thread. Deadlines are the owner's: it destroys a connection that took too
// long. After destruction there are no callbacks. A connection may be destroyed within its own
// callbacks.
class Connection {
 public:
  // `read_bytes`: how much is asked of the kernel at once, see Read.
  Connection(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials, std::size_t read_bytes);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Looks the host up, connects to the first address that answers and shakes hands with the
  // credentials as they are now. Calls `done` once, never from within Connect: empty text on
  // success, else what went wrong and what to do, with the server's URL.
  void Connect(std::function<void(const std::string& error)> done);
  // LiveCredentials::tls_generation() of the handshake.
  [[nodiscard]] std::uint64_t generation() const;

  // Sends all of `bytes`, at once as far as the kernel takes them. One at a time. A failure is told
  // by Read, after a readable callback.
  void Write(std::string bytes);
  // Nothing of the last Write reached the kernel: the server can't have seen any of it.
  [[nodiscard]] bool NothingWritten() const;

  // Never blocks. kEnd: the peer closed in order. kFailed: error() says what happened.
  enum class Got : std::uint8_t { kBytes, kNothingYet, kEnd, kFailed };
  struct ReadResult {
    Got got{Got::kNothingYet};
    std::size_t bytes{0};
  };
  [[nodiscard]] ReadResult Read(char* into, std::size_t size);
  [[nodiscard]] const std::string& error() const;

  // What AwaitReadable calls; set once.
  void OnReadable(std::function<void()> readable);
  // Calls back once, when Read has something to tell. Read until kNothingYet first. Repeating it
  // while it waits changes nothing.
  void AwaitReadable();

  // Lets the kernel keep quiet until this many bytes (or the end) are there; 1 is the default. Only
  // a hint: saves wake-ups while the owner reads by a timer anyway.
  void WakeAtBytes(int bytes);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace jobrun
