// A watch against a scripted server.
#pragma once

#include <functional>
#include <string>

#include "tests/kube_io/client.h"
#include "tests/kube_io/pki.h"
#include "tests/kube_io/tls_server.h"

namespace jobrun::testing {

// The head of a watch that is granted.
inline constexpr char kHead[] =
    "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 01:02:03 GMT\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

// `text` as one chunk.
[[nodiscard]] std::string Chunk(const std::string& text);

[[nodiscard]] const TestCa& WatchCa();
[[nodiscard]] const Identity& ServerIdentity();

// Reads and notes the request, then runs `rest`.
[[nodiscard]] TlsServer::Script AfterRequest(
    std::function<void(TlsServer&, ServerConnection&)> rest);

class Watching {
 public:
  explicit Watching(std::function<void(TlsServer&, ServerConnection&)> script,
                    TransportOptions options = {});

  [[nodiscard]] Seen& seen() { return client.streams[1]; }
  void Open() { client.transport().Open(open); }
  // Opens it and runs until it is closed.
  const StreamClosed& RunToEnd();

  TlsServer server;
  Client client;
  OpenStream open{.id = 1, .target = "/apis/jobrun.dev/v1/jobruns?watch=1"};
};

}  // namespace jobrun::testing
