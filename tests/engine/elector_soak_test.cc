// Three replicas and one Lease under random faults: lost, slow and late requests and answers,
// processes and machines that stand still, restarts and orderly ends. Whatever happens, no two lead
// at once; once it stops happening, one does.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/random.h"
#include "tests/engine/elector_fixture.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

// The API server: one Lease, guarded by its version.
class LeaseServer {
 public:
  struct Reply {
    int status{0};
    std::string body{};
  };

  Reply Handle(const Request& request) {
    if (request.method == Method::kPost) return there_ ? Reply{409} : Write(request, 201);
    if (!there_) return {404};
    if (request.method == Method::kGet) return {200, text_.Written({.body = spec_})};
    const std::string guard = R"("resourceVersion":")" + std::to_string(text_.version) + "\"";
    return request.body.find(guard) == std::string::npos ? Reply{409} : Write(request, 200);
  }

 private:
  Reply Write(const Request& request, int status) {
    there_ = true;
    ++text_.version;
    spec_ = request.body.substr(request.body.find(R"("spec":)"));
    return {status, text_.Written(request)};
  }

  bool there_{false};
  ElectionText text_;
  std::string spec_;
};

class Soak {
 public:
  explicit Soak(std::uint64_t seed) : random_(seed) {
    for (std::size_t i = 0; i < replicas_.size(); ++i) Restart(i, "replica-" + std::to_string(i));
  }

  // Until `end`, with or without faults.
  void Run(Nanos end, bool faulty) {
    faulty_ = faulty;
    next_fault_ = faulty ? now_ : end;
    while (now_ < end && !testing::Test::HasFailure()) {
      AdvanceTo(std::min(end, NextEvent()));
      Deliver();
      for (std::size_t i = 0; i < replicas_.size(); ++i) Turn(i);
      if (faulty_ && now_ >= next_fault_) Strike();
      Check();
    }
  }

  [[nodiscard]] int Leaders() const {
    return static_cast<int>(std::ranges::count_if(
        replicas_, [](const Replica& replica) { return replica.it->It().Leading(); }));
  }
  [[nodiscard]] int Reigns() const { return reigns_; }
  [[nodiscard]] int Suspensions() const { return suspensions_; }
  [[nodiscard]] int LateCommits() const { return late_commits_; }

 private:
  struct Replica {
    std::unique_ptr<ElectorHarness> it{};
    std::string identity{};
    int generation{0};
    Nanos still_until{};  // it does not run before
    bool suspended{false};
    bool led{false};
  };
  struct Flying {
    std::size_t from;
    int generation;
    Request request;
    Mono sent_at;
    std::optional<Nanos> carried_out_at;
    Nanos answered_at;
    bool answer_lost{false};
    bool carried_out{false};
    bool answered{false};
    ServerTime date{};  // when it was carried out
    LeaseServer::Reply reply{};
  };

  void Restart(std::size_t i, const std::string& identity) {
    Replica& replica = replicas_.at(i);
    replica.identity = identity;
    replica.it = std::make_unique<ElectorHarness>(identity, "jobrun", random_.Next());
    replica.it->PassAsleep(now_);
    ++replica.generation;
    replica.still_until = now_;
    replica.suspended = false;
    replica.led = false;
  }

  [[nodiscard]] Nanos NextEvent() const {
    Nanos next = std::max(next_fault_, now_ + 1ns);
    for (const Replica& replica : replicas_) {
      const auto wake = replica.it->It().NextWake();
      const Nanos in = wake ? std::max(*wake - replica.it->Time(), Nanos(1)) : Nanos(1h);
      next = std::min(next, replica.still_until > now_ ? replica.still_until : now_ + in);
    }
    for (const Flying& flying : flying_) {
      const bool waits = flying.carried_out_at && !flying.carried_out;
      if (waits) next = std::min(next, std::max(*flying.carried_out_at, now_ + 1ns));
      if (flying.answered_at > now_) next = std::min(next, flying.answered_at);
    }
    return next;
  }

  void AdvanceTo(Nanos at) {
    for (Replica& replica : replicas_) {
      replica.suspended ? replica.it->Suspend(at - now_) : replica.it->PassAsleep(at - now_);
    }
    now_ = at;
  }

  void Deliver() {
    for (Flying& flying : flying_) {
      if (flying.carried_out || !flying.carried_out_at || now_ < *flying.carried_out_at) continue;
      flying.carried_out = true;
      flying.date = kServerStart + std::chrono::floor<Seconds>(now_);
      flying.reply = server_.Handle(flying.request);
      late_commits_ += flying.answered && flying.reply.status == 200 ? 1 : 0;
    }
    for (Flying& flying : flying_) {
      if (flying.answered || now_ < flying.answered_at || IsStill(flying.from)) continue;
      flying.answered = true;
      GiveAnswer(flying);
    }
    std::erase_if(flying_, [](const Flying& flying) {
      return flying.answered && (flying.carried_out || !flying.carried_out_at);
    });
  }

  void GiveAnswer(const Flying& flying) {
    Replica& replica = replicas_.at(flying.from);
    if (flying.generation != replica.generation) return;
    Response response{
        .id = flying.request.id, .sent_at = flying.sent_at, .received_at = replica.it->Time()};
    if (flying.carried_out && !flying.answer_lost) {
      response.status = flying.reply.status;
      response.body = flying.reply.body;
      response.date = flying.date;
    }
    replica.it->Give(response);
  }

  [[nodiscard]] bool IsStill(std::size_t i) const { return replicas_.at(i).still_until > now_; }

  void Turn(std::size_t i) {
    Replica& replica = replicas_.at(i);
    if (IsStill(i)) return;
    replica.suspended = false;
    replica.it->Wake();
    for (Request& request : replica.it->TakeRequests()) Fly(i, std::move(request));
    if (replica.it->It().Released()) Restart(i, "replica-" + std::to_string(++identities_));
  }

  void Fly(std::size_t i, Request request) {
    const Nanos there = Up(20ms);
    const Nanos back = there + Up(20ms);
    const Nanos deadline = request.deadline;
    Flying flying{.from = i,
                  .generation = replicas_.at(i).generation,
                  .request = std::move(request),
                  .sent_at = replicas_.at(i).it->Time(),
                  .carried_out_at = now_ + there,
                  .answered_at = now_ + back};
    switch (faulty_ ? random_.Below(8) : 7) {
      case 0:  // lost on its way
        flying.carried_out_at.reset();
        flying.answered_at = now_ + deadline;
        break;
      case 1:  // carried out, the answer lost
        flying.answered_at = now_ + deadline;
        flying.answer_lost = true;
        break;
      case 2:  // carried out when nobody waits any more
        flying.carried_out_at = now_ + deadline + Up(20s);
        flying.answered_at = now_ + deadline;
        break;
      case 3:  // slow, there and back
        flying.carried_out_at = now_ + Up(deadline);
        flying.answered_at = std::max(*flying.carried_out_at, now_ + Up(deadline));
        break;
      default:
        break;
    }
    flying_.push_back(std::move(flying));
  }

  // One fault of a replica.
  void Strike() {
    next_fault_ = now_ + Up(20s);
    const std::size_t i = random_.Below(replicas_.size());
    Replica& replica = replicas_.at(i);
    if (IsStill(i)) return;
    switch (random_.Below(4)) {
      case 0:  // the process is stopped
        replica.still_until = now_ + Up(30s);
        break;
      case 1:  // the machine is
        replica.still_until = now_ + Up(30s);
        replica.suspended = true;
        suspensions_ += replica.it->It().Leading() ? 1 : 0;
        break;
      case 2:  // its container is started anew
        Restart(i, replica.identity);
        break;
      default:
        if (random_.Below(2) == 0) replica.it->Release();
        break;
    }
  }

  void Check() {
    ASSERT_LE(Leaders(), 1) << "at " << now_.count() << " ns";
    for (Replica& replica : replicas_) {
      const bool leads = replica.it->It().Leading();
      ASSERT_FALSE(leads && replica.it->It().Expired());
      reigns_ += leads && !replica.led ? 1 : 0;
      replica.led = leads;
    }
  }

  Nanos Up(Nanos to) { return Nanos(1 + random_.Below(static_cast<std::uint64_t>(to.count()))); }

  Random random_;
  LeaseServer server_;
  std::array<Replica, 3> replicas_{};
  std::vector<Flying> flying_;
  Nanos now_{};
  Nanos next_fault_{};
  bool faulty_{true};
  std::size_t identities_{10};
  int reigns_{0};
  int suspensions_{0};
  int late_commits_{0};
};

TEST(ElectorSoakTest, NoTwoLeadAtOnceAndInTheEndOneDoes) {
  int reigns = 0;
  int suspensions = 0;
  int late_commits = 0;
  for (std::uint64_t seed = 1; seed <= 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Soak soak(seed);
    soak.Run(10min, true);
    // A stillness of half a minute, a request of twenty seconds, one Lease and a wait.
    soak.Run(12min, false);
    EXPECT_EQ(soak.Leaders(), 1);
    reigns += soak.Reigns();
    suspensions += soak.Suspensions();
    late_commits += soak.LateCommits();
  }
  EXPECT_GT(reigns, 300) << "no test without changes";
  EXPECT_GT(suspensions, 20) << "of leaders";
  EXPECT_GT(late_commits, 20);
}

}  // namespace
}  // namespace jobrun
