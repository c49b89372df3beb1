#include "tests/kube_io/watching.h"

#include <cstdio>
#include <utility>

namespace jobrun::testing {

std::string Chunk(const std::string& text) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + text + "\r\n";
}

const TestCa& WatchCa() {
  static const TestCa ca;
  return ca;
}

const Identity& ServerIdentity() {
  static const Identity identity = WatchCa().Issue();
  return identity;
}

TlsServer::Script AfterRequest(std::function<void(TlsServer&, ServerConnection&)> rest) {
  return [rest = std::move(rest)](TlsServer& server, ServerConnection& connection) {
    SeenRequest request;
    if (!connection.ReadRequest(request)) return;
    server.Note(request);
    rest(server, connection);
  };
}

Watching::Watching(std::function<void(TlsServer&, ServerConnection&)> script,
                   TransportOptions options)
    : server({.identity = ServerIdentity()}, AfterRequest(std::move(script))),
      client(Trusting(server.Url(), WatchCa().pem()), std::move(options)) {}

const StreamClosed& Watching::RunToEnd() {
  Open();
  client.RunUntil([&] { return !seen().closed.empty(); });
  return seen().closed.at(0);
}

}  // namespace jobrun::testing
