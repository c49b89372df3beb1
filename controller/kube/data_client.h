// Requests over a pool of kept-alive HTTP/1.1 connections: for the many small ones that latency and
// CPU matter for.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/connection.h"
#include "controller/kube/event_loop.h"
#include "controller/kube/http_reply.h"
#include "controller/kube/live_credentials.h"
#include "controller/kube/request_client.h"

namespace jobrun {

// An idle connection is closed before anything on the way does so silently: load balancers forget
// after 60 s or more, API servers after 90 s.
inline constexpr Nanos kIdleConnection = std::chrono::seconds(30);

// One request per connection at a time; connections are made when no idle one is there, up to
// `concurrency`. No redirect is followed.
//
// A request is sent again only where the server can't have acted on it or acting twice is harmless,
// once, on a fresh connection and within its deadline: when a reused connection broke before any
// byte of the request left, or, for a GET, before any byte of the answer came. Everything else that
// breaks is answered with status 0, "may have been carried out".
class DataClient : public RequestClient {
 public:
  DataClient(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials,
             RequestClientOptions options, Answer answer);
  ~DataClient() override;

  void Send(Request request) override;

  // Connections open now, idle ones included.
  [[nodiscard]] std::size_t connections() const { return slots_.size(); }

 private:
  struct Call {
    Request request{};
    Mono due{};
    Mono sent_at{};
    std::string authorization{};
    bool sent_again{false};  // on a fresh connection, after the first one broke
    bool authorized_again{false};
  };
  struct Slot;

  void Start(Call call);
  void Give(Slot& slot, Call call);
  void Open(Call call);
  void SendOn(Slot& slot);
  void Readable(Slot& slot);
  void ReadableIdle(Slot& slot);
  void Answered(Slot& slot);
  void Broke(Slot& slot, const std::string& why);
  void Fail(const Call& call, std::string detail, bool too_large = false);
  [[nodiscard]] std::optional<Call> Release(Slot& slot, bool reusable);
  void Erase(Slot& slot);
  void StartWaiting();
  void ExpireAt(Mono due);
  void Expire();
  void CloseIdle();

  EventLoop& loop_;
  const std::shared_ptr<LiveCredentials> credentials_;
  const RequestClientOptions options_;
  const Answer answer_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> idle_;  // the last one used comes first, so that the rest can be closed
  std::deque<Call> waiting_;
  std::shared_ptr<bool> alive_;  // what posted functions look at
  Mono expires_at_{Mono::max()};
  Timer expiry_;
  Timer idle_timer_;
};

}  // namespace jobrun
