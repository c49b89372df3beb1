#include "controller/kube/transport.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "controller/kube/control_client.h"
#include "controller/kube/data_client.h"
#include "controller/kube/make_transport.h"
#include "controller/kube/watch_stream.h"

namespace jobrun {
namespace {

// Renewals come one after the other; a second one only while the first is lost.
constexpr std::size_t kLeaseCalls = 4;
// Events are for people: they take what the verdicts leave.
constexpr std::size_t kEventConnections = 2;

bool IsTarget(const std::string& target) {
  const auto good = [](char c) { return c > ' ' && c < 0x7f; };
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), good);
}

class NetworkTransport : public Transport {
 public:
  NetworkTransport(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials,
                   TransportOptions options, TransportSink& sink)
      : loop_(loop),
        credentials_(std::move(credentials)),
        options_(std::move(options)),
        sink_(sink),
        data_(MakeData(options_.data_connections)) {}

  void Send(Request request) override {
    if (!IsTarget(request.target)) {
      return loop_.Post([this, alive = std::weak_ptr(alive_), id = request.id] {
        if (!alive.expired())
          sink_.OnResponse({.id = id, .detail = "the request has no usable target"});
      });
    }
    switch (request.klass) {
      case RequestClass::kData:
        return data_->Send(std::move(request));
      case RequestClass::kControl:
        return MadeControl(control_, options_.control_calls).Send(std::move(request));
      case RequestClass::kLease:
        return MadeControl(lease_, kLeaseCalls).Send(std::move(request));
      case RequestClass::kEvent:
        if (events_ == nullptr) events_ = MakeData(kEventConnections);
        return events_->Send(std::move(request));
    }
  }

  void Open(const OpenStream& stream) override {
    auto& slot = streams_[stream.id];
    slot = std::make_unique<WatchStream>(loop_, credentials_,
                                         WatchSettings{.rest_min = options_.watch_rest_min,
                                                       .rest_max = options_.watch_rest_max,
                                                       .user_agent = options_.user_agent},
                                         sink_);
    slot->Start(stream, [this, id = stream.id] { streams_.erase(id); });
  }

  void Close(const CloseStream& stream) override { streams_.erase(stream.id); }

 private:
  [[nodiscard]] RequestClientOptions ClientOptions(std::size_t concurrency) const {
    return {.concurrency = concurrency,
            .body_bytes_max = options_.body_bytes_max,
            .user_agent = options_.user_agent};
  }
  [[nodiscard]] RequestClient::Answer ToSink() {
    return [this](Response response) { sink_.OnResponse(std::move(response)); };
  }
  [[nodiscard]] std::unique_ptr<RequestClient> MakeData(std::size_t concurrency) {
    return std::make_unique<DataClient>(loop_, credentials_, ClientOptions(concurrency), ToSink());
  }
  // A client of its own, with connections of its own, so that one class can't starve another. Made
  // when it is first needed: cpprestsdk's threads cost memory, and a worker makes no such calls.
  [[nodiscard]] RequestClient& MadeControl(std::unique_ptr<RequestClient>& client,
                                           std::size_t concurrency) {
    if (client == nullptr) client = MakeControl(concurrency);
    return *client;
  }
  [[nodiscard]] std::unique_ptr<RequestClient> MakeControl(std::size_t concurrency) {
    if (!ControlClientCanReach(credentials_->fixed())) return MakeData(concurrency);
    return std::make_unique<ControlClient>(loop_, credentials_, ClientOptions(concurrency),
                                           ToSink());
  }

  EventLoop& loop_;
  const std::shared_ptr<LiveCredentials> credentials_;
  const TransportOptions options_;
  TransportSink& sink_;
  const std::unique_ptr<RequestClient> data_;
  std::unique_ptr<RequestClient> control_{};
  std::unique_ptr<RequestClient> lease_{};
  std::unique_ptr<RequestClient> events_{};
  std::unordered_map<StreamId, std::unique_ptr<WatchStream>> streams_;
  const std::shared_ptr<char> alive_{std::make_shared<char>()};
};

}  // namespace

Result<std::unique_ptr<Transport>> MakeTransport(EventLoop& loop, Credentials credentials,
                                                 TransportOptions options, TransportSink& sink) {
  Result<std::shared_ptr<LiveCredentials>> live =
      LiveCredentials::Make(std::move(credentials), options.log);
  if (!live.ok()) return live.error();
  return std::unique_ptr<Transport>(
      std::make_unique<NetworkTransport>(loop, std::move(live).value(), std::move(options), sink));
}

const char* MethodName(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
  }
  return "GET";
}

std::string TooLateText(const std::string& url, Nanos deadline) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count();
  return url + ": no whole answer within " + std::to_string(milliseconds) +
         " ms; is it overloaded, or is something on the way?";
}

}  // namespace jobrun
