#include "tests/simulation/network.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/replica.h"

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kWorkerDeadline = seconds(2);  // well below the shortest interval

bool IsWrite(Method method) { return method != Method::kGet; }

}  // namespace

// One request on its way. `replica` is null for those of workers and users.
struct Network::Flight {
  Replica* replica{nullptr};
  std::uint64_t process{0};
  RequestClass klass{};
  RequestId id{0};
  simulation::Call call{};
  std::function<void(const Reply&)> done{};
  Mono sent_at{};
  Nanos sent{};
  Nanos deadline{};  // true time
  int where{0};
  bool answered{false};
};

Nanos Network::Latency() {
  Nanos most = world_.plan.latency;
  if (world_.Holds(Fault::kSlowNetwork, kWorkers)) {
    world_.Hit(Fault::kSlowNetwork);
    most *= 10;
  }
  return milliseconds(1) + Nanos(static_cast<Nanos::rep>(
                               world_.network.Below(static_cast<std::uint64_t>(most.count()))));
}

// Each replica talks to an API server of its own, whose clock may differ from the others'.
ServerTime Network::DateFor(int where) const {
  ServerTime now = world_.ServerNow();
  if (world_.Holds(Fault::kServerClockSkew, where)) now += seconds(where % 2 == 0 ? 2 : -2);
  return std::chrono::floor<seconds>(now);
}

// Beats of canaries and looks at the Lease are left out: they come all the time.
void Network::Tell(const Flight& flight, std::string_view does, int status) const {
  if (!world_.trace.Prints() || flight.klass != RequestClass::kData) return;
  constexpr std::array kMethods = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  std::string text(does);
  if (status != 0) text += " " + std::to_string(status) + " for";
  text.append(" ").append(kMethods.at(static_cast<std::size_t>(flight.call.method)));
  text.append(" ").append(flight.call.target.substr(0, 90));
  if (status == 0) text.append(" ").append(flight.call.body.substr(0, 160));
  world_.trace.Comment(world_.Now(), "replica " + std::to_string(flight.where), text);
}

void Network::Send(Replica& replica, Request request) {
  auto flight = std::make_shared<Flight>();
  flight->replica = &replica;
  flight->process = replica.Process();
  flight->klass = request.klass;
  flight->id = request.id;
  flight->where = replica.Index();
  flight->sent_at = replica.ReadClocks().mono;
  flight->sent = world_.Now();
  flight->deadline = world_.Now() + request.deadline;
  flight->call = {.method = request.method,
                  .target = std::move(request.target),
                  .content_type = std::move(request.content_type),
                  .body = std::move(request.body),
                  .manager = std::string(kControllerManager)};
  Tell(*flight, "sends", 0);
  oracle_.OnSend(replica, flight->call, flight->klass);
  if (world_.Struck(Fault::kOutageReplica, flight->where) ||
      world_.Struck(Fault::kOutage, flight->where)) {
    // Some networks refuse, some say nothing.
    if (world_.network.Below(2) == 0) flight->deadline = world_.Now() + milliseconds(5);
    return NoAnswer(flight);
  }
  if (flight->klass == RequestClass::kLease && world_.Struck(Fault::kLeaseHangs, flight->where)) {
    return NoAnswer(flight);
  }
  if (world_.Befalls(Fault::kLoseRequest, world_.plan.rates.lose_request)) return NoAnswer(flight);
  Nanos way = Latency();
  if (world_.Befalls(Fault::kLateCommit, world_.plan.rates.late_commit)) {
    way += seconds(3) + seconds(world_.network.Below(25));
  }
  world_.time.In(way, [this, flight] { Arrive(flight); });
  if (way > flight->deadline - world_.Now()) NoAnswer(flight);
}

void Network::Call(simulation::Call call, std::function<void(const Reply&)> done) {
  auto flight = std::make_shared<Flight>();
  flight->where = kWorkers;
  flight->sent = world_.Now();
  flight->deadline = world_.Now() + kWorkerDeadline;
  flight->call = std::move(call);
  flight->done = std::move(done);
  if (world_.Struck(Fault::kOutageWorkers, kWorkers) || world_.Struck(Fault::kOutage, kWorkers)) {
    return NoAnswer(flight);
  }
  if (world_.Befalls(Fault::kLoseRequest, world_.plan.rates.lose_request)) return NoAnswer(flight);
  world_.time.In(Latency(), [this, flight] { Arrive(flight); });
}

// What the API server says before it looks at the request.
bool Network::Refuses(const FlightPtr& flight) {
  const auto refuse = [&](int status, std::string_view reason, int retry_after = 0) {
    Answer(flight, {status, StatusText(status, reason, "refused by the simulation")}, retry_after);
    return true;
  };
  const int where = flight->where;
  const bool worker = flight->replica == nullptr;
  if (worker && world_.Struck(Fault::kThrottleWorkers, where)) {
    return refuse(429, "TooManyRequests", 1);
  }
  if (flight->klass == RequestClass::kLease && world_.Struck(Fault::kThrottleLease, where)) {
    return refuse(429, "TooManyRequests", 1);
  }
  if (world_.Befalls(Fault::kThrottle, world_.plan.rates.throttle)) {
    return refuse(429, "TooManyRequests", 1 + static_cast<int>(world_.network.Below(3)));
  }
  if (!worker && world_.Struck(Fault::kForbidden, where)) return refuse(403, "Forbidden");
  if (!worker && world_.Struck(Fault::kUnauthorized, where)) return refuse(401, "Unauthorized");
  const bool write = IsWrite(flight->call.method);
  if (write && world_.Struck(Fault::kReadOnlyStore, where)) return refuse(500, "InternalError");
  if (world_.Befalls(Fault::kServerError, world_.plan.rates.server_error)) {
    // One in three was carried out all the same.
    if (world_.network.Below(3) == 0) (void)CarryOut(flight);
    return refuse(world_.network.Below(2) == 0 ? 500 : 504, "Timeout");
  }
  return false;
}

Reply Network::CarryOut(const FlightPtr& flight) {
  Reply reply = world_.server.Handle(flight->call, world_.Now());
  if (flight->klass == RequestClass::kLease && flight->replica != nullptr && reply.status < 300) {
    oracle_.OnLeaseWritten(*flight->replica, flight->process, flight->call, flight->sent);
  }
  return reply;
}

void Network::Arrive(const FlightPtr& flight) {
  if (world_.Struck(Fault::kOutage, flight->where) ||
      world_.Struck(Fault::kApiRestart, flight->where)) {
    return NoAnswer(flight);
  }
  if (Refuses(flight)) return;
  Reply reply = CarryOut(flight);
  if (reply.status == 409 && IsWrite(flight->call.method)) world_.Hit(Fault::kConflict);
  if (world_.Befalls(Fault::kLoseAnswer, world_.plan.rates.lose_answer)) return NoAnswer(flight);
  Answer(flight, std::move(reply), 0);
}

void Network::Answer(const FlightPtr& flight, Reply reply, int retry_after) {
  if (flight->answered) return;
  const Nanos way = Latency();
  if (world_.Now() + way > flight->deadline) return NoAnswer(flight);
  flight->answered = true;
  const ServerTime date = DateFor(flight->where);
  world_.time.In(way, [this, flight, reply = std::move(reply), date, retry_after] {
    if (flight->done) return flight->done(reply);
    Replica& replica = *flight->replica;
    replica.Post(flight->process, [this, flight, reply, date, retry_after, &replica] {
      Response response{.id = flight->id, .status = reply.status, .date = date};
      if (retry_after > 0) response.retry_after = seconds(retry_after);
      response.sent_at = flight->sent_at;
      response.received_at = replica.ReadClocks().mono;
      response.body = reply.body;
      Tell(*flight, "gets", reply.status);
      oracle_.OnAnswer(replica, flight->call, reply);
      replica.Step(Input{std::move(response)});
    });
  });
}

void Network::NoAnswer(const FlightPtr& flight) {
  if (std::exchange(flight->answered, true)) return;
  world_.time.At(flight->deadline, [this, flight] {
    if (flight->done) return flight->done(Reply{.status = 0});
    Replica& replica = *flight->replica;
    replica.Post(flight->process, [this, flight, &replica] {
      Tell(*flight, "gets no answer to", 0);
      replica.Step(Input{Response{.id = flight->id, .detail = "no answer"}});
    });
  });
}

}  // namespace jobrun::simulation
