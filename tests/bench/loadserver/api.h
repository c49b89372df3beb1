// The part of the API that the controller asks for, played from a Workload: watch, list, read,
// status write; and what it needs beside the runs: canaries, Leases, Events.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tests/bench/loadserver/canary_runs.h"
#include "tests/bench/loadserver/connection.h"
#include "tests/bench/loadserver/election_leases.h"
#include "tests/bench/loadserver/field_selector.h"
#include "tests/bench/loadserver/run_text.h"
#include "tests/bench/loadserver/workload.h"

namespace jobrun::bench {

struct ApiOptions {
  bool watch_lists{
      true};  // otherwise sendInitialEvents is refused, as by servers that don't know it
  std::chrono::milliseconds write_delay{0};  // how long a status write of a run takes
};

// One thread. Connections must be told of before they ask and until they are gone.
class Api {
 public:
  Api(Workload& workload, RunText& text, ApiOptions options)
      : workload_(workload), text_(text), options_(options) {}

  void OnRequest(Connection& from, const HttpRequest& request, Workload::Time now);
  void OnClosed(Connection& connection);
  // Goes on with what a watch is still to be told, as far as its connection takes it.
  void Continue(Connection& connection, Workload::Time now);
  // Sends the heartbeats that are due, and bookmarks. False from a connection ends it, which Read
  // tells.
  void Tick(Workload::Time now);
  // Commits and answers the writes whose time has come. Call after all requests that came together
  // were told of, and often.
  void AnswerWrites(Workload::Time now);

  struct Counts {
    std::uint64_t patches{0};
    std::uint64_t lists{0};
    std::uint64_t watches{0};
    std::uint64_t reads{0};
    std::uint64_t told{0};    // Kubernetes Events
    std::uint64_t others{0};  // refused with 404
    std::uint64_t initial_events{0};
    std::uint64_t events{0};       // after the initial ones
    std::uint64_t pending_max{0};  // most bytes that waited for a client
    std::uint64_t writes_max{0};   // most status writes that were under way together
    Nanos writes_took{};           // all of them, from arrival to answer
  };
  [[nodiscard]] const Counts& Counted() const { return counts_; }
  [[nodiscard]] const CanaryRuns& Canaries() const { return canaries_; }
  [[nodiscard]] const ElectionLeases& Leases() const { return leases_; }

 private:
  // A watch first gets every run there is (kInitial, then a bookmark) or goes on at once, then
  // whatever changed since `from` (kReplay), then what happens (kLive).
  enum class Phase : std::uint8_t { kInitial, kReplay, kLive };
  struct Watch {
    Phase phase{Phase::kLive};
    std::uint32_t next{0};  // the run that is told next
    std::uint64_t from{0};  // versions after this are news
    Mono bookmark_due{};
    FieldSelector selector{};
  };
  struct Write {
    Connection* from{nullptr};  // null: it is gone
    std::uint32_t number{0};
    std::uint64_t guard{0};
    Verdict verdict{};
    Mono arrived{};
  };

  void StartWatch(Connection& from, const HttpRequest& request, Workload::Time now);
  void List(Connection& from, const HttpRequest& request, Workload::Time now);
  void Read(Connection& from, std::uint32_t number, Workload::Time now);
  void Patch(Connection& from, std::uint32_t number, const HttpRequest& request,
             Workload::Time now);
  void Commit(Write& write, Workload::Time now);
  void Tell(std::uint32_t number, RunText::Event event);
  void AppendInitial(std::uint32_t number, Watch& watch, Workload::Time now);
  void AppendEvent(std::uint32_t number, RunText::Event event, std::string& out);
  void Bookmark(Connection& to, std::uint64_t version, bool initial_events_end);

  Workload& workload_;
  RunText& text_;
  ApiOptions options_;
  std::unordered_map<Connection*, Watch> watches_;
  std::deque<Write> writes_{};  // in the order of their arrival
  CanaryRuns canaries_{};
  ElectionLeases leases_{};
  Counts counts_{};
  std::string scratch_{};
};

}  // namespace jobrun::bench
