// The part of the API that the controller asks for, played from a Workload: watch, list, read,
// status write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tests/bench/loadserver/canary_runs.h"
#include "tests/bench/loadserver/connection.h"
#include "tests/bench/loadserver/run_text.h"
#include "tests/bench/loadserver/workload.h"

namespace jobrun::bench {

struct ApiOptions {
  bool watch_lists{
      true};  // otherwise sendInitialEvents is refused, as by servers that don't know it
};

// One thread. Connections must be told of before they ask and until they are gone.
class Api {
 public:
  Api(Workload& workload, RunText& text, ApiOptions options)
      : workload_(workload), text_(text), options_(options) {}

  void OnRequest(Connection& from, const HttpRequest& request, Workload::Time now);
  void OnClosed(Connection& connection) {
    watches_.erase(&connection);
    canaries_.OnClosed(connection);
  }
  // Goes on with what a watch is still to be told, as far as its connection takes it.
  void Continue(Connection& connection, Workload::Time now);
  // Sends the heartbeats that are due, and bookmarks. False from a connection ends it, which Read
  // tells.
  void Tick(Workload::Time now);

  struct Counts {
    std::uint64_t patches{0};
    std::uint64_t lists{0};
    std::uint64_t watches{0};
    std::uint64_t reads{0};
    std::uint64_t others{0};  // refused with 404
    std::uint64_t initial_events{0};
    std::uint64_t events{0};       // after the initial ones
    std::uint64_t pending_max{0};  // most bytes that waited for a client
  };
  [[nodiscard]] const Counts& Counted() const { return counts_; }

 private:
  // A watch first gets every run there is (kInitial, then a bookmark) or goes on at once, then
  // whatever changed since `from` (kReplay), then what happens (kLive).
  enum class Phase : std::uint8_t { kInitial, kReplay, kLive };
  struct Watch {
    Phase phase{Phase::kLive};
    std::uint32_t next{0};  // the run that is told next
    std::uint64_t from{0};  // versions after this are news
    Mono bookmark_due{};
  };

  void StartWatch(Connection& from, const HttpRequest& request, Workload::Time now);
  void List(Connection& from, const HttpRequest& request, Workload::Time now);
  void Read(Connection& from, std::uint32_t number, Workload::Time now);
  void Patch(Connection& from, std::uint32_t number, const HttpRequest& request,
             Workload::Time now);
  void Tell(std::uint32_t number);
  void AppendEvent(std::uint32_t number, RunText::Event event, std::string& out);
  void Bookmark(Connection& to, std::uint64_t version, bool initial_events_end);

  Workload& workload_;
  RunText& text_;
  ApiOptions options_;
  std::unordered_map<Connection*, Watch> watches_;
  CanaryRuns canaries_{};
  Counts counts_{};
  std::string scratch_{};
};

}  // namespace jobrun::bench
