// The other end for tests: a transport on a loop of the test's own thread, and what came back from
// it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/kube/make_transport.h"
#include "controller/wire/exchange.h"

namespace jobrun::testing {

// What came of one watch, copied out of the views.
struct Seen {
  int opened{0};
  std::vector<std::string> events{};  // "MODIFIED ns/name 7 heartbeat"
  int batches{0};
  std::vector<StreamClosed> closed{};
};

class Client : public TransportSink {
 public:
  explicit Client(Credentials credentials, TransportOptions options = {});
  ~Client() override;

  [[nodiscard]] Transport& transport() { return *transport_; }
  [[nodiscard]] EventLoop& loop() { return loop_; }

  // Sends and returns the answer. A missing id is filled in.
  Response Call(Request request);
  void Send(Request request);
  // Runs the loop until `done` holds after some callback; fails the test after 20 s.
  void RunUntil(const std::function<bool()>& done);
  // Runs whatever is due by now and in the next moment, to see that nothing comes.
  void RunFor(Nanos time);

  std::deque<Response> responses;
  std::map<StreamId, Seen> streams;
  std::function<void(const StreamEvents&)> on_events;  // called too, when set

  void OnResponse(Response response) override;
  void OnStreamOpened(const StreamOpened& opened) override;
  void OnStreamEvents(const StreamEvents& events) override;
  void OnStreamClosed(StreamClosed closed) override;

 private:
  void Check();

  EventLoop loop_;
  std::unique_ptr<Transport> transport_;
  std::function<bool()> done_;
  RequestId next_id_{1000};
};

// The text of an event, for comparisons.
[[nodiscard]] std::string Describe(const Event& event);

// Credentials for `url` that trust `ca_pem` and carry `token`.
[[nodiscard]] Credentials Trusting(const std::string& url, const std::string& ca_pem,
                                   const std::string& token = "secret");

// A directory that is removed with it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  // Writes a file whole, by renaming, as projected volumes do. Returns its path.
  std::string Write(const std::string& name, const std::string& text) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace jobrun::testing
