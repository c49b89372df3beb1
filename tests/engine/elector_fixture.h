// An Elector that is driven from memory, as the engine drives it, with clocks that the test moves:
// the machine may be suspended, which only CLOCK_BOOTTIME counts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "controller/engine/elector.h"
#include "tests/engine/run_text.h"

namespace jobrun {

// The election's Lease as the API server would send it.
struct ElectionText {
  std::string holder = "other";
  std::string duration = "15";
  std::string acquired = "2026-11-22T11:00:00.000000Z";
  std::string renewed = "2026-11-22T12:00:00.000000Z";
  std::string transitions = "3";
  std::uint64_t version = 7;
  std::uint64_t uid = 1;

  [[nodiscard]] ElectionText Renewed(std::string at) const {
    ElectionText next = *this;
    next.renewed = std::move(at);
    ++next.version;
    return next;
  }
  [[nodiscard]] std::string Json() const {
    return Around(R"("spec":{"holderIdentity":")" + holder + R"(","leaseDurationSeconds":)" +
                  duration + R"(,"acquireTime":")" + acquired + R"(","renewTime":")" + renewed +
                  R"(","leaseTransitions":)" + transitions + "}}");
  }
  // The Lease as a write has made it.
  [[nodiscard]] std::string Written(const Request& request) const {
    return Around(request.body.substr(request.body.find(R"("spec":)")));
  }

 private:
  [[nodiscard]] std::string Around(const std::string& spec) const {
    return R"({"kind":"Lease","metadata":{"name":"jobrun","uid":")" + FormatUid(Uid{3, uid}) +
           R"(","resourceVersion":")" + std::to_string(version) + R"("},)" + spec;
  }
};

inline constexpr std::string_view kElectionPath =
    "/apis/coordination.k8s.io/v1/namespaces/ns/leases/jobrun";
inline constexpr std::string_view kElectionCollection =
    "/apis/coordination.k8s.io/v1/namespaces/ns/leases";

class ElectorHarness {
 public:
  explicit ElectorHarness(const std::string& identity = "me", const std::string& lease = "jobrun",
                          std::uint64_t seed = 1)
      : core_(Settings{}, "proc", Mono{}, seed),
        elector_(core_, {.identity = identity, .name_space = "ns", .lease = lease}, {}) {}

  // ---- time ----

  // Nobody is woken.
  void PassAsleep(Nanos time) { SetTime(core_.now.mono + time, core_.now.boot + time); }
  void Suspend(Nanos time) { SetTime(core_.now.mono, core_.now.boot + time); }
  // Woken whenever it asked to be.
  void Pass(Nanos time) {
    const Mono until = core_.now.mono + time;
    for (auto next = elector_.NextWake(); next && *next <= until; next = elector_.NextWake()) {
      if (*next > core_.now.mono) PassAsleep(*next - core_.now.mono);
      const std::size_t open = requests_.size();
      Wake();
      if (requests_.size() == open && elector_.NextWake() == next) break;
    }
    PassAsleep(until - core_.now.mono);
    Wake();
  }

  // ---- what it is told ----

  void Wake() {
    Step([this] {});
  }
  void Release() {
    Step([this] { elector_.Release(); });
  }
  // Answers the one request that is open.
  Request Answer(int status, std::string body = {}, std::optional<Seconds> retry_after = {}) {
    if (requests_.empty()) {
      ADD_FAILURE() << "nothing was asked for";
      return {};
    }
    Request request = std::exchange(requests_, {}).front();
    Give({.id = request.id,
          .status = status,
          .date = status == 0 ? std::nullopt : std::optional(ServerNow()),
          .retry_after = retry_after,
          .sent_at = core_.now.mono,
          .received_at = core_.now.mono,
          .body = std::move(body),
          .detail = status == 0 ? "no answer" : ""});
    return request;
  }
  void Give(const Response& response) {
    Step([&] {
      if (response.date) {
        core_.server.Observe(*response.date, response.sent_at, response.received_at);
      }
      core_.now.server = core_.server.At(core_.now.mono);
      EXPECT_TRUE(elector_.Owns(response.id));
      elector_.OnResponse(response);
    });
  }

  // ---- what it asks for ----

  // The one request that is open.
  [[nodiscard]] const Request& Only() const {
    static const Request kNone{.target = "none"};
    EXPECT_EQ(requests_.size(), 1U);
    return requests_.size() == 1 ? requests_[0] : kNone;
  }
  [[nodiscard]] bool Quiet() const { return requests_.empty(); }
  [[nodiscard]] std::vector<Request> TakeRequests() { return std::exchange(requests_, {}); }
  [[nodiscard]] const std::vector<LogLine>& Log() const { return log_; }
  [[nodiscard]] long Logged(std::string_view message) const {
    return std::ranges::count(log_, message, &LogLine::message);
  }
  [[nodiscard]] const Elector& It() const { return elector_; }
  [[nodiscard]] Mono Time() const { return core_.now.mono; }
  [[nodiscard]] Boot BootTime() const { return core_.now.boot; }
  [[nodiscard]] ServerTime ServerNow() const {
    return kServerStart + std::chrono::floor<Seconds>(core_.now.boot.time_since_epoch());
  }

 private:
  void SetTime(Mono mono, Boot boot) { core_.now = {.mono = mono, .boot = boot, .server = {}}; }

  template <class Do>
  void Step(Do what) {
    Effects effects;
    core_.effects = &effects;
    core_.now.server = core_.server.At(core_.now.mono);
    what();
    elector_.OnWake();
    core_.effects = nullptr;
    for (Effect& effect : effects) {
      if (auto* const request = std::get_if<SendRequest>(&effect)) {
        EXPECT_EQ(request->klass, RequestClass::kLease);
        requests_.push_back(std::move(*request));
      } else {
        log_.push_back(std::get<LogLine>(std::move(effect)));
      }
    }
  }

  Core core_;
  Elector elector_;
  std::vector<Request> requests_;
  std::vector<LogLine> log_;
};

class ElectorTest : public testing::Test {
 protected:
  void ExpectRead() const {
    EXPECT_EQ(it_.Only().method, Method::kGet);
    EXPECT_EQ(it_.Only().target, kElectionPath);
  }
  void ExpectCreate() const {
    EXPECT_EQ(it_.Only().method, Method::kPost);
    EXPECT_EQ(it_.Only().target, kElectionCollection);
  }
  // In the version that was read.
  void ExpectUpdate() const {
    EXPECT_EQ(it_.Only().method, Method::kPatch);
    EXPECT_EQ(it_.Only().target, kElectionPath);
    EXPECT_TRUE(Writes(R"("resourceVersion":")" + std::to_string(lease_.version) + "\""))
        << it_.Only().body;
  }
  [[nodiscard]] bool Writes(std::string_view text) const {
    return it_.Only().body.find(text) != std::string::npos;
  }

  // The one write that is open is carried out, and its answer comes.
  void Accept(int status = 200) {
    ++lease_.version;
    if (status == 201) ++lease_.uid;
    it_.Answer(status, lease_.Written(it_.Only()));
  }
  // It is carried out, and no answer comes. What stands there now:
  std::string AcceptUnheard() {
    ++lease_.version;
    std::string written = lease_.Written(it_.Only());
    it_.Answer(0);
    return written;
  }

  // It has the Lease since now.
  void Lead() {
    it_.Wake();
    it_.Answer(404);
    ExpectCreate();
    Accept(201);
    ASSERT_TRUE(it_.It().Leading());
  }

  ElectionText lease_;
  ElectorHarness it_;
};

}  // namespace jobrun
