// Makes Kubernetes Events of what the engine tells, as client-go's recorder does: what happens
// again is counted on the Event that is there, and too many about one run are dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "controller/app/lru_map.h"
#include "controller/base/random.h"
#include "controller/base/time.h"
#include "controller/engine/io.h"
#include "controller/engine/token_bucket.h"
#include "controller/wire/event_object.h"

namespace jobrun {

// Sans-IO: it is told times and answers, and says what to do as effects (SendRequest, Count,
// LogLine). Events are best effort: whatever fails, the controller neither stops nor turns unready
// for it. One thread owns it.
class EventRecorder {
 public:
  // A series has ended when nothing was added to it for so long (client-go tools/events,
  // finishTime).
  static constexpr Nanos kFinishAfter = std::chrono::minutes(6);
  // A series that goes on is written no more often (client-go tools/events, refreshTime).
  static constexpr Nanos kRefreshEvery = std::chrono::minutes(30);
  // How often one write is tried, and how long it waits in between, and up to a quarter longer
  // (client-go tools/events, maxTriesPerEvent and defaultSleepDuration).
  static constexpr int kTriesMax = 12;
  static constexpr Nanos kTryAgain = std::chrono::seconds(10);
  // Events remembered, those that wait to be written included (client-go tools/events,
  // maxQueuedEvents). What was not seen for longest goes first.
  static constexpr std::size_t kEventsMax = 1000;
  // Requests about one run: so many at once, and then one in so many seconds (client-go
  // tools/record, defaultSpamBurst and defaultSpamQPS). The closing count of a series is free.
  static constexpr double kBurst = 25;
  static constexpr double kSecondsPerToken = 300;
  // Runs whose requests are counted (client-go tools/record, maxLruCacheEntries). A run that was
  // forgotten may send a whole burst again.
  static constexpr std::size_t kBucketsMax = 4096;
  // Requests at the same time: Events share their connections with lists and must not fill them.
  static constexpr std::size_t kInFlightMax = 4;
  // Lines about Events that were lost come no more often.
  static constexpr Nanos kSayAgain = std::chrono::minutes(1);

  // `instance`: which process reports. `seed`: for jitter, and to keep the names of Events apart
  // from those of other processes.
  EventRecorder(std::string instance, std::uint64_t seed);

  // Whether an answer belongs to this; the engine's own ids are far below.
  [[nodiscard]] static bool Owns(RequestId id) { return (id & kOwnIds) != 0; }

  // The event must have its time.
  void Record(EmitEvent event, Mono now, Effects& effects);
  void OnResponse(const Response& response, Mono now, Effects& effects);
  // Sends what is due. Early calls are harmless.
  void OnWake(Mono now, Effects& effects);
  // When OnWake has something to do; max when only an answer can tell.
  [[nodiscard]] Mono NextWake() const;

 private:
  static constexpr RequestId kOwnIds = RequestId{1} << 63U;

  // Events alike in all this are one series, whatever they say: client-go's eventKey, but for the
  // run's resourceVersion, by which no two of them would be alike.
  struct Key {
    Uid uid{};
    EventSeverity severity{};
    std::string reason{};
    std::string action{};
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return UidHash()(key.uid) ^ std::hash<std::string_view>()(key.reason);
    }
  };
  struct Series;
  using Agenda = std::multimap<Mono, Series*>;
  // An Event, and how often it has happened.
  struct Series {
    RunEvent event{};  // as it was told first
    std::string name{};
    ServerTime began{};
    ServerTime last_observed{};
    Mono seen{};                   // when it last happened
    std::uint32_t count{1};        // how often it happened
    std::uint32_t written{0};      // the count that the API server has; 0: it has no such Event
    std::uint32_t in_flight{0};    // the count in the request under way; 0 without one
    Mono write_at{};               // not before; max: not before its end
    int failures{0};               // in a row
    Agenda::iterator looked_at{};  // in agenda_, unless a request is under way
  };
  struct Flight {
    Series* series{nullptr};  // null once it was forgotten
    bool creates{false};
  };

  static void CountIfLost(const Series& series, Effects& effects);
  [[nodiscard]] bool TakeToken(Uid uid, Mono now);
  void Begin(const Key& key, RunEvent event, Mono now);
  void Repeat(Series& series, ServerTime at, Mono now);
  void LookAt(Series& series, Mono at);
  void Look(Series& series, Mono now, Effects& effects);
  void Send(Series& series, Effects& effects);
  void OnWritten(Series& series, bool created, Mono now);
  void OnFailed(Series& series, const Response& response, Mono now, Effects& effects);
  void Drop(Series& series);
  void Detach(Series& series);
  void TellLoss(const Series& series, const Response& response, Mono now, Effects& effects);
  [[nodiscard]] std::uint64_t StampFor(ServerTime at);

  std::string instance_;
  Random random_;
  std::uint64_t salt_;
  std::uint64_t last_stamp_{0};
  RequestId next_id_{kOwnIds};
  LruMap<Key, Series, KeyHash> series_{kEventsMax};
  LruMap<Uid, TokenBucket, UidHash> buckets_{kBucketsMax};
  Agenda agenda_;  // when to look at which one
  std::unordered_map<RequestId, Flight> flights_;
  Mono throttled_until_{};  // the server said "later"
  bool told_forbidden_{false};
  Mono tell_again_{};
};

}  // namespace jobrun
