#include "worker/cli/api_client.h"

#include <optional>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/kube/make_transport.h"

namespace jobrun {
namespace {

// Of one worker: a claim, heartbeats and reports of what it works on.
constexpr std::size_t kConnections = 8;

}  // namespace

ApiClient::ApiClient(EventLoop& loop, const Credentials& credentials, LogSink& log)
    : loop_(loop),
      log_(log),
      name_space_(credentials.name_space),
      server_(credentials.server.Url()),
      stamp_(ReadWallClock) {}

ApiClient::~ApiClient() = default;

Result<std::unique_ptr<ApiClient>> ApiClient::Connect(EventLoop& loop, Credentials credentials,
                                                      LogSink& log) {
  std::unique_ptr<ApiClient> client(new ApiClient(loop, credentials, log));
  auto transport = MakeTransport(
      loop, std::move(credentials),
      {.data_connections = kConnections, .user_agent = "jobrun/" JOBRUN_VERSION, .log = &log},
      *client);
  if (!transport) return transport.error();
  client->transport_ = std::move(*transport);
  return client;
}

RequestId ApiClient::Send(Request request, Answer answer) {
  request.id = ++last_id_;
  answers_.emplace(request.id, std::move(answer));
  transport_->Send(std::move(request));
  return last_id_;
}

Response ApiClient::Call(Request request) {
  std::optional<Response> answer;
  Send(std::move(request), [&](const Response& response) {
    answer = response;
    loop_.Stop();
  });
  while (!answer) loop_.Run();  // something else may have stopped it
  return std::move(*answer);
}

StreamId ApiClient::Open(OpenStream stream, WatchListener& listener) {
  stream.id = ++last_id_;
  listeners_[stream.id] = &listener;
  transport_->Open(stream);
  return last_id_;
}

void ApiClient::Close(StreamId stream) {
  if (listeners_.erase(stream) > 0) transport_->Close({stream});
}

void ApiClient::OnResponse(Response response) {
  stamp_.Observe(response.date, response.received_at);
  auto waiting = answers_.extract(response.id);
  if (!waiting.empty()) waiting.mapped()(response);
}

void ApiClient::OnStreamOpened(const StreamOpened& opened) {
  stamp_.Observe(opened.date, opened.received_at);
  const auto found = listeners_.find(opened.id);
  if (found != listeners_.end()) found->second->OnStreamOpened(opened);
}

void ApiClient::OnStreamEvents(const StreamEvents& events) {
  const auto found = listeners_.find(events.id);
  if (found != listeners_.end()) found->second->OnStreamEvents(events);
}

void ApiClient::OnStreamClosed(StreamClosed closed) {
  auto gone = listeners_.extract(closed.id);
  if (!gone.empty()) gone.mapped()->OnStreamClosed(closed);
}

}  // namespace jobrun
