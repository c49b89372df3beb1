// A watch of runs for a command: connects a Reflector with the ApiClient. What the runs mean is the
// subclass's business.
#pragma once

#include <string>
#include <string_view>

#include "controller/kube/event_loop.h"
#include "controller/watch/reflector.h"
#include "controller/wire/event_decoder.h"
#include "worker/cli/api_client.h"

namespace jobrun {

// Belongs to the loop's thread.
class RunsWatch : protected ReflectorHost, private WatchListener {
 public:
  ~RunsWatch() override;

  void Start();
  // Everything is told again.
  void Resync();

 protected:
  RunsWatch(ApiClient& client, WatchScope scope);

  // After whatever came together; `whole`: everything there is has been told.
  virtual void OnTurn(bool whole) = 0;

 private:
  [[nodiscard]] std::string ListTarget(const ListOptions& options) const override;
  [[nodiscard]] std::string WatchTarget(const WatchOptions& options) const override;
  Result<EventDecoder::Page> ReadPage(const std::string& body) override;
  RequestId Send(Request request) override;
  StreamId Open(OpenStream stream) override;
  void Close(StreamId stream) override;
  void OnListEnded(ListOutcome) override {}
  void OnStreamEnded(StreamEnd) override {}
  std::optional<Nanos> ListAgainAfter() const override { return std::chrono::minutes(10); }
  void OnProblem(std::string_view problem) override;

  void OnStreamOpened(const StreamOpened& opened) override;
  void OnStreamEvents(const StreamEvents& events) override;
  void OnStreamClosed(const StreamClosed& closed) override;

  void Turned();

  ApiClient& client_;
  const WatchScope scope_;
  EventDecoder decoder_{};
  StreamId stream_{0};
  RequestId request_{0};
  Timer wake_;
  Reflector reflector_;
};

}  // namespace jobrun
