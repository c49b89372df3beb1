// Keeps a worker's queue in step with the Pending runs of its lane.
#pragma once

#include <functional>
#include <string>

#include "controller/kube/event_loop.h"
#include "controller/watch/reflector.h"
#include "controller/wire/event_decoder.h"
#include "worker/cli/api_client.h"
#include "worker/session/claim_queue.h"

namespace jobrun {

// Belongs to the loop's thread.
class QueueWatch final : private ReflectorHost, private WatchListener {
 public:
  struct What {
    std::string name_space{};  // empty: all
    std::string lane{};
    std::string worker{};  // runs that are assigned to others are passed over
  };
  // `changed` is called when there may be something new in the queue.
  QueueWatch(ApiClient& client, ClaimQueue& queue, What what, std::function<void()> changed);
  ~QueueWatch() override;

  void Start();
  // Lists again: the queue has left some out.
  void Resync();

 private:
  std::string ListTarget(const ListOptions& options) const override;
  std::string WatchTarget(const WatchOptions& options) const override;
  Result<EventDecoder::Page> ReadPage(const std::string& body) override;
  RequestId Send(Request request) override;
  StreamId Open(OpenStream stream) override;
  void Close(StreamId stream) override;
  void OnListing() override { queue_.Listing(); }
  void OnReplaced() override { queue_.Replaced(); }
  void OnEvent(const Event& event, bool initial) override;
  void OnListEnded(ListOutcome) override {}
  void OnStreamEnded(StreamEnd) override {}
  void OnProblem(std::string_view problem) override;

  void OnStreamOpened(const StreamOpened& opened) override;
  void OnStreamEvents(const StreamEvents& events) override;
  void OnStreamClosed(const StreamClosed& closed) override;

  void Turned();

  ApiClient& client_;
  ClaimQueue& queue_;
  const What what_;
  const WatchScope scope_;
  const std::function<void()> changed_;
  EventDecoder decoder_{};
  StreamId stream_{0};
  RequestId request_{0};
  Timer wake_;
  Reflector reflector_;
};

}  // namespace jobrun
