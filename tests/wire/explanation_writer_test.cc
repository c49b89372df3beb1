#include "controller/wire/explanation_writer.h"

#include <gtest/gtest.h>

#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST(ExplanationWriterTest, SaysAllThatIsKnown) {
  const ServerTime at = *ParseRfc3339("2026-11-22T01:02:03.000004Z");
  Explanation e{.run = "ns/a",
                .uid = "u",
                .resource_version = 42,
                .phase = "Running",
                .lane = "etl",
                .reaping = "Enabled",
                .has_beaten = true,
                .silent_for = 21500ms,
                .started_at = at,
                .rules = {{"4", "Deadline", 90s, ""},
                          {"6", "HeartbeatLost", -1500ms, "HeartbeatTimeout"},
                          {"10", "Backstop", {}, ""}},
                .reason = "HeartbeatTimeout",
                .overdue = 1500ms,
                .held_by = "grace",
                .looked_at_again_in = 2s,
                .leader = "r1",
                .server = ServerInterval{at, at + std::chrono::seconds(1)},
                .words = "in \"words\""};
  EXPECT_EQ(WriteExplanation(e),
            R"({"run":"ns/a","uid":"u","resourceVersion":"42","phase":"Running","lane":"etl",)"
            R"("reaping":"Enabled","laneHeld":false,"beingDeleted":false,"summary":"in \"words\"",)"
            R"("observed":{"hasBeaten":true,"silentForSeconds":21.500,)"
            R"("startedAt":"2026-11-22T01:02:03.000004Z"},)"
            R"("rules":[{"row":"4","rule":"Deadline","state":"later","dueInSeconds":90.000},)"
            R"({"row":"6","rule":"HeartbeatLost","state":"due","reason":"HeartbeatTimeout",)"
            R"("dueSinceSeconds":1.500},{"row":"10","rule":"Backstop","state":"never"}],)"
            R"("verdict":{"reason":"HeartbeatTimeout","dueSinceSeconds":1.500,"heldBy":"grace",)"
            R"("lookedAtAgainInSeconds":2.000},)"
            R"("controller":{"leading":true,"leader":"r1",)"
            R"("silenceClock":{"stopped":false,"behindSeconds":0.000},)"
            R"("serverClock":{"earliest":"2026-11-22T01:02:03.000004Z",)"
            R"("latest":"2026-11-22T01:02:04.000004Z"}}})");
}

TEST(ExplanationWriterTest, WhatIsNotKnownIsLeftOut) {
  EXPECT_EQ(WriteExplanation({.run = "ns/a", .phase = "Pending", .writing = "queued"}),
            R"({"run":"ns/a","uid":"","resourceVersion":"0","phase":"Pending","lane":"",)"
            R"("reaping":"","laneHeld":false,"beingDeleted":false,"summary":"",)"
            R"("observed":{"hasBeaten":false,"silentForSeconds":0.000},"rules":[],)"
            R"("controller":{"leading":true,)"
            R"("silenceClock":{"stopped":false,"behindSeconds":0.000}}})");
}

}  // namespace
}  // namespace jobrun
