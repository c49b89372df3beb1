// What the tests about executors share: one run "a" whose executor is the pod "p".
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/engine/engine_harness.h"
#include "tests/engine/pod_text.h"
#include "tests/engine/verdict_harness.h"

namespace jobrun {

inline constexpr std::string_view kPodPath = "/api/v1/namespaces/ns/pods/p";
inline const std::string kNotFound = R"({"kind":"Status","code":404,"reason":"NotFound"})";

class ExecutorsTest : public testing::Test {
 protected:
  explicit ExecutorsTest(int dead_checks = 2) : engine_(SettingsWith(dead_checks)) {}

  static Settings SettingsWith(int dead_checks) {
    Settings settings;
    settings.executors = {.enabled = true, .selector = "", .dead_checks = dead_checks};
    // No heartbeats, no first visits but those of executors.
    settings.defaults.heartbeat_mode = HeartbeatMode::kIgnored;
    return settings;
  }

  [[nodiscard]] RunText Run() const { return RunText("a").Claimed().Executor("p", pod_.uid); }
  [[nodiscard]] static std::string Found(const PodText& pod) {
    return R"({"type":"ExecutorFound","status":"True","reason":"PodAlive","message":"pod p ()" +
           FormatUid(pod.uid) + R"() was seen alive"})";
  }
  // A run whose pod has been seen alive and that says so.
  RunText Recorded() { return Run().Conditions(Found(pod_)); }

  void Start(const RunText& run, const std::vector<std::string>& pods) {
    engine_.Sync({run});
    engine_.SyncWitnesses(Watched::kPods, pods);
  }
  void Pod(const PodText& pod, std::string_view type) {
    engine_.Witness(Watched::kPods, pod.Line(type));
  }

  // The one request open reads the pod; it is answered with this.
  void AnswerRead(int status, const std::string& body) {
    ASSERT_EQ(engine_.Requests().size(), 1U);
    ASSERT_EQ(engine_.Requests()[0].target, kPodPath);
    ASSERT_EQ(engine_.Requests()[0].method, Method::kGet);
    engine_.Answer(status, body);
  }
  void Dead() { AnswerRead(404, kNotFound); }
  void Alive() { AnswerRead(200, pod_.Json()); }
  [[nodiscard]] bool Quiet() const { return engine_.Requests().empty(); }
  [[nodiscard]] double Checks(ExecutorCheck result) const {
    return engine_.Counted(Metric::kExecutorChecks, static_cast<std::uint8_t>(result));
  }

  // The verdict is read first, because there are conditions to keep.
  void ExpectLost(const RunText& run, const std::string& cause, const std::string& fate) {
    ASSERT_EQ(engine_.Requests().size(), 1U);
    EXPECT_EQ(engine_.Requests()[0].target, "/apis/jobrun.dev/v1/namespaces/ns/jobruns/a");
    engine_.Answer(200, run.Json());
    ExpectVerdict(engine_, "ExecutorLost");
    const std::string& body = engine_.Requests()[0].body;
    EXPECT_NE(body.find(R"("cause":")" + cause + "\""), std::string::npos) << body;
    EXPECT_NE(body.find("executor lost: pod p: " + fate + "\""), std::string::npos) << body;
    EXPECT_NE(body.find(R"("type":"ExecutorFound")"), std::string::npos) << body;
  }

  PodText pod_{"p"};
  EngineHarness engine_;
};

}  // namespace jobrun
