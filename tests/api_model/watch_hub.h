// Watches as positions in the store's log: opening one costs nothing per event, and a watch that is
// not drained holds no memory. The host decides when to drain.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "controller/base/random.h"
#include "controller/base/time.h"
#include "tests/api_model/reader.h"
#include "tests/api_model/request.h"
#include "tests/api_model/revision_store.h"
#include "tests/api_model/table.h"

namespace jobrun::api_model {

// A drain stops after about this many bytes; the rest comes with the next one.
inline constexpr std::size_t kDrainBytesMax = 256 * 1024;

struct Drained {
  std::string bytes{};  // whole lines, one event each
  bool more = false;    // drain again at once
  bool closed = false;  // the stream ends after `bytes`; the subscription is gone
};

struct WatchOptions {
  const ResourceType* type = nullptr;
  std::string prefix{};
  Selector selector{};
  Shape shape{Shape::kObject};
  IncludeObject include{IncludeObject::kMetadata};
  std::optional<Revision> from{};  // nothing or 0: what exists now comes first
  bool bookmarks = false;
  bool initial_events_end = false;  // WatchList: the end of the initial events is marked
  std::chrono::seconds timeout{};   // 0: between 30 and 60 minutes
};

// 422, 504 or the options of the watch that the request asks for.
[[nodiscard]] Or<WatchOptions> ReadWatchOptions(const ListQuery& list, const Query& query,
                                                const RevisionStore& store);

class WatchHub {
 public:
  WatchHub(const RevisionStore& store, Random& random, std::chrono::microseconds bookmark_period)
      : store_(store), random_(random), bookmark_period_(bookmark_period) {}

  SubscriptionId Open(WatchOptions options, ServerTime now);
  // Nothing is written before `now`'s bookmarks and timeout are due. An unknown id is closed.
  Drained Drain(SubscriptionId id, ServerTime now);
  void Close(SubscriptionId id) { watches_.erase(id); }
  // When Drain has something to do even if nothing changes.
  [[nodiscard]] std::optional<ServerTime> NextTimer(SubscriptionId id) const;
  [[nodiscard]] std::size_t open() const { return watches_.size(); }

 private:
  struct Watch {
    WatchOptions options{};
    Revision cursor = 0;
    std::deque<VersionPtr> initial{};
    bool mark_end = false;
    bool first_row = true;
    ServerTime deadline{};
    ServerTime next_bookmark{};
  };

  void DrainInitial(Watch& watch, ServerTime now, std::string& out) const;
  // False when the log no longer reaches the cursor.
  bool DrainChanges(Watch& watch, ServerTime now, std::string& out) const;
  void Emit(Watch& watch, const Change& change, ServerTime now, std::string& out) const;
  void EmitObject(Watch& watch, const char* kind, const Version& object, ServerTime now,
                  std::string& out) const;
  void EmitBookmark(Watch& watch, bool ends_initial, std::string& out) const;
  [[nodiscard]] ServerTime NextBookmark(const Watch& watch, ServerTime now) const;

  const RevisionStore& store_;
  Random& random_;
  std::chrono::microseconds bookmark_period_;
  std::map<SubscriptionId, Watch> watches_{};
  SubscriptionId last_id_ = 0;
};

}  // namespace jobrun::api_model
