// The canaries: JobRuns that the replicas of the controller beat for exactly as workers do, each
// for its own. A beat of any of them that is seen to come back on the watch proves that workers can
// write and that we see it: the silence clock runs on such evidence only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "controller/engine/collection_watch.h"
#include "controller/engine/core.h"
#include "controller/engine/replica.h"

namespace jobrun {

class Canaries {
 public:
  // For so many of its periods the silence clock runs on without a beat.
  static constexpr int kRunOnPeriods = 2;
  // A canary that did not beat for so long, on the silence clock, is that of a replica that is
  // gone.
  static constexpr Nanos kGoneAfter = std::chrono::minutes(5);

  struct Parts {
    Core& core;
    EventDecoder& decoder;
  };
  Canaries(Parts parts, Replica replica, std::uint64_t seed);
  ~Canaries();
  Canaries(const Canaries&) = delete;
  Canaries& operator=(const Canaries&) = delete;

  void Start();
  void OnSettings();
  // Nothing more is sent. The own canary stays: its last beat tells the next process how long
  // nobody looked.
  void Stop();

  // Whether it is known since when nobody looked; until then the age of a run can't be told. Always
  // true without canaries.
  [[nodiscard]] bool Known() const { return !watch_ || known_; }

  // Every run has been listed since the start; call it as long as that holds.
  void OnRunsKnown();

  // Beats, mends and clears away what is due. Call at the end of each step.
  void Pump();
  [[nodiscard]] std::optional<Mono> NextWake() const;

  [[nodiscard]] bool Owns(RequestId id) const { return in_flight_ == id || removals_.contains(id); }
  void OnResponse(const Response& response);

  // Null without canaries.
  [[nodiscard]] CollectionWatch* TheWatch() const;
  // Their namespace does not exist.
  [[nodiscard]] bool IsHomeless() const { return homeless_; }
  // Why no canary is seen, or the own one does not beat; empty when all is well.
  [[nodiscard]] const std::string& Problem() const;

 private:
  class Watch;
  struct Canary {
    Uid uid{};
    std::uint64_t resource_version{0};
    std::uint64_t beat{0};              // hash of lastHeartbeatAt as the watch told it
    std::optional<ServerTime> stamp{};  // when it was written, by the API server
    std::optional<ServerTime> writable_since{};
    Silence seen{};  // when the present beat was first seen
    std::uint16_t epoch{0};
  };
  // The own one, as the newest of watch and answers has it.
  enum class Own : std::uint8_t { kUnknown, kAbsent, kPending, kRunning, kEnded, kLeaving };
  enum class Doing : std::uint8_t { kReading, kCreating, kClaiming, kBeating, kDeleting };

  void OnEvent(const Event& event, bool initial, std::uint16_t epoch);
  void OnListed(std::uint16_t epoch);
  void Reckon();
  [[nodiscard]] std::optional<ServerTime> NewestBeat() const;
  [[nodiscard]] ServerTime WritableSinceAt(ServerTime newest) const;
  [[nodiscard]] bool SaidLate(const ObservedRun& run, std::optional<ServerTime> stamp) const;
  void NoteEvidence(const Event& event);
  void NoteRoundTrip(std::uint64_t beat);
  void TakeOwn(const ObservedRun& run);
  [[nodiscard]] static Doing DoingFor(Own own);
  void SendNext();
  void Send(Doing doing, Request request);
  void RemoveGone();
  void OnDone(const Response& response);
  void Report(const Response& response);
  [[nodiscard]] Nanos Period() const { return core_.settings.canary.period; }
  // In microseconds: a stamp may be millennia away.
  [[nodiscard]] ServerTime::duration RunOn() const {
    return std::chrono::duration_cast<ServerTime::duration>(kRunOnPeriods * Period());
  }

  Core& core_;
  EventDecoder& decoder_;
  Replica replica_;
  std::string name_;
  std::unique_ptr<Watch> watch_;
  bool known_{false};
  bool stopping_{false};
  std::map<std::string, Canary> canaries_;  // by name
  Own own_{Own::kUnknown};
  Uid own_uid_{};
  std::uint64_t own_version_{0};
  RequestId in_flight_{0};
  Doing doing_{};
  Mono next_{};  // nothing is sent before
  ServerTime last_beat_{};
  std::uint64_t sent_beat_{0};  // hash of the last beat sent, until it was seen
  Mono sent_at_{};
  std::optional<ServerTime> resumed_{};  // when the last stop ended, while runs are being listed
  Mono next_removal_{};
  std::unordered_map<RequestId, std::string> removals_;  // canaries of others
  bool homeless_{false};
  std::string problem_;
  std::optional<Mono> problem_logged_at_;
};

}  // namespace jobrun
