// An engine that watches only what is active or owes a retry.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/engine/verdict_harness.h"

namespace jobrun {

class SelectionTest : public testing::Test {
 protected:
  static Settings Selecting() {
    Settings settings;
    settings.watch = {.relist = EngineHarness::kSeldom, .finished = false};
    return settings;
  }
  // The run leaves the selection: it is told as it was before, in the version in which it left.
  void Leaves(RunText before, std::uint64_t version) {
    engine_.Watch(before.Version(version), "DELETED");
  }
  // The object after the verdict in `request` committed, with its retry settled.
  static RunText Ended(const Request& request, RunText run) {
    const auto begin = request.body.find("\"verdictID\":\"") + 13;
    run.verdict_id = request.body.substr(begin, request.body.find('"', begin) - begin);
    run.reason = "HeartbeatTimeout";
    return run.Phase("Stuck").Version(run.version + 10);
  }
  [[nodiscard]] double Reaps() const { return engine_.Reaps(Reason::kHeartbeatTimeout); }
  const Request& Only() {
    EXPECT_EQ(engine_.Requests().size(), 1U);
    static const Request kNone;
    return engine_.Requests().empty() ? kNone : engine_.Requests()[0];
  }
  std::uint64_t Held() { return engine_.Scrape().runs; }
  [[nodiscard]] auto Said(std::string_view text) const {
    return std::ranges::count_if(engine_.Log(), [text](const LogLine& line) {
      return line.message.find(text) != std::string::npos;
    });
  }
  static std::string Page(const std::vector<RunText>& runs, const std::string& next = {}) {
    std::string items;
    for (const RunText& run : runs) items += (items.empty() ? "" : ",") + run.Json();
    return R"({"kind":"JobRunList","metadata":{"resourceVersion":"900","continue":")" + next +
           R"("},"items":[)" + items + "]}";
  }

  EngineHarness engine_{Selecting()};
};

}  // namespace jobrun
