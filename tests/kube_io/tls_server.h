// An API server's socket side for tests: blocking TLS on loopback, one thread a connection, each
// running the test's own script.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/kube_io/pki.h"

namespace jobrun::testing {

struct SeenRequest {
  std::string method;
  std::string target;
  std::string head;  // whole, as it came
  std::string body;
  int connection{0};  // counted from 1

  // The value of a header; empty when it is not there.
  [[nodiscard]] std::string Header(const std::string& name) const;
};

// One accepted connection, in its script. Everything blocks; a script ends by returning, which
// closes the connection in order.
class ServerConnection {
 public:
  ServerConnection(int fd, SSL* ssl, int number) : fd_(fd), ssl_(ssl), number_(number) {}

  // False at the end of the connection.
  [[nodiscard]] bool ReadRequest(SeenRequest& request);
  void Write(const std::string& bytes);
  // A whole answer; `headers` are lines with their ends.
  void Answer(int status, const std::string& body, const std::string& headers = "");
  // Ends it with a RST instead.
  void Reset();
  // The next `count` bytes, as they are; fewer at the end of the connection.
  [[nodiscard]] std::string ReadBytes(std::size_t count);
  // Carries bytes to and from this port on loopback until one of the two ends. Without TLS only.
  void TunnelTo(int port);
  // Blocks until the peer closes.
  void AwaitEnd();
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] std::string ServerName() const;         // SNI
  [[nodiscard]] std::string ClientCertificate() const;  // its serial number, hex; empty: none

 private:
  [[nodiscard]] int Read(char* into, int size);

  int fd_;
  SSL* ssl_;
  int number_;
  std::string ahead_{};
};

class TlsServer {
 public:
  using Script = std::function<void(TlsServer&, ServerConnection&)>;
  struct Options {
    std::string address{"127.0.0.1"};
    Identity identity{};      // empty: no TLS
    std::string client_ca{};  // asks for a certificate of it when set
  };
  TlsServer(Options options, Script script);
  ~TlsServer();  // cuts every connection

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string Url() const;
  // Another certificate, for connections from now on.
  void Present(const Identity& identity);

  // Called by scripts for what they read.
  void Note(SeenRequest request);
  [[nodiscard]] std::vector<SeenRequest> Requests();
  [[nodiscard]] int connections() const { return connections_; }

  // Lets scripts wait for the test: Release(n) lets the first n calls of Await pass.
  void Await(int turn);
  void Release(int turns);

 private:
  void Accept();
  void Serve(int fd, int number);
  [[nodiscard]] SSL_CTX* MakeContext(const Identity& identity) const;

  const Options options_;
  const Script script_;
  int listener_{-1};
  int port_{0};
  std::mutex mutex_;
  std::condition_variable released_;
  SSL_CTX* context_{nullptr};
  std::vector<SeenRequest> requests_;
  std::list<std::thread> threads_;
  std::vector<int> open_;
  int turns_{0};
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::thread accepter_;
};

// Answers every request with 200 and `body`.
[[nodiscard]] TlsServer::Script AlwaysAnswer(const std::string& body = "{}");

}  // namespace jobrun::testing
