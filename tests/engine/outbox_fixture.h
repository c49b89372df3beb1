// An engine with one run that has ended, for the tests of the Outbox.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/engine_harness.h"

namespace jobrun {

inline constexpr const char* kRetry = R"("retry":{"maxAttempts":3,"backoffSeconds":20})";
inline constexpr Uid kSuccessor{9, 9};

class OutboxTest : public testing::Test {
 protected:
  // A run whose retry is recorded and due at once.
  RunText Parent(const std::string& spec = kRetry) {
    RunText run = RunText("a").Claimed().Phase("Failed").Spec(spec);
    run.reason = "ExitNonZero";
    return run.Retry(
        R"("state":"Pending","successorName":"a-b","notBeforeTime":"2026-11-22T12:00:00Z")");
  }
  RunText Successor() {
    RunText run("a-b");
    run.uid = kSuccessor;
    run.created = "2026-11-22T12:00:05Z";
    return run.Spec(R"("attempt":2,"retryOf":{"name":"a","uid":")" + FormatUid(RunText("a").uid) +
                    "\"}");
  }
  static std::string List(const std::vector<RunText>& runs) {
    std::string items;
    for (const RunText& run : runs) items += (items.empty() ? "" : ",") + run.Json();
    return R"({"kind":"JobRunList","metadata":{"resourceVersion":"900"},"items":[)" + items + "]}";
  }
  // The server clock is known to a second, so what is due at its start is due a moment later.
  void Sync(const RunText& run) {
    engine_.Sync({run});
    engine_.Pass(std::chrono::seconds(2));
  }
  const Request& Only() {
    EXPECT_EQ(engine_.Requests().size(), 1U);
    static const Request kNone;
    return engine_.Requests().empty() ? kNone : engine_.Requests()[0];
  }
  bool Writes(const std::string& text) { return Only().body.find(text) != std::string::npos; }
  bool Skips() { return engine_.Requests().size() == 1 && Writes(R"("state":"Skipped")"); }
  double Retries(RetryResult result) {
    return engine_.Counted(Metric::kRetries, static_cast<std::uint8_t>(result));
  }
  void ExpectNothingLeft() {
    engine_.Pass(std::chrono::hours(1));
    EXPECT_TRUE(engine_.Requests().empty());
  }

  EngineHarness engine_;
};

}  // namespace jobrun
