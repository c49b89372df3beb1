// A RunSession in virtual time, between a host that keeps what it is told and a network that loses,
// delays and makes up answers as the test says. The machine may be suspended, which only
// CLOCK_BOOTTIME counts, and the process stopped; the rest of the world goes on meanwhile.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/rfc3339.h"
#include "tests/worker/run_server.h"
#include "worker/session/run_session.h"

namespace jobrun {

// The API server's clock at virtual time zero.
inline const ServerTime kServerStart = *ParseRfc3339("2026-11-22T12:00:00Z");

// What becomes of a request instead of being answered by the API server.
struct Fault {
  bool carried_out{false};  // by the API server, whatever the worker hears of it
  int status{0};            // 0: nothing is heard until the deadline
  std::optional<Seconds> retry_after{};
  std::string body{};
  bool has_date{true};
};
inline const Fault kLost{};  // also a connection that died without a word
inline const Fault kAnswerLost{.carried_out = true};
inline const Fault kServerError{.status = 500, .body = "boom"};
inline const Fault kUnauthorized{.status = 401};
inline const Fault kForbidden{.status = 403, .body = R"({"kind":"Status","message":"may not"})"};
// Of something on the way: says nothing about the run.
inline const Fault kProxyNotFound{.status = 404, .body = "404 page not found", .has_date = false};
inline Fault Throttled(Seconds retry_after) { return {.status = 429, .retry_after = retry_after}; }

class SessionHarness : public SessionHost {
 public:
  struct Sent {
    Request request{};
    Clocks at{};
    int status{-1};  // -1: no answer yet
    [[nodiscard]] bool Writes() const { return request.method == Method::kPatch; }
    [[nodiscard]] bool Says(const std::string& field) const {
      return request.body.find("/status/" + field + "\"") != std::string::npos;
    }
    // What the patch says of a field; empty when it says nothing.
    [[nodiscard]] std::string Value(const std::string& field) const {
      for (const auto& operation : RunServer::Object::parse(request.body)) {
        if (operation["path"] == "/status/" + field) return operation["value"];
      }
      return "";
    }
  };
  struct Stop {
    StopCause cause{};
    std::string why{};
    Clocks at{};
  };

  static SessionOptions Options() { return {.name_space = "ns", .name = "a", .worker = "w1"}; }

  explicit SessionHarness(const SessionOptions& options = Options(), std::uint64_t seed = 1)
      : session(*this, stamp, decoder_, options, seed) {}

  // ---- what the test does ----

  // A Pending run with this spec, which is then claimed.
  void Work(const RunServer::Object& spec = RunServer::Object::object()) {
    server.Create(spec);
    session.Start(now);
    Pass(std::chrono::milliseconds(100));
    EXPECT_TRUE(session.Working());
  }
  // Answers and wakes come when they are due.
  void Pass(Nanos time) {
    const Boot until = now.boot + time;
    while (Turn(until)) {
    }
    Advance(until - now.boot);
  }
  // Until so many requests were sent in all.
  void PassUntilSent(std::size_t count, Nanos longest = std::chrono::hours(1)) {
    const Boot until = now.boot + longest;
    while (sent.size() < count && Turn(until)) {
    }
    ASSERT_GE(sent.size(), count);
  }
  // SIGSTOP: the clocks go on, nobody is woken.
  void PassStopped(Nanos time) {
    PassAtServer(now.boot + time);
    Advance(time);
  }
  // The whole machine sleeps.
  void Suspend(Nanos time) {
    PassAtServer(now.boot + time);
    now.boot += time;
  }
  void EndWork(int status, StopCause cause = StopCause::kNone) {
    session.OnWorkEnded({.status = status, .cause = cause}, now);
  }
  void Progress(std::string_view progress) { session.OnProgress(progress, now); }

  // ---- what happened ----

  [[nodiscard]] std::vector<Sent> Writes() const {
    std::vector<Sent> writes;
    std::ranges::copy_if(sent, std::back_inserter(writes), &Sent::Writes);
    return writes;
  }
  [[nodiscard]] std::vector<Sent> Beats() const {
    std::vector<Sent> beats;
    std::ranges::copy_if(sent, std::back_inserter(beats),
                         [](const Sent& one) { return one.Says("lastHeartbeatAt"); });
    return beats;
  }
  [[nodiscard]] std::vector<StopCause> Causes() const {
    std::vector<StopCause> causes;
    std::ranges::transform(stops, std::back_inserter(causes), &Stop::cause);
    return causes;
  }
  // How it came out.
  [[nodiscard]] SessionOver Over() const {
    EXPECT_TRUE(over);
    return over.value_or(SessionOver{.end = SessionEnd::kUnreachable, .text = "not over"});
  }
  [[nodiscard]] std::size_t Logged(LogLevel level) const {
    return static_cast<std::size_t>(std::ranges::count(logs, level, &LogLine::level));
  }
  [[nodiscard]] ServerTime ServerNow() const {
    return kServerStart + server_step +
           std::chrono::duration_cast<std::chrono::microseconds>(now.boot.time_since_epoch());
  }

  RunServer server{};
  Nanos latency{std::chrono::milliseconds(10)};  // there and back
  std::deque<Fault> faults{};                    // of the next requests
  std::optional<Fault> outage{};                 // of all others
  std::optional<Fault> outage_of_writes{};
  std::chrono::microseconds server_step{0};  // by which the server's clock was set
  std::chrono::microseconds wall_lie{0};     // by which the worker's clock is ahead
  bool wakes_first{false};                   // of what is due at once after a pause

  Clocks now{Mono(std::chrono::hours(1)), Boot(std::chrono::hours(2))};
  std::size_t turns{0};  // how often the session was told or woken
  std::vector<Sent> sent{};
  std::vector<Stop> stops{};
  std::vector<LogLine> logs{};
  std::optional<ClaimedRun> claimed{};
  std::optional<SessionOver> over{};
  ServerStamp stamp{[this] { return ServerNow() + wall_lie; }};

  // ---- SessionHost ----

  RequestId Send(Request request) override {
    EXPECT_FALSE(over) << "sends after it said that all is over";
    request.id = sent.size() + 1;
    std::optional<Fault> trouble = outage;
    if (request.method == Method::kPatch && outage_of_writes) trouble = outage_of_writes;
    if (!faults.empty()) {
      trouble = faults.front();
      faults.pop_front();
    }
    const bool usual = !trouble;
    Fault fault = trouble.value_or(Fault{});
    sent.push_back({.request = request, .at = now});
    if (usual || fault.carried_out) At(now.boot + latency / 2, {request.id, fault, usual, false});
    const bool answered = (usual || fault.status != 0) && latency < request.deadline;
    if (!answered) fault.status = 0;
    const Boot heard = now.boot + (answered ? latency : request.deadline);
    At(heard, {request.id, fault, usual && answered, true});
    return request.id;
  }
  void OnClaimed(const ClaimedRun& run) override {
    EXPECT_FALSE(claimed);
    claimed = run;
  }
  void OnStopAsked(StopCause cause, const std::string& why) override {
    stops.push_back({cause, why, now});
  }
  void OnOver(const SessionOver& told) override {
    EXPECT_FALSE(over);
    over = told;
  }
  void Log(LogLine line) override { logs.push_back(std::move(line)); }

 private:
  // Something arrives at the server, or at the worker.
  struct Arrival {
    RequestId id{};
    Fault fault{};
    bool usual{};  // the worker hears what the server says
    bool at_worker{};
  };

  void At(Boot time, Arrival arrival) { arrivals_.emplace(time, std::move(arrival)); }
  void Advance(Nanos time) {
    now.mono += time;
    now.boot += time;
  }

  // The next thing that is due by then; false when there is none.
  bool Turn(Boot until) {
    const std::optional<Mono> wake = session.NextWake();
    const Boot woken = wake ? now.boot + (*wake - now.mono) : Boot::max();
    const Boot heard = arrivals_.empty() ? Boot::max() : arrivals_.begin()->first;
    const bool both_late = woken <= now.boot && heard <= now.boot;
    const bool wakes = both_late ? wakes_first : woken < heard;
    const Boot next = std::max(std::min(woken, heard), now.boot);
    if (next > until) return false;
    Advance(next - now.boot);
    ++turns;
    if (wakes) {
      session.OnWake(now);
      if (session.NextWake() == wake) {
        ADD_FAILURE() << "woke for nothing";
        return false;
      }
    } else {
      Arrive(arrivals_.extract(arrivals_.begin()).mapped());
    }
    return true;
  }

  // What reaches the server while the worker does not run.
  void PassAtServer(Boot until) {
    const Clocks started = now;
    for (auto at = arrivals_.begin(); at != arrivals_.end() && at->first <= until;) {
      if (at->second.at_worker) {
        ++at;
        continue;
      }
      now.boot = at->first;
      Arrive(at->second);
      at = arrivals_.erase(at);
    }
    now = started;
  }

  void Arrive(const Arrival& arrival) {
    if (!arrival.at_worker) return ArriveAtServer(arrival.id);
    Response response{.id = arrival.id,
                      .status = arrival.fault.status,
                      .retry_after = arrival.fault.retry_after,
                      .received_at = now.mono,
                      .body = arrival.fault.body};
    if (response.status == 0) response.detail = "no answer in time";
    if (response.status != 0 && arrival.fault.has_date) response.date = Date(ServerNow());
    if (arrival.usual) {
      const Answered& answer = answers_.at(arrival.id);
      response.status = answer.what.status;
      response.body = answer.what.body;
      response.date = answer.date;
    }
    answers_.erase(arrival.id);
    sent[arrival.id - 1].status = response.status;
    session.OnResponse(response, now);
  }

  void ArriveAtServer(RequestId id) {
    const Request& request = sent[id - 1].request;
    answers_[id] = {request.method == Method::kGet
                        ? server.Get(request.target)
                        : server.Patch(request.target, request.content_type, request.body),
                    Date(ServerNow())};
    OnCarriedOut(sent[id - 1], answers_[id].what);
  }
  // For tests that follow what the server does.
  virtual void OnCarriedOut(const Sent& /*request*/, const RunServer::Answer& /*answer*/) {}

  static ServerTime Date(ServerTime time) {
    return std::chrono::time_point_cast<ServerTime::duration>(
        std::chrono::floor<std::chrono::seconds>(time));
  }

  struct Answered {
    RunServer::Answer what{};
    ServerTime date{};
  };

  EventDecoder decoder_{};
  std::multimap<Boot, Arrival> arrivals_{};
  std::map<RequestId, Answered> answers_{};

 public:
  RunSession session;  // last: it is made of the others
};

}  // namespace jobrun
