#include "controller/wire/worker_patch.h"

#include <gtest/gtest.h>

#include <string>

#include "controller/base/rfc3339.h"
#include "controller/model/uid.h"

namespace jobrun {
namespace {

const ServerTime kAt = *ParseRfc3339("2026-11-22T01:02:03.000004Z");
const Author kAuthor{*ParseUid("6d1f8a52-0000-4000-8000-000000000001"), "laptop-7"};

// What every patch but the claim begins with.
const std::string kOpening =
    R"([{"op":"test","path":"/metadata/uid","value":"6d1f8a52-0000-4000-8000-000000000001"},)"
    R"({"op":"add","path":"/status/claimedBy","value":"laptop-7"},)";

std::string Added(const std::string& field, const std::string& json) {
  return R"({"op":"add","path":"/status/)" + field + R"(","value":)" + json + "}";
}

TEST(ClaimPatchTest, NamesTheVersionItWasSeenPendingIn) {
  EXPECT_EQ(
      WriteClaimPatch({.worker = "laptop-7", .resource_version = 18446744073709551615U, .at = kAt}),
      R"({"metadata":{"resourceVersion":"18446744073709551615"},"status":{)"
      R"("claimedBy":"laptop-7","phase":"Running","claimedAt":"2026-11-22T01:02:03.000004Z"}})");
}

TEST(ClaimPatchTest, TellsWhereTheWorkRuns) {
  ClaimPatch claim{.worker = "w", .resource_version = 7, .at = kAt};
  claim.executor = {.pod_name = "p", .pod_uid = "u", .node_name = "n"};
  EXPECT_NE(
      WriteClaimPatch(claim).find(R"(,"executor":{"podName":"p","podUID":"u","nodeName":"n"}}})"),
      std::string::npos);
  claim.executor = {.pod_name = "p"};
  EXPECT_NE(WriteClaimPatch(claim).find(R"(,"executor":{"podName":"p"}}})"), std::string::npos);
}

TEST(ClaimPatchTest, WithoutAPodThereIsNoExecutor) {
  ClaimPatch claim{.worker = "w", .resource_version = 7, .at = kAt};
  claim.executor = {.pod_uid = "u", .node_name = "n"};
  EXPECT_EQ(WriteClaimPatch(claim).find("executor"), std::string::npos);
}

TEST(BeatPatchTest, TestsTheUidAndNamesTheWorker) {
  EXPECT_EQ(WriteBeatPatch({.author = kAuthor, .at = kAt}),
            kOpening + Added("lastHeartbeatAt", "\"2026-11-22T01:02:03.000004Z\"") + "]");
}

TEST(BeatPatchTest, CarriesProgressAsItIsAlsoWhenItIsEmpty) {
  const std::string head =
      kOpening + Added("lastHeartbeatAt", "\"2026-11-22T01:02:03.000004Z\"") + ",";
  EXPECT_EQ(WriteBeatPatch({.author = kAuthor, .at = kAt, .progress = "a \"b\"\n"}),
            head + Added("progress", R"("a \"b\"\u000a")") + "]");
  EXPECT_EQ(WriteBeatPatch({.author = kAuthor, .at = kAt, .progress = ""}),
            head + Added("progress", "\"\"") + "]");
}

TEST(BeatPatchTest, ProgressIsCutToWhatTheResourceTakesWithinNoCharacter) {
  const std::string fits(1024, 'x');
  EXPECT_NE(WriteBeatPatch({.author = kAuthor, .at = kAt, .progress = fits}).find(fits + "\""),
            std::string::npos);
  EXPECT_NE(
      WriteBeatPatch({.author = kAuthor, .at = kAt, .progress = fits + "y"}).find(fits + "\""),
      std::string::npos);
  const std::string split = std::string(1023, 'x') + "\xc3\xbc";
  EXPECT_NE(WriteBeatPatch({.author = kAuthor, .at = kAt, .progress = split})
                .find("\"" + std::string(1023, 'x') + "\""),
            std::string::npos);
}

TEST(EndPatchTest, SaysInOneWriteHowTheWorkEnded) {
  EXPECT_EQ(WriteEndPatch({.author = kAuthor,
                           .at = kAt,
                           .exit_code = -3,
                           .phase = Phase::kFailed,
                           .reason = "ExitNonZero",
                           .message = "exit code -3",
                           .progress = "9/10"}),
            kOpening + Added("exitCode", "-3") + "," +
                Added("exitTime", "\"2026-11-22T01:02:03.000004Z\"") + "," +
                Added("phase", "\"Failed\"") + "," +
                Added("completionTime", "\"2026-11-22T01:02:03.000004Z\"") + "," +
                Added("reason", "\"ExitNonZero\"") + "," + Added("message", "\"exit code -3\"") +
                "," + Added("progress", "\"9/10\"") + "]");
}

TEST(EndPatchTest, WithoutAPhaseOnlyTheExitIsRecorded) {
  EXPECT_EQ(WriteEndPatch({.author = kAuthor, .at = kAt, .exit_code = 0}),
            kOpening + Added("exitCode", "0") + "," +
                Added("exitTime", "\"2026-11-22T01:02:03.000004Z\"") + "]");
}

TEST(EndPatchTest, WithoutAnExitCodeNoExitIsRecorded) {
  EXPECT_EQ(WriteEndPatch(
                {.author = kAuthor, .at = kAt, .phase = Phase::kFailed, .reason = "HandedBack"}),
            kOpening + Added("phase", "\"Failed\"") + "," +
                Added("completionTime", "\"2026-11-22T01:02:03.000004Z\"") + "," +
                Added("reason", "\"HandedBack\"") + "]");
}

TEST(EndPatchTest, TextsAreCutToWhatTheResourceTakes) {
  const std::string reason(129, 'r');
  const std::string message(4097, 'm');
  const std::string patch = WriteEndPatch({.author = kAuthor,
                                           .at = kAt,
                                           .phase = Phase::kFailed,
                                           .reason = reason,
                                           .message = message});
  EXPECT_NE(patch.find("\"" + std::string(128, 'r') + "\""), std::string::npos);
  EXPECT_NE(patch.find("\"" + std::string(4096, 'm') + "\""), std::string::npos);
}

TEST(WorkOrderTest, ReadsWhomTheRunIsForAndItsPayloadAsWritten) {
  const auto order = ReadWorkOrder(
      R"({"lane":"a","assignedTo":"w\u00fc","payload":{"b": [1, "}"] ,"a":1.50},"attempt":2})");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->assigned_to, "wü");
  EXPECT_EQ(order->payload_json, R"({"b": [1, "}"] ,"a":1.50})");
}

TEST(WorkOrderTest, WhatIsNotThereIsEmpty) {
  for (const char* spec : {"", "{}", R"({"lane":"a"})", R"({"assignedTo":null,"payload":null})"}) {
    const auto order = ReadWorkOrder(spec);
    ASSERT_TRUE(order) << spec;
    EXPECT_EQ(order->assigned_to + order->payload_json, "") << spec;
  }
}

TEST(WorkOrderTest, WhatIsNoObjectIsInvalid) {
  for (const char* spec : {"[]", "1", "{\"a\"", R"({"payload":{"a":1)", "nonsense"}) {
    const auto order = ReadWorkOrder(spec);
    ASSERT_FALSE(order) << spec;
    EXPECT_EQ(order.error().code, Code::kInvalid);
  }
}

}  // namespace
}  // namespace jobrun
