// Requests through cpprestsdk, for the few and large control calls. The only file that includes it,
// so that it can be replaced.
#pragma once

#include <memory>

#include "controller/kube/event_loop.h"
#include "controller/kube/live_credentials.h"
#include "controller/kube/request_client.h"

namespace jobrun {

// Belongs to the loop's thread; cpprestsdk's own threads (kControlThreads, shared by all clients of
// the process) only hand finished answers over to the loop.
//
// cpprestsdk sends any request again, POST included, when a kept-alive connection breaks before the
// status line: callers of control calls make that harmless (names that are decided beforehand,
// guards). It can't dial IPv6 literals, can't be told another TLS name than the host's and does
// badly with proxies (docs/libraries.md): use a DataClient for those.
class ControlClient : public RequestClient {
 public:
  ControlClient(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials,
                RequestClientOptions options, Answer answer);
  // Cancels what is under way and waits until cpprestsdk has let go of it, at most
  // kControlShutdown.
  ~ControlClient() override;

  void Send(Request request) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// True when cpprestsdk can reach this server as its kubeconfig asks.
[[nodiscard]] bool ControlClientCanReach(const Credentials& credentials);

}  // namespace jobrun
