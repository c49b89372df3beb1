// Follows the runs of a scope: all there are, then each change.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "controller/watch/reflector.h"
#include "worker/cli/api_client.h"
#include "worker/cli/run_row.h"

namespace jobrun {

// What a RunFollower tells, on the loop's thread; not to call back into it.
class RunListener {
 public:
  virtual ~RunListener() = default;
  // A run that is new, has changed, or is gone (`deleted`: its last known state, of one that went
  // unseen its names only).
  virtual void OnRun(const RunRow& row, bool is_new) = 0;
  // After whatever came together; `whole`: everything there is has been told.
  virtual void OnTurn(bool whole) = 0;
};

// Belongs to the loop's thread. Of each run it keeps its names and version.
class RunFollower final : private ReflectorHost, private WatchListener {
 public:
  RunFollower(ApiClient& client, WatchScope scope, RunListener& listener);
  ~RunFollower() override;

  void Start();

 private:
  struct Known {
    std::string name_space{};
    std::string name{};
    std::uint64_t resource_version{0};
    bool seen{true};  // by the list under way
  };

  std::string ListTarget(const ListOptions& options) const override;
  std::string WatchTarget(const WatchOptions& options) const override;
  Result<EventDecoder::Page> ReadPage(const std::string& body) override;
  RequestId Send(Request request) override;
  StreamId Open(OpenStream stream) override;
  void Close(StreamId stream) override;
  void OnListing() override;
  void OnReplaced() override;
  void OnEvent(const Event& event, bool initial) override;
  void OnListEnded(ListOutcome) override {}
  void OnStreamEnded(StreamEnd) override {}
  void OnProblem(std::string_view problem) override;

  void OnStreamOpened(const StreamOpened& opened) override;
  void OnStreamEvents(const StreamEvents& events) override;
  void OnStreamClosed(const StreamClosed& closed) override;

  void Turned();

  ApiClient& client_;
  const WatchScope scope_;
  RunListener& listener_;
  EventDecoder decoder_{};
  std::unordered_map<Uid, Known, UidHash> known_{};
  StreamId stream_{0};
  RequestId request_{0};
  Timer wake_;
  Reflector reflector_;
};

}  // namespace jobrun
