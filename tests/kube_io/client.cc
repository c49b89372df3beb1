#include "tests/kube_io/client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "controller/base/real_clock.h"

namespace jobrun::testing {
namespace {

constexpr Nanos kTestPatience = std::chrono::minutes(2);

const char* TypeName(EventType type) {
  switch (type) {
    case EventType::kAdded:
      return "ADDED";
    case EventType::kModified:
      return "MODIFIED";
    case EventType::kDeleted:
      return "DELETED";
    case EventType::kBookmark:
      return "BOOKMARK";
    case EventType::kError:
      return "ERROR";
    case EventType::kInvalid:
      return "INVALID";
  }
  return "?";
}

}  // namespace

Client::Client(Credentials credentials, TransportOptions options) {
  Result<std::unique_ptr<Transport>> made =
      MakeTransport(loop_, std::move(credentials), std::move(options), *this);
  if (!made.ok()) throw std::runtime_error(made.error().ToString());
  transport_ = std::move(made).value();
}

Client::~Client() = default;

Response Client::Call(Request request) {
  if (request.id == 0) request.id = ++next_id_;
  const RequestId id = request.id;
  Send(std::move(request));
  RunUntil([&] { return !responses.empty() && responses.back().id == id; });
  if (responses.empty()) return {};
  Response response = std::move(responses.back());
  responses.pop_back();
  return response;
}

void Client::Send(Request request) {
  const std::size_t before = responses.size();
  transport_->Send(std::move(request));
  EXPECT_EQ(responses.size(), before) << "called back from within Send";
}

void Client::RunUntil(const std::function<bool()>& done) {
  done_ = done;
  if (done_()) return;
  loop_.SetWake(ReadClocks().mono + kTestPatience, [this] {
    ADD_FAILURE() << "what the test waits for did not come";
    loop_.Stop();
  });
  loop_.Run();
  loop_.ClearWake();
  done_ = nullptr;
}

void Client::RunFor(Nanos time) {
  loop_.SetWake(ReadClocks().mono + time, [this] { loop_.Stop(); });
  loop_.Run();
}

void Client::Check() {
  if (done_ && done_()) loop_.Stop();
}

void Client::OnResponse(Response response) {
  responses.push_back(std::move(response));
  Check();
}

void Client::OnStreamOpened(const StreamOpened& opened) {
  ++streams[opened.id].opened;
  Check();
}

void Client::OnStreamEvents(const StreamEvents& events) {
  Seen& seen = streams[events.id];
  ++seen.batches;
  for (const Event& event : events.events) seen.events.push_back(Describe(event));
  if (on_events) on_events(events);
  Check();
}

void Client::OnStreamClosed(StreamClosed closed) {
  const StreamId id = closed.id;
  streams[id].closed.push_back(std::move(closed));
  Check();
}

std::string Describe(const Event& event) {
  std::string text = TypeName(event.type);
  text += " " + std::string(event.run.name_space) + "/" + std::string(event.run.name);
  text += " rv=" + std::to_string(event.run.resource_version);
  text += " beat=" + std::string(event.run.last_heartbeat_at);
  if (event.status_code != 0) text += " code=" + std::to_string(event.status_code);
  if (!event.message.empty()) text += " message=" + std::string(event.message);
  return text;
}

Credentials Trusting(const std::string& url, const std::string& ca_pem, const std::string& token) {
  Credentials credentials;
  credentials.origin = "the test";
  credentials.server = ParseServerUrl(url).value();
  credentials.ca.inline_pem = ca_pem;
  credentials.token = token;
  return credentials;
}

TempDir::TempDir() {
  std::string name = std::filesystem::temp_directory_path() / "kube_io_XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path target = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(target.parent_path());
  const std::filesystem::path fresh = target.string() + ".new";
  std::ofstream(fresh, std::ios::binary) << text;
  std::filesystem::rename(fresh, target);
  return target;
}

}  // namespace jobrun::testing
