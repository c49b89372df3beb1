// What is still to be done for runs that ended: deciding whether they are retried, creating the
// successor, deleting them when their time is over. The object's status.retry is the record:
// whatever is lost here is resumed from there.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "controller/engine/core.h"
#include "controller/engine/intake.h"
#include "controller/engine/token_bucket.h"
#include "controller/verdict/retry_plan.h"
#include "controller/wire/status_patch.h"

namespace jobrun {

// A decision about a retry, as it is recorded in the same write as the verdict.
struct DecidedRetry {
  RetryState state{RetryState::kNotDue};
  std::string successor_name{};
  std::optional<ServerTime> not_before{};

  [[nodiscard]] RetryRecord Record() const {
    return {.state = state, .successor_name = successor_name, .not_before = not_before};
  }
};

class Outbox {
 public:
  // What was asked of the API server may be carried out so much later: it works on a request for a
  // minute (--request-timeout), and was sent within kWriteDeadline. The rest is for a record of the
  // successor that fails meanwhile.
  static constexpr std::chrono::minutes kCreationMax{2};

  Outbox(Core& core, Intake& intake, EventDecoder& decoder);

  [[nodiscard]] DecidedRetry Decide(const RunRecord& record, const EndedRun& run);

  // Takes in a terminal run as it was just seen; counts what of ours has committed.
  void OnSeen(Slot slot, const ObservedRun& run);
  // Looks again: its timer fired, or the policies were resolved anew.
  void Attend(Slot slot);
  void Forget(Uid uid);
  [[nodiscard]] bool Has(Uid uid) const { return items_.contains(uid); }
  // Whether the end of its retry was sent and the outcome is not known; whether an answer is to
  // come.
  [[nodiscard]] bool AwaitsOutcome(Uid uid) const;
  [[nodiscard]] bool IsWriting(Uid uid) const;
  // When the run is to be deleted; nothing: never, as things are.
  [[nodiscard]] std::optional<ServerTime> DeletedAt(const Policy& policy,
                                                    const ObservedRun& run) const;
  // Whether it is this controller that deletes the run, and so soon after its end.
  [[nodiscard]] bool DeletesWithin(const RunRecord& record, Seconds time) const;
  // A retry that was settled together with the verdict; `run` has its state.
  void CountSettled(const RunRecord& record, const ObservedRun& run);

  // Sends what is due, as far as limits allow. Call at the end of each step.
  void Pump();
  [[nodiscard]] bool Owns(RequestId id) const { return in_flight_.contains(id); }
  void OnResponse(const Response& response);

  void OnSettings();
  void Stop() { stopping_ = true; }
  [[nodiscard]] std::size_t InFlight() const { return in_flight_.size(); }
  [[nodiscard]] std::size_t Queued() const { return queue_.size(); }
  [[nodiscard]] std::optional<Mono> NextWake() const;

 private:
  enum class Work : std::uint8_t { kDecide, kCreate, kDelete };
  enum class Step : std::uint8_t {
    kReadParent,
    kWriteState,
    kWriteRefusal,
    kReadSuccessor,
    kListKey,
    kCreate,
    kDeleteTwin,
    kReadOrigin,
    kDelete,
  };
  // A run with work left. Everything from `parent` on belongs to the pass under way.
  struct Item {
    Slot slot{kNoSlot};
    Work work{Work::kDecide};
    ServerTime from{ServerTime::min()};  // kCreate: not before; kDelete: it ended
    // kDelete, of a successor: until then a creation of it may be under way.
    ServerTime created_by{ServerTime::min()};
    Mono held_until{Mono::min()};
    int failures{0};
    bool busy{false};                     // queued, or a pass is under way
    std::string refusal{};                // the last one recorded as a condition
    std::optional<RetryState> writing{};  // the state that is being recorded
    std::optional<RetryState> lost{};     // one whose answer was lost: it may be recorded
    Mono creating_until{Mono::min()};     // a creation without an answer may be carried out

    std::string parent{};  // the whole object
    std::uint64_t version{0};
    std::string key{};   // concurrencyKey
    std::string lock{};  // in keys_
    Uid origin{};        // whose successor it is
    std::string origin_name{};
    std::string successor_name{};
    std::string reason{};
    std::uint32_t attempt{1};
    std::optional<std::int32_t> exit_code{};
    Uid successor{};
    std::uint64_t successor_version{0};
    ServerTime successor_created{};
    bool successor_unclaimed{false};
    bool contested{false};  // the API server says that its name is taken
  };
  struct Flight {
    Uid uid;
    Step step;
  };

  [[nodiscard]] std::optional<Item> WorkLeft(const RunRecord& record, const ObservedRun& run) const;
  [[nodiscard]] ServerTime EndOf(const ObservedRun& run) const;
  // When a creation of it can't be under way any more.
  [[nodiscard]] static ServerTime CreatedBy(const ObservedRun& run);
  // Nothing: never, as things are.
  [[nodiscard]] std::optional<ServerTime> DueAt(const Item& item) const;
  [[nodiscard]] bool Allowed(const RunRecord& record) const;
  // Nothing new may be sent.
  [[nodiscard]] bool Idle() const { return stopping_ || !core_.leading; }
  void Begin(Uid uid);
  void Send(Uid uid, Step step, Request request);
  // The pass is over; the item is looked at again when it is next due.
  void Finish(Uid uid);
  // The same, after a failure: with a wait that grows.
  void Hold(Uid uid);

  void Act(Uid uid, Item& item);
  [[nodiscard]] bool TakeIn(Uid uid, Slot slot, const ObservedRun& run);
  void OnParent(Uid uid, Item& item, const Response& response);
  void OnWritten(Uid uid, Item& item, const Response& response);
  void OnSuccessor(Uid uid, Item& item, const Response& response);
  void OnKeyListed(Uid uid, Item& item, const Response& response);
  void OnCreated(Uid uid, Item& item, const Response& response);
  void OnTwinDeleted(Uid uid, Item& item, const Response& response);
  void OnOrigin(Uid uid, Item& item, const Response& response);
  void OnDeleted(Uid uid, const Response& response);
  void Failed(Uid uid, const Response& response, std::string_view doing);

  void Delete(Uid uid, const Item& item);
  void WriteDecision(Uid uid, Item& item);
  void WriteState(Uid uid, Item& item, RetryState state);
  void ReadSuccessor(Uid uid, const Item& item);
  void ListKey(Uid uid, const Item& item);
  void Create(Uid uid, const Item& item);
  void Refused(Uid uid, Item& item, const Response& response);
  static void TakeSuccessor(Item& item, const ObservedRun& run);

  [[nodiscard]] bool LockKey(Item& item);
  void UnlockKey(Item& item);
  [[nodiscard]] const std::string& NamespaceOf(const Item& item) const;
  void Log(LogLevel level, std::string message, const Item& item, std::string_view detail);

  Core& core_;
  Intake& intake_;
  EventDecoder& decoder_;
  TokenBucket rate_;
  std::unordered_map<Uid, Item, UidHash> items_;
  std::deque<Uid> queue_;
  std::unordered_map<RequestId, Flight> in_flight_;
  std::unordered_set<std::string> keys_;  // locked: one creation per key at a time
  Mono throttled_until_{};
  bool stopping_{false};
};

}  // namespace jobrun
