// The loop: accepts clients, hands their requests to the Api, ticks, and takes commands from stdin.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/base/result.h"
#include "tests/bench/loadserver/api.h"
#include "tests/bench/loadserver/connection.h"

namespace jobrun::bench {

// Events are sent in batches of this period: what happens in an API server comes in small bursts.
inline constexpr std::chrono::microseconds kTick{1000};

class Server {
 public:
  struct Parts {
    Api& api;
    SslContext context;
    std::function<void(const std::string&)> on_command;  // a line of stdin
  };
  // Listens on a free port of 127.0.0.1.
  [[nodiscard]] static Result<std::unique_ptr<Server>> Listen(Parts parts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t Port() const { return port_; }
  // Until SIGTERM or SIGINT.
  void Run();

  // How late ticks were, in ms, as a histogram of whole ms (the last place: that and more). A
  // server that did not run sends no heartbeats and takes no writes: lags measured meanwhile are
  // its own.
  [[nodiscard]] const std::vector<std::uint64_t>& TickLateness() const { return lateness_; }
  [[nodiscard]] std::uint64_t BytesSent() const;

 private:
  explicit Server(Parts parts);

  void Accept();
  void OnEvent(int descriptor, std::uint32_t events);
  void OnClient(Connection& connection, std::uint32_t events);
  void OnTick();
  void ReadCommands();
  void Drop(int descriptor);
  void Watch(int descriptor, std::uint32_t events);
  void UpdateWrites();
  [[nodiscard]] Outcome Open();

  Parts parts_;
  int epoll_{-1};
  int listener_{-1};
  int timer_{-1};
  int signals_{-1};
  std::uint16_t port_{0};
  std::unordered_map<int, std::unique_ptr<Connection>> clients_;
  std::unordered_map<int, bool> wants_write_;
  std::string commands_{};
  std::vector<std::uint64_t> lateness_;
  Mono last_tick_{Mono::min()};
  std::uint64_t bytes_of_gone_{0};
  bool stopping_{false};
};

}  // namespace jobrun::bench
