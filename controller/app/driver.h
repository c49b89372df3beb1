// Where decisions meet the world: turns what the network says into engine inputs, and performs the
// effects that come back. It holds no rule of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "controller/app/access_reviews.h"
#include "controller/app/event_recorder.h"
#include "controller/app/metrics.h"
#include "controller/app/own_pod.h"
#include "controller/base/log.h"
#include "controller/base/time.h"
#include "controller/engine/engine.h"
#include "controller/kube/event_loop.h"
#include "controller/kube/transport.h"

namespace jobrun {

// What the driver stands between; PartsOf makes the real one, tests hand in their own.
struct DriverParts {
  // The engine; see engine/engine.h.
  std::function<void(const Clocks&, const Input&, Effects&)> step{};
  std::function<Health()> health{};
  std::function<std::vector<std::string>()> lanes{};
  // The loop; see kube/event_loop.h.
  std::function<void(std::function<void()>)> post{};
  std::function<void(Mono, std::function<void()>)> set_wake{};
  std::function<void()> stop_loop{};
  // Any thread.
  std::function<Clocks()> clocks{};
  std::function<ServerTime()> wall{};
  // What Events about the controller itself regard; without it they are left out.
  std::optional<OwnPod> own_pod{};
  // Which process this is, for Events; random enough to seed their jitter.
  std::string process_id{};
};
[[nodiscard]] DriverParts PartsOf(Engine& engine, EventLoop& loop);

// Belongs to the loop's thread, except where it says otherwise.
class Driver final : public TransportSink {
 public:
  // Longest time between two turns: what the probes can rely on while nothing happens.
  static constexpr Nanos kTurnMax = std::chrono::seconds(5);
  // How long the engine may take to finish what is in flight.
  static constexpr Nanos kStopMax = std::chrono::seconds(10);
  // Questions of other threads that wait for the loop; more are not asked, so that a stuck loop
  // does not fill the memory. Above what the HTTP servers can have under way.
  static constexpr int kAsksMax = 256;

  // All parts, metrics and log must outlive the driver.
  Driver(DriverParts parts, Metrics& metrics, LogSink& log);

  // Tells of something that the engine does not know of, as an Event.
  void Tell(EmitEvent event);

  // The first turn. `transport` must call this sink, and outlive the last turn.
  void Start(Transport& transport);
  // A new configuration; every run is judged anew.
  void Reload(Settings settings);
  // Lets the engine finish; the loop stops when it has, or after kStopMax.
  void BeginStop();

  void OnResponse(Response response) override;
  void OnStreamOpened(const StreamOpened& opened) override;
  void OnStreamEvents(const StreamEvents& events) override;
  void OnStreamClosed(StreamClosed closed) override;

  // Any thread. `done` is called on the loop's thread; never, when the loop is stuck or gone.
  void AskGauges(std::function<void(const Gauges&)> done);
  void AskHealth(std::function<void(const Health&)> done);
  // Nothing: no such run is known.
  using Explained = std::optional<Explanation>;
  void AskExplanation(std::string name_space, std::string name,
                      std::function<void(const Explained&)> done);
  // Whether the holder of a token may read that.
  void AskAccess(std::string token, WantedAccess wanted, std::function<void(Access)> done);
  // Why the engine has finished, once the loop has stopped.
  [[nodiscard]] ExitCause Cause() const { return cause_; }

  // Any thread. The time since the loop last finished a turn.
  [[nodiscard]] Nanos SinceTurn() const;

 private:
  struct Performer;

  void Turn(const Input& input);
  void EndTurn(Mono now);
  void Perform(Effects& effects);
  void OnOwnAnswer(const Response& response);
  void OnWake();
  void ArmWake(Mono now);
  void Ask(std::function<void()> question);
  void Deliver(Answer& answer);
  void Count(const jobrun::Count& count);
  void Log(const LogLine& line);

  DriverParts parts_;
  Metrics& metrics_;
  LogSink& log_;
  Transport* transport_{nullptr};
  Effects effects_{};  // reused: no allocation per batch of events
  EventRecorder recorder_;
  AccessReviews reviews_{};
  Effects recorded_{};  // what these two ask for, while the engine's effects are performed
  bool in_turn_{false};
  bool stopped_{false};
  bool flush_posted_{false};
  ExitCause cause_{ExitCause::kStopped};
  Mono engine_wake_{Mono::max()};
  Mono stop_deadline_{Mono::max()};
  std::size_t lanes_{0};
  std::uint64_t next_scrape_{1};
  std::unordered_map<std::uint64_t, std::function<void(const Gauges&)>> scrapes_{};
  std::unordered_map<std::uint64_t, std::function<void(const Explained&)>> explaining_{};
  std::unordered_map<RequestId, Method> requests_{};
  std::unordered_set<StreamId> opening_{};
  std::atomic<int> asks_{0};
  std::atomic<Mono::rep> last_turn_{0};
};

}  // namespace jobrun
