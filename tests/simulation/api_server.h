// The API server of the simulation: JobRuns, Leases and Pods over one revision counter, with the
// answers, guards and watches that tests/api_model gives, at a hundredth of its cost (measured;
// docs/decisions/2026-11-22-simulation.md). api_server_test.cc holds the two together. It keeps
// every change there ever was: the history that the oracles judge by.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/random.h"
#include "controller/wire/exchange.h"
#include "tests/simulation/object.h"

namespace jobrun::simulation {

// What the controller calls itself.
inline constexpr std::string_view kControllerManager = "jobrun-controller";

// One request, as far as the server cares.
struct Call {
  Method method{Method::kGet};
  std::string target{};
  std::string content_type{};
  std::string body{};
  std::string manager{"simulation"};  // what the client calls itself
};

struct Reply {
  int status{200};
  std::string body{};
};

enum class ChangeType : std::uint8_t { kAdded, kModified, kDeleted };

struct Change {
  std::uint64_t version{0};
  ChangeType type{ChangeType::kAdded};
  ObjectPtr object{};  // of a deletion the last content, in the deletion's version
  ObjectPtr before{};
  Nanos at{};  // true time
  bool by_controller{false};
};

// What a fieldSelector asks for; empty: all.
struct Selector {
  std::string lane{};
  std::string key{};
  std::vector<std::string> phases_not{};
  std::vector<std::string> retries_not{};

  [[nodiscard]] bool Selects(const Object& object) const;
};

// Where one watch stands.
struct WatchCursor {
  Kind kind{Kind::kRun};
  std::string name_space{};  // empty: all
  Selector selector{};
  Change told{};             // the last one that the selection made another one of
  std::uint64_t version{0};  // told up to here
  std::vector<ObjectPtr> initial{};
  bool marks_end{false};  // a bookmark says that the initial events are told
  bool expired{false};    // its version is forgotten
  std::chrono::seconds timeout{0};
};

class ApiServer {
 public:
  ApiServer(std::uint64_t seed, ServerTime epoch) : random_(seed), epoch_(epoch) {}
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Whoever wants to know of every change; called within Handle.
  void SetObserver(std::function<void(const Change&)> observer) { observer_ = std::move(observer); }

  [[nodiscard]] Reply Handle(const Call& call, Nanos at);
  // A watch; nothing when it is refused, with the reason in `refusal`.
  [[nodiscard]] std::optional<WatchCursor> OpenWatch(std::string_view target, Reply& refusal);
  // The next change that concerns the watch and happened by `until`; null when there is none. Moves
  // the cursor past all that does not concern it. What leaves the selection is deleted, with the
  // content from before, in the version of the change.
  [[nodiscard]] const Change* NextChange(WatchCursor& cursor, Nanos until);

  [[nodiscard]] ServerTime TimeAt(Nanos at) const {
    return epoch_ + std::chrono::duration_cast<ServerTime::duration>(at);
  }
  [[nodiscard]] std::uint64_t Version() const { return version_; }
  [[nodiscard]] ObjectPtr Find(Kind kind, std::string_view key) const;
  [[nodiscard]] const std::map<std::string, ObjectPtr, std::less<>>& All(Kind kind) const {
    return objects_.at(static_cast<std::size_t>(kind));
  }
  [[nodiscard]] const std::deque<Change>& History() const { return history_; }

  // ---- faults ----
  // Forgets what was before now, as etcd's compaction does.
  void Compact() { compacted_ = version_; }
  // Deletes the resource, with all runs; until `served` again it is not found.
  void SetServed(bool served, Nanos at);
  // Nothing is created while it lasts.
  void SetQuota(bool exceeded) { quota_ = exceeded; }
  // Lists are cut into pages of so many.
  void SetPage(std::size_t objects) { page_ = objects; }
  // etcd is restored from a backup that was made `changes` changes ago.
  void Rewind(std::size_t changes, Nanos at);
  // Whether runs can be selected by their retry's state; otherwise who asks for that is refused.
  void SetSelects(bool selects) { selects_ = selects; }
  // Puts an object there that no rule allows.
  void Poison(const std::string& key, Nanos at);

 private:
  struct Place {
    Kind kind{Kind::kRun};
    std::string_view name_space{};
    std::string_view name{};
    bool status{false};
    std::string_view query{};
  };
  struct Pages {
    std::uint64_t version{0};
    std::vector<ObjectPtr> left{};
  };

  static std::optional<Place> Parse(std::string_view target);
  Reply List(const Place& place);
  Reply Create(const Place& place, const Call& call, Nanos at);
  Reply Patch(const Place& place, const Call& call, Nanos at);
  Reply Delete(const Place& place, const Call& call, Nanos at);
  Reply Put(ObjectPtr before, Object next, Nanos at);
  void Remove(const ObjectPtr& object, Nanos at);
  void Record(Change change);
  static const Change* Told(WatchCursor& cursor, const Change& change, bool comes);
  static Reply CantSelect();
  std::map<std::string, ObjectPtr, std::less<>>& Objects(Kind kind) {
    return objects_.at(static_cast<std::size_t>(kind));
  }

  Random random_;
  ServerTime epoch_;
  std::uint64_t version_{100};
  std::uint64_t compacted_{100};
  std::array<std::map<std::string, ObjectPtr, std::less<>>, 3> objects_{};
  std::deque<Change> history_{};
  std::size_t live_from_{0};  // changes before this one were undone by a restore, or are its past
  std::function<void(const Change&)> observer_{};
  std::map<std::string, Pages, std::less<>> pages_{};
  std::uint64_t tokens_{0};
  std::size_t page_{500};
  bool served_{true};
  bool quota_{false};
  bool selects_{true};
  bool by_controller_{false};  // the write that is being carried out
};

// The value of a parameter in a query, decoded.
[[nodiscard]] std::string Parameter(std::string_view query, std::string_view name);
[[nodiscard]] std::string StatusText(int code, std::string_view reason, std::string_view message);
// A line of a watch.
[[nodiscard]] std::string EventLine(std::string_view type, std::string_view object);
[[nodiscard]] std::string BookmarkLine(Kind kind, std::uint64_t version, bool ends_initial);

}  // namespace jobrun::simulation
