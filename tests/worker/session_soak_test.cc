// Thousands of hours of runs in bad weather: outages, losses, slow answers, suspended machines,
// stopped processes, clocks that are set, and people who delete, cancel and edit. A controller
// gives a run up that it has not heard of for the timeout.
#include <gtest/gtest.h>

#include <map>

#include "controller/base/random.h"
#include "tests/worker/session_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class Life : public SessionHarness {
 public:
  explicit Life(std::uint64_t seed) : SessionHarness(Options(), seed), random_(seed) {
    const std::array intervals = {2, 30, 300, 900};
    const int interval = intervals[random_.Below(intervals.size())];
    const int timeout = interval * static_cast<int>(2 + random_.Below(4));
    timeout_ = std::chrono::seconds(timeout);
    period_ = std::min<Nanos>(std::chrono::seconds(interval), timeout_ / 3);
    spec_ = {{"heartbeat", {{"intervalSeconds", interval}, {"timeoutSeconds", timeout}}}};
    server.Create(spec_);
  }

  void Live() {
    BeginClaim();
    const std::uint64_t events = 10 + random_.Below(30);
    for (std::uint64_t i = 0; i < events && !over; ++i) {
      Trouble();
      Fair();
    }
    if (!over && session.Working() && stops.empty()) End(static_cast<int>(random_.Below(2)));
    Watch(30s);
    outage.reset();
    faults.clear();
    latency = 10ms;
    Watch(2min);
    CheckOver();
  }

  [[nodiscard]] Nanos Age() const { return now.boot - Boot(2h); }

 private:
  void BeginClaim() {
    if (random_.Below(2) == 0) return session.Start(now);
    wall_lie = 1s * (static_cast<int>(random_.Below(2000)) - 1000);
    session.Start(*ParseUid(server.UidText()), server.Version(), now);
  }

  // ---- the weather ----

  Nanos UpTo(Nanos longest) {
    return Nanos(static_cast<Nanos::rep>(static_cast<double>(longest.count()) * random_.Unit()));
  }
  Fault AnyFault() {
    const std::array<Fault, 7> all = {kLost,      kAnswerLost,    kServerError, kUnauthorized,
                                      kForbidden, kProxyNotFound, Throttled(3s)};
    return all[random_.Below(all.size())];
  }

  void Trouble() {
    switch (random_.Below(9)) {
      case 0:
        outage = AnyFault();
        return Watch(UpTo(2 * timeout_));
      case 1:
        for (std::uint64_t i = 1 + random_.Below(5); i > 0; --i) faults.push_back(AnyFault());
        return Watch(timeout_);
      case 2:
        latency = UpTo(12s);
        return Watch(UpTo(2 * timeout_));
      case 3:
        return Absent(&Life::Suspend);
      case 4:
        return Absent(&Life::PassStopped);
      case 5:
        PassUntilNext();  // with a request under way
        return Absent(random_.Below(2) == 0 ? &Life::Suspend : &Life::PassStopped);
      case 6:
        server_step = 1s * (static_cast<int>(random_.Below(7200)) - 3600);
        return;
      case 7:
        wakes_first = !wakes_first;
        return;
      case 8:
        return Others();
    }
  }

  void Others() {
    if (server.Run().is_null()) return;
    switch (random_.Below(12)) {
      case 0:
        return server.Delete();
      case 1:
        server.Delete();
        return server.Create(spec_);
      case 2:  // a namesake, by another process of this worker
        server.Delete();
        server.Create(spec_);
        return server.Write(
            {{"phase", "Running"}, {"claimedBy", "w1"}, {"claimedAt", "2026-11-22T12:30:00Z"}});
      case 3:
        if (ServerSaysOurs()) server.Write({{"phase", "Failed"}, {"reason", "DeadlineExceeded"}});
        return;
      case 4:
      case 5:
      case 6:
        return server.Edit({{"cancelled", true}});
      default:
        return server.Edit({{"deadlineSeconds", 100 + random_.Below(100)}});
    }
  }

  // Once it has lasted for two periods no two heartbeats are more than one apart.
  void Fair() {
    outage.reset();
    faults.clear();
    latency = 10ms;
    Watch(2 * period_ + 1s);
    for (std::uint64_t i = random_.Below(8); i > 0; --i) {
      Watch(UpTo(2 * period_));
      if (session.Working() && ServerSaysOurs()) {
        EXPECT_LE(now.boot - heard_, period_ + 20ms);
      }
    }
  }

  // ---- time, with the controller in it ----

  // The worker runs.
  void Watch(Nanos time) {
    InSlices(time, [this](Nanos slice) {
      if (end_at_ && *end_at_ <= now.boot + slice) slice = std::max<Nanos>(*end_at_ - now.boot, 0s);
      Pass(slice);
      if (end_at_ && *end_at_ <= now.boot) {
        end_at_.reset();
        End(143);
      }
    });
  }
  void Absent(void (SessionHarness::*how)(Nanos)) {
    turns_when_away_ = turns;
    InSlices(UpTo(2 * timeout_), [&](Nanos slice) { (this->*how)(slice); });
  }
  void PassUntilNext() {
    if (session.NextWake()) Watch(std::max<Nanos>(*session.NextWake() - now.mono, 0s));
  }

  // Ends a slice where the controller's patience may end.
  template <class Step>
  void InSlices(Nanos time, Step step) {
    const Boot until = now.boot + time;
    do {
      const bool judged = ServerSaysOurs() && beaten_;
      const Nanos left = until - now.boot;
      step(judged ? std::min<Nanos>(left, heard_ + timeout_ - now.boot) : left);
      if (ServerSaysOurs() && beaten_ && now.boot - heard_ >= timeout_) GiveUp();
    } while (now.boot < until);
  }

  void GiveUp() {
    // Whoever was away learns of it when it comes back.
    const bool away = turns == turns_when_away_;
    EXPECT_TRUE(!session.Working() || !stops.empty() || away) << "works on a run that is given up";
    server.Write({{"phase", "Stuck"}, {"reason", "HeartbeatTimeout"}});
  }

  void End(int status) {
    exit_ = status;
    EndWork(status, stops.empty() ? StopCause::kNone : stops.back().cause);
  }

  // ---- what must hold ----

  [[nodiscard]] bool ServerSaysOurs() const {
    return !server.Run().is_null() && server.UidText() == uid_ && server.Phase() == "Running";
  }

  // When the last heartbeat was sent that was answered with success, or the claim.
  [[nodiscard]] Boot LastAccepted() const {
    const auto accepted = std::find_if(sent.rbegin(), sent.rend(), [](const Sent& one) {
      return one.Writes() && one.status == 200;
    });
    return accepted == sent.rend() ? claimed_ : accepted->at.boot;
  }

  RequestId Send(Request request) override {
    const bool writes = request.method == Method::kPatch;
    EXPECT_FALSE(writes && !stops.empty() && stops.back().cause == StopCause::kFenced)
        << "writes after it saw the fence";
    return SessionHarness::Send(std::move(request));
  }

  void OnStopAsked(StopCause cause, const std::string& why) override {
    SessionHarness::OnStopAsked(cause, why);
    if (cause == StopCause::kCutOff) {
      EXPECT_GE(now.boot - LastAccepted(), timeout_) << "stopped within its timeout";
    }
    EXPECT_FALSE(cause == StopCause::kFenced && ServerSaysOurs()) << why;
    if (!end_at_) end_at_ = now.boot + UpTo(15s);
  }

  void OnCarriedOut(const Sent& request, const RunServer::Answer& answer) override {
    if (!request.Writes() || answer.status != 200) return;
    if (uid_.empty()) {
      uid_ = server.UidText();
      claimed_ = request.at.boot;
    }
    EXPECT_EQ(server.UidText(), uid_) << "wrote to another run: " << request.request.body;
    heard_ = now.boot;
    beaten_ = beaten_ || request.Says("lastHeartbeatAt");
  }

  void CheckOver() {
    ASSERT_TRUE(over);
    EXPECT_EQ(session.NextWake(), std::nullopt);
    EXPECT_NE(over->end, SessionEnd::kRefused) << over->text;
    EXPECT_FALSE(over->end == SessionEnd::kFenced && ServerSaysOurs()) << over->text;
    if (over->end != SessionEnd::kReported || server.Run().is_null()) return;
    if (server.UidText() != uid_) return;  // it was deleted afterwards
    EXPECT_EQ(server.Phase(), exit_ == 0 ? "Succeeded" : "Failed");
    EXPECT_NE(server.Status("completionTime"), "");
  }

  Random random_;
  RunServer::Object spec_{};
  Nanos timeout_{};
  Nanos period_{};
  std::string uid_{};  // of the run it has claimed
  Boot claimed_{};     // when its claim was sent
  bool beaten_{false};
  Boot heard_{};  // when the server last took a write of the worker's
  std::optional<Boot> end_at_{};
  std::size_t turns_when_away_{0};
  int exit_{-1};
};

TEST(SessionSoakTest, NobodyStopsWithinItsTimeoutAndNobodyWritesBehindTheFence) {
  std::map<StopCause, int> stops;
  std::map<SessionEnd, int> ends;
  Nanos hours{0};
  for (std::uint64_t seed = 1; seed <= 1000 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Life life(seed);
    life.Live();
    for (const auto& stop : life.stops) ++stops[stop.cause];
    if (life.over) ++ends[life.over->end];
    hours += life.Age();
  }
  EXPECT_GT(hours, 1500h);
  for (const StopCause cause : {StopCause::kCutOff, StopCause::kCancelled, StopCause::kFenced}) {
    EXPECT_GT(stops[cause], 30) << static_cast<int>(cause);
  }
  for (const SessionEnd end : {SessionEnd::kReported, SessionEnd::kFenced}) {
    EXPECT_GT(ends[end], 100) << static_cast<int>(end);
  }
}

}  // namespace
}  // namespace jobrun
