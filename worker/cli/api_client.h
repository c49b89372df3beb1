// The API server as the commands of jobrun use it: calls that wait for their answer, and calls
// whose answer comes back to whoever asked.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "controller/base/log.h"
#include "controller/base/time.h"
#include "controller/kube/credentials.h"
#include "controller/kube/event_loop.h"
#include "controller/kube/transport.h"
#include "controller/wire/event_decoder.h"
#include "worker/session/server_stamp.h"

namespace jobrun {

// What a watch tells; views die with the call.
class WatchListener {
 public:
  virtual ~WatchListener() = default;
  virtual void OnStreamOpened(const StreamOpened& opened) = 0;
  virtual void OnStreamEvents(const StreamEvents& events) = 0;
  virtual void OnStreamClosed(const StreamClosed& closed) = 0;
};

// Belongs to the thread that runs the loop.
class ApiClient : private TransportSink {
 public:
  using Answer = std::function<void(const Response&)>;

  // kInvalid: the credentials name something that can't be used. `loop` and `log` outlive it.
  static Result<std::unique_ptr<ApiClient>> Connect(EventLoop& loop, Credentials credentials,
                                                    LogSink& log);
  ~ApiClient() override;

  // Fills in the id. `answer` is called once, unless Forget was.
  RequestId Send(Request request, Answer answer);
  // No answer is waited for any more.
  void Forget(RequestId request) { answers_.erase(request); }
  // Runs the loop until the answer is there.
  [[nodiscard]] Response Call(Request request);

  // Fills in the id. `listener` outlives the stream, or closes it.
  StreamId Open(OpenStream stream, WatchListener& listener);
  void Close(StreamId stream);

  [[nodiscard]] EventLoop& Loop() { return loop_; }
  [[nodiscard]] LogSink& Log() { return log_; }
  [[nodiscard]] ServerStamp& Stamp() { return stamp_; }
  [[nodiscard]] EventDecoder& Decoder() { return decoder_; }
  // Of the kubeconfig's context or the service account; may be empty.
  [[nodiscard]] const std::string& DefaultNamespace() const { return name_space_; }
  [[nodiscard]] const std::string& Server() const { return server_; }

 private:
  ApiClient(EventLoop& loop, const Credentials& credentials, LogSink& log);

  void OnResponse(Response response) override;
  void OnStreamOpened(const StreamOpened& opened) override;
  void OnStreamEvents(const StreamEvents& events) override;
  void OnStreamClosed(StreamClosed closed) override;

  EventLoop& loop_;
  LogSink& log_;
  const std::string name_space_;
  const std::string server_;
  ServerStamp stamp_;
  EventDecoder decoder_{};
  std::uint64_t last_id_{0};
  std::unordered_map<RequestId, Answer> answers_{};
  std::unordered_map<StreamId, WatchListener*> listeners_{};
  std::unique_ptr<Transport> transport_{};
};

}  // namespace jobrun
