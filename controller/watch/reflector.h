// Keeps a copy of a collection in step with the API server: one complete list, then a watch that is
// resumed for as long as the server remembers, then a list again. A state machine without I/O: it
// asks its host to send and open, and is told what came back. One thread; it never reads a clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/random.h"
#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/watch/backoff.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/exchange.h"
#include "controller/wire/targets.h"

namespace jobrun {

enum class ListOutcome : std::uint8_t { kComplete, kExpired, kFailed };
enum class StreamEnd : std::uint8_t { kServer, kTransport, kExpired, kError, kRefused };

// What the reflector needs from its owner, and what it tells it. Calls come from within the
// reflector's own On… functions and must not call back into it.
class ReflectorHost {
 public:
  virtual ~ReflectorHost() = default;

  [[nodiscard]] virtual std::string ListTarget(const ListOptions& options) const = 0;
  [[nodiscard]] virtual std::string WatchTarget(const WatchOptions& options) const = 0;
  // Reads one page of a list and calls OnEvent(event, true) for each of its items.
  [[nodiscard]] virtual Result<EventDecoder::Page> ReadPage(const std::string& body) = 0;
  virtual RequestId Send(Request request) = 0;   // fills in the id
  virtual StreamId Open(OpenStream stream) = 0;  // fills in the id
  virtual void Close(StreamId stream) = 0;

  // A complete list begins. Objects are told one by one (`initial`), some of them perhaps twice;
  // what is not among them when OnReplaced comes is gone. Until then nothing is: a list that can't
  // be finished starts again with another OnListing.
  virtual void OnListing() = 0;
  virtual void OnReplaced() = 0;
  // kAdded, kModified, kDeleted or kInvalid.
  virtual void OnEvent(const Event& event, bool initial) = 0;

  // The server does not understand what the list is asked for. True: it is to be asked for
  // otherwise, from now on.
  [[nodiscard]] virtual bool AskOtherwise() { return false; }
  virtual void OnListEnded(ListOutcome outcome) = 0;
  // How long after a complete list, at least, everything is to be listed again: an API server may
  // have lost an event, or may have been given an old backup of its store. Nothing: never.
  [[nodiscard]] virtual std::optional<Nanos> ListAgainAfter() const = 0;
  virtual void OnStreamEnded(StreamEnd end) = 0;
  // Why it makes no progress; empty: it does again.
  virtual void OnProblem(std::string_view problem) = 0;
};

struct ReflectorOptions {
  std::string_view what{"JobRuns"};  // for people
  // What to do about a refusal, for people: the server has no such resource (404), or a right is
  // missing (403).
  std::string_view if_missing{};
  std::string_view if_forbidden{};
  int page_objects{500};
  // Watch timeouts are drawn between this and twice this (client-go: 5 to 10 minutes).
  std::chrono::seconds watch_timeout{300};
  // Beyond the timeout asked for; some servers and proxies do not keep it.
  std::chrono::seconds watch_slack{30};
  // Silence of an open stream. Bookmarks come about every 60 s: one may be late, not two.
  std::chrono::seconds stream_idle{90};
  // Without any event of an initial WatchList for so long, a paged list is taken instead.
  std::chrono::seconds initial_events_idle{20};
  // The same for its end: where that never comes, the events of a busy cluster don't end either. A
  // list of 100,000 runs (160 MB) takes seconds.
  std::chrono::seconds initial_events_total{120};
  // WatchLists in a row that did not even begin before a paged list is tried: proxies that buffer,
  // API servers that can't serve them.
  int watch_lists_before_pages{3};
  std::chrono::seconds list_deadline{60};
  // Failed watches in a row without an event after which the version is no longer trusted: list
  // again. Also failed requests for one page of a list before it starts from its first.
  int failures_before_relist{5};
  // An orderly end is followed by a watch at once, a forgotten version by a list; when they come
  // faster than this, after a backoff. A second is client-go's "very short watch"; a list costs the
  // server far more.
  std::chrono::seconds reopen_at_once_every{1};
  std::chrono::seconds relist_at_once_every{60};
};

class Reflector {
 public:
  // `host` outlives the reflector. `seed` makes its jitter.
  Reflector(ReflectorHost& host, const ReflectorOptions& options, std::uint64_t seed);

  void Start(Mono now);
  void OnOpened(const StreamOpened& opened, Mono now);
  void OnEvents(const StreamEvents& events, Mono now);
  void OnClosed(const StreamClosed& closed, Mono now);
  void OnResponse(const Response& response, Mono now);
  // Everything is to be told again: a list begins now, or when the one under way has ended.
  void Resync(Mono now);
  // Call at or after NextWake.
  void OnWake(Mono now);

  // Nothing when it waits only for the network.
  [[nodiscard]] std::optional<Mono> NextWake() const { return wake_; }
  [[nodiscard]] bool Synced() const { return synced_; }
  // Of the last complete list; 0 before the first, and where it is no number. What the list did not
  // have was not there then.
  [[nodiscard]] std::uint64_t ListedVersion() const { return listed_version_; }
  [[nodiscard]] bool Owns(StreamId stream) const { return stream_ == stream && stream != 0; }
  [[nodiscard]] bool OwnsRequest(RequestId request) const {
    return list_request_ == request && request != 0;
  }

  // No backoff is longer than this: far below the shortest timeout in force. Only a server that
  // asks for more (Retry-After) gets it, up to 30 s.
  void CapBackoff(Nanos cap) { backoff_cap_ = cap; }

 private:
  enum class State : std::uint8_t {
    kIdle,           // not started
    kInitialEvents,  // a WatchList that has not told everything yet
    kPages,          // a paged list under way
    kWatching,       // a watch from a known version
    kWaiting,        // between attempts
  };
  enum class Then : std::uint8_t { kList, kPage, kWatch };  // what follows kWaiting

  void BeginSync(Mono now);
  void BeginPages();
  void RequestPage();
  void BeginWatch();
  void FinishSync(std::string version, Mono now);
  void Continue(Mono now);
  void AbandonInitialEvents();
  void Wait(Then then, std::optional<std::chrono::seconds> retry_after, Mono now);
  void OnPage(const Response& response, Mono now);
  void OnListRefused(const Response& response, Mono now);
  void OnInitialEventsEnded(StreamEnd end, const StreamClosed& closed, Mono now);
  void OnWatchEnded(StreamEnd end, const StreamClosed& closed, Mono now);
  void OnStreamError(const Event& event, Mono now);
  void Apply(const Event& event, Mono now);
  void ExpectRelist();
  [[nodiscard]] Mono TimeOfNextList(Mono now);
  [[nodiscard]] std::chrono::seconds DrawTimeout();
  [[nodiscard]] Mono InitialEventsWake(Mono now) const;
  void Troubled(std::string_view doing, const std::string& detail, int status = 0);
  void Healthy();

  ReflectorHost& host_;
  ReflectorOptions options_;
  Random random_;
  Backoff backoff_{};
  Nanos backoff_cap_{std::chrono::seconds(30)};

  State state_{State::kIdle};
  Then then_{Then::kList};
  std::optional<Mono> wake_{};
  StreamId stream_{0};
  RequestId list_request_{0};
  std::string continue_token_{};
  std::string list_version_{};
  std::string version_{};  // of the last complete list
  std::uint64_t listed_version_{0};
  std::uint64_t last_event_{
      0};  // version of the last event since, 0 without one: a watch resumes there
  int page_objects_{0};
  bool synced_{false};
  bool again_{false};               // Resync was asked for while a list was under way
  Mono list_again_{Mono::max()};    // everything is listed anew then
  bool watch_list_refused_{false};  // the server does not know sendInitialEvents
  bool prefer_pages_{false};        // WatchLists did not come to their end of late
  int watch_lists_failed_{0};       // in a row, without even beginning
  Mono initial_events_until_{};     // the present WatchList is given up then
  bool opened_{false};              // the present stream has been accepted
  Mono opened_at_{};
  int failures_{0};  // of watches in a row without an event between, or of one page
  std::optional<Mono> reopened_at_once_{};
  std::optional<Mono> relisted_at_once_{};
  bool troubled_{false};
};

}  // namespace jobrun
