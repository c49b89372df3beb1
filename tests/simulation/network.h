// What stands between the API server and its clients: connections that are slow, lossy, cut or
// silently dead. Carries out the effects of the engine as controller/kube does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "controller/wire/event_decoder.h"
#include "controller/wire/line_splitter.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/world.h"

namespace jobrun::simulation {

class Replica;

class Network {
 public:
  Network(World& world, Oracle& oracle) : world_(world), oracle_(oracle) {}

  void Send(Replica& replica, Request request);
  void Open(Replica& replica, const OpenStream& open);
  void Close(Replica& replica, StreamId id);
  // The process has died, and its connections with it.
  void Drop(int replica);

  // A worker's or a user's request; `done` gets status 0 when no answer came in time.
  void Call(Call call, std::function<void(const Reply&)> done);

  // Something was written.
  void OnChange();
  // Cuts the streams of a replica, or of all; or lets them hang without a word.
  void CutStreams(int where, bool silently);
  // Hides the event that so many others come before, from this replica.
  void HideNth(int replica, std::uint64_t nth) { hide_nth_[replica] = nth; }
  // What was hidden comes to light, as when an API server starts anew: who missed something must
  // list, and streams that hang are cut.
  void Heal();

 private:
  struct Stream;
  using StreamPtr = std::shared_ptr<Stream>;
  struct Flight;
  using FlightPtr = std::shared_ptr<Flight>;

  // Requests.
  void Arrive(const FlightPtr& flight);
  Reply CarryOut(const FlightPtr& flight);
  void Answer(const FlightPtr& flight, Reply reply, int retry_after);
  void Tell(const Flight& flight, std::string_view does, int status) const;
  void NoAnswer(const FlightPtr& flight);
  [[nodiscard]] bool Refuses(const FlightPtr& flight);
  [[nodiscard]] Nanos Latency();
  [[nodiscard]] ServerTime DateFor(int where) const;

  // Streams.
  void ArriveStream(const StreamPtr& stream);
  void CloseStreamWith(const StreamPtr& stream, int status, std::string detail);
  void Pump(const StreamPtr& stream);
  void PlanPump(const StreamPtr& stream, Nanos at);
  void PlanTick(const StreamPtr& stream);
  void Tick(const StreamPtr& stream);
  void AppendInitial(Stream& stream, std::string& bytes);
  void AppendChanges(Stream& stream, std::string& bytes);
  void AppendLine(Stream& stream, std::string line, std::string& bytes);
  void Deliver(const StreamPtr& stream, std::string bytes);
  void Feed(const StreamPtr& stream, std::string_view bytes);
  [[nodiscard]] Nanos LagOf(const Stream& stream) const;

  World& world_;
  Oracle& oracle_;
  std::map<std::pair<int, StreamId>, StreamPtr> streams_{};
  std::map<int, std::uint64_t> hide_nth_{};
  std::set<int> missed_{};  // replicas from which an event was kept that nothing follows
};

}  // namespace jobrun::simulation
