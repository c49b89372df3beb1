// An engine with a canary of its own: what the API server and its watch make of it is played here.
#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "tests/engine/engine_harness.h"

namespace jobrun {

inline void PrintTo(const Request& request, std::ostream* out) {
  *out << static_cast<int>(request.method) << ' ' << request.target << ' ' << request.body;
}

inline RunText CanaryOf(const std::string& replica) {
  RunText canary("jobrun-canary-" + replica);
  canary.name_space = "home";
  canary.lane = "jobrun-canary";
  return canary;
}

class CanaryFixture : public ::testing::Test {
 protected:
  static EngineOptions Options(Settings settings = {}) {
    EngineOptions options = EngineHarness::OptionsWith(std::move(settings));
    options.replica = {.identity = "r1", .name_space = "home"};
    return options;
  }

  explicit CanaryFixture(Settings settings = {}) : engine_(Options(std::move(settings))) {}

  // The own canary is made, claimed and beaten for; its first beat is seen.
  void BeginToSee(const std::vector<RunText>& others = {}) {
    engine_.SyncCanaries(others);
    Answered("POST", 201, own_);
    Answered("PATCH", 200, own_.Claimed().Version(++version_));
    BeatIsSeen();
  }

  // Takes the beat that was sent, answers it, and shows it on the watch.
  void BeatIsSeen() {
    BeatIsWritten();
    engine_.Canary(own_);
  }
  void BeatIsWritten() {
    constexpr std::string_view kKey = R"("lastHeartbeatAt":")";
    const std::vector<Request> open = Canaries();
    ASSERT_FALSE(open.empty()) << "no beat was sent";
    const std::string& body = open.front().body;
    const std::size_t at = body.find(kKey);
    ASSERT_NE(at, std::string::npos) << body;
    const std::size_t begin = at + kKey.size();
    own_.heartbeat = body.substr(begin, body.find('"', begin) - begin);
    Answered("PATCH", 200, own_.Version(++version_));
  }

  // Beats come and are seen all the time.
  void Pass(Nanos time) {
    const Mono until = engine_.Time() + time;
    while (engine_.Time() < until) {
      engine_.Pass(std::min<Nanos>(std::chrono::seconds(1), until - engine_.Time()));
      if (!Canaries().empty()) BeatIsSeen();
    }
  }

  // Nobody gets through.
  void PassBlind(Nanos time) { engine_.Pass(time); }

  // Open requests for canaries, and for everything else.
  [[nodiscard]] std::vector<Request> Canaries() const { return RequestsFor(true); }
  [[nodiscard]] std::vector<Request> Others() const { return RequestsFor(false); }

  // Answers the oldest request about canaries.
  Request Answered(std::string_view method, int status, const RunText& with) {
    return AnsweredWith(method, status, with.Json());
  }
  Request AnsweredWith(std::string_view method, int status, std::string body) {
    const std::vector<Request> open = Canaries();
    if (open.empty()) {
      ADD_FAILURE() << "no " << method << " for a canary was asked for";
      return {};
    }
    constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    EXPECT_EQ(kMethods[static_cast<std::size_t>(open.front().method)], method);
    EXPECT_EQ(open.front().klass, RequestClass::kLease) << "no storm of verdicts may delay it";
    engine_.AnswerTo(open.front().id, status, std::move(body));
    return open.front();
  }

  [[nodiscard]] bool Blind() { return engine_.Scrape().silence_clock_stopped; }

  EngineHarness engine_;
  RunText own_ = CanaryOf("r1");
  std::uint64_t version_{100};

 private:
  [[nodiscard]] std::vector<Request> RequestsFor(bool canaries) const {
    std::vector<Request> found;
    for (const Request& request : engine_.Requests()) {
      const bool is_one = request.target.find("/home/jobruns") != std::string::npos;
      if (is_one == canaries) found.push_back(request);
    }
    return found;
  }
};

}  // namespace jobrun
