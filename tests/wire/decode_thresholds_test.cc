#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "controller/wire/event_decoder.h"

namespace jobrun {
namespace {

constexpr std::string_view kHeartbeat = "heartbeat.";

// A spec that says `value` at a field's path.
std::string SpecWith(std::string_view path, std::string_view value) {
  if (path.starts_with(kHeartbeat)) {
    return R"({"heartbeat":{")" + std::string(path.substr(kHeartbeat.size())) +
           "\":" + std::string(value) + "}}";
  }
  return "{\"" + std::string(path) + "\":" + std::string(value) + "}";
}

TEST(DecodeThresholdsTest, ReadsEveryField) {
  EventDecoder decoder;
  const auto thresholds = decoder.DecodeThresholds(
      R"({"lane":"x","reaping":"DryRun","pendingDeadlineSeconds":1,"deadlineSeconds":2,)"
      R"("backstopSeconds":3,"claimTTLSeconds":4,"heartbeat":{"mode":"Required","source":"Lease",)"
      R"("intervalSeconds":5,"timeoutSeconds":6,"firstTimeoutSeconds":7}})");
  ASSERT_TRUE(thresholds.ok()) << thresholds.error().ToString();
  Thresholds expected;
  expected.reaping = Reaping::kDryRun;
  expected.pending_deadline = Seconds(1);
  expected.deadline = Seconds(2);
  expected.backstop = Seconds(3);
  expected.claim_ttl = Seconds(4);
  expected.heartbeat_mode = HeartbeatMode::kRequired;
  expected.heartbeat_source = HeartbeatSource::kLease;
  expected.heartbeat_interval = Seconds(5);
  expected.heartbeat_timeout = Seconds(6);
  expected.first_timeout = Seconds(7);
  EXPECT_EQ(*thresholds, expected);
}

TEST(DecodeThresholdsTest, ReadsTheCompletionGates) {
  EventDecoder decoder;
  using Gates = std::vector<std::string>;
  const auto gates = [&](std::string_view list) {
    const auto read = decoder.DecodeThresholds("{\"completionGates\":" + std::string(list) + "}");
    EXPECT_TRUE(read.ok()) << list;
    return read.ok() ? read->completion_gates : std::nullopt;
  };
  EXPECT_EQ(gates(R"([{"conditionType":"a"},{"conditionType":"b/\u0063"}])"), (Gates{"a", "b/c"}));
  EXPECT_EQ(gates("[]"), Gates{});
  EXPECT_EQ(gates("null"), std::nullopt);
  for (const char* list : {"{}", "7", R"(["a"])", R"([{"conditionType":""}])", R"([{}])",
                           R"([{"conditionType":7}])"}) {
    const auto bad = decoder.DecodeThresholds("{\"completionGates\":" + std::string(list) + "}");
    ASSERT_FALSE(bad.ok()) << list;
    EXPECT_NE(bad.error().detail.find("spec.completionGates"), std::string::npos);
  }
}

TEST(DecodeThresholdsTest, ReadsWhatIsSaidAboutRetries) {
  EventDecoder decoder;
  const auto read = decoder.DecodeThresholds(
      R"({"retry":{"maxAttempts":3,"backoffSeconds":5,"maxBackoffSeconds":60,)"
      R"("on":["ExitNonZero","My\u004fwn"],"exitCodes":{"in":[1,-2],"notIn":[]},"x":[{}]}})");
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  const RetryRules expected{.max_attempts = 3,
                            .backoff = Seconds(5),
                            .max_backoff = Seconds(60),
                            .on = std::vector<std::string>{"ExitNonZero", "MyOwn"},
                            .exit_codes_in = std::vector<std::int32_t>{1, -2},
                            .exit_codes_not_in = std::vector<std::int32_t>{}};
  EXPECT_EQ(read->retry, expected);
  for (const char* silent : {"null", "{}", R"({"on":null,"exitCodes":null,"maxAttempts":null})",
                             R"({"exitCodes":{"in":null}})"}) {
    const auto nothing = decoder.DecodeThresholds("{\"retry\":" + std::string(silent) + "}");
    ASSERT_TRUE(nothing.ok()) << silent;
    EXPECT_EQ(nothing->retry, RetryRules{}) << silent;
  }
}

TEST(DecodeThresholdsTest, RefusesRetriesThatCantBeMeant) {
  EventDecoder decoder;
  const std::pair<const char*, const char*> cases[] = {
      {"7", "spec.retry: expected an object"},
      {R"({"maxAttempts":0})", "spec.retry.maxAttempts: expected a whole number from 1 to 100"},
      {R"({"maxAttempts":101})", "spec.retry.maxAttempts:"},
      {R"({"backoffSeconds":"5"})", "spec.retry.backoffSeconds:"},
      {R"({"maxBackoffSeconds":2147483648})", "spec.retry.maxBackoffSeconds:"},
      {R"({"on":"ExitNonZero"})", "spec.retry.on: expected a list"},
      {R"({"on":[7]})", "spec.retry.on: expected non-empty strings"},
      {R"({"exitCodes":[]})", "spec.retry.exitCodes: expected an object"},
      {R"({"exitCodes":{"in":[2147483648]}})", "spec.retry.exitCodes.in: expected whole numbers"},
      {R"({"exitCodes":{"notIn":{}}})", "spec.retry.exitCodes.notIn: expected a list"}};
  for (const auto& [retry, problem] : cases) {
    const auto read = decoder.DecodeThresholds("{\"retry\":" + std::string(retry) + "}");
    ASSERT_FALSE(read.ok()) << retry;
    EXPECT_EQ(read.error().detail.substr(0, std::string_view(problem).size()), problem);
  }
}

TEST(DecodeThresholdsTest, AbsentAndNullSayNothing) {
  EventDecoder decoder;
  for (const char* spec : {"", "{}", R"({"heartbeat":{}})",
                           R"({"heartbeat":null,"reaping":null,"deadlineSeconds":null})",
                           R"({"heartbeat":{"mode":null,"timeoutSeconds":null}})"}) {
    const auto thresholds = decoder.DecodeThresholds(spec);
    ASSERT_TRUE(thresholds.ok()) << spec << thresholds.error().ToString();
    EXPECT_EQ(*thresholds, Thresholds{}) << spec;
  }
}

TEST(DecodeThresholdsTest, UnknownFieldsAreSkipped) {
  EventDecoder decoder;
  const auto thresholds = decoder.DecodeThresholds(
      R"({"payload":{"deadlineSeconds":1,"heartbeat":{"timeoutSeconds":0},)"
      R"("x":[[{"reaping":"no"}]]},)"
      R"("heartbeat.timeoutSeconds":7,"timeoutSeconds":8,"assignedTo":"w",)"
      R"("heartbeat":{"deadlineSeconds":9,"heartbeat.timeoutSeconds":7},"backstopSeconds":5})");
  ASSERT_TRUE(thresholds.ok()) << thresholds.error().ToString();
  EXPECT_EQ(*thresholds, Thresholds{.backstop = Seconds(5)});
}

TEST(DecodeThresholdsTest, AHugePayloadIsSkipped) {
  EventDecoder decoder;
  const std::string payload(std::size_t{2} << 20U, 'x');
  const auto thresholds =
      decoder.DecodeThresholds(R"({"deadlineSeconds":5,"payload":{"p":")" + payload + "\"}}");
  ASSERT_TRUE(thresholds.ok());
  EXPECT_EQ(thresholds->deadline, Seconds(5));
  EXPECT_TRUE(decoder.DecodeThresholds("{}").ok());
}

TEST(DecodeThresholdsTest, TakesBothEndsOfEveryRangeAndNothingBeyond) {
  EventDecoder decoder;
  for (const SecondsField& field : kSecondsFields) {
    for (const std::int64_t value : {field.min, field.max}) {
      const auto thresholds = decoder.DecodeThresholds(SpecWith(field.path, std::to_string(value)));
      ASSERT_TRUE(thresholds.ok()) << field.path << value;
      EXPECT_EQ((*thresholds).*field.member, Seconds(value)) << field.path;
    }
    for (const std::int64_t value : {field.min - 1, field.max + 1}) {
      const auto thresholds = decoder.DecodeThresholds(SpecWith(field.path, std::to_string(value)));
      ASSERT_FALSE(thresholds.ok()) << field.path << value;
      EXPECT_EQ(thresholds.error().code, Code::kInvalid);
      EXPECT_EQ(thresholds.error().detail,
                "spec." + std::string(field.path) + ": expected a whole number from " +
                    std::to_string(field.min) + " to " + std::to_string(field.max));
    }
  }
}

TEST(DecodeThresholdsTest, RefusesWhatIsNoWholeNumber) {
  EventDecoder decoder;
  for (const SecondsField& field : kSecondsFields) {
    for (const char* value : {"\"60\"", "60.5", "6e1", "-60", "true", "[]", "{}", "060", "1e400",
                              "99999999999999999999999", "nul", "60x"}) {
      const auto thresholds = decoder.DecodeThresholds(SpecWith(field.path, value));
      ASSERT_FALSE(thresholds.ok()) << field.path << value;
      EXPECT_NE(thresholds.error().detail.find(field.path), std::string::npos);
    }
  }
}

TEST(DecodeThresholdsTest, RefusesUnknownNames) {
  EventDecoder decoder;
  for (const char* value : {"\"enabled\"", "\"\"", "7", "[]"}) {
    const auto thresholds = decoder.DecodeThresholds(SpecWith("reaping", value));
    ASSERT_FALSE(thresholds.ok()) << value;
    EXPECT_EQ(thresholds.error().detail, "spec.reaping: expected one of Enabled DryRun Disabled");
    const auto mode = decoder.DecodeThresholds(SpecWith("heartbeat.mode", value));
    ASSERT_FALSE(mode.ok()) << value;
    EXPECT_EQ(mode.error().detail, "spec.heartbeat.mode: expected one of Auto Required Ignored");
  }
}

TEST(DecodeThresholdsTest, RefusesWhatIsNoObject) {
  EventDecoder decoder;
  for (const char* spec : {"null", "[]", "7", "{", "}", "{}}", "{} x", R"({"deadlineSeconds":5)",
                           R"({"deadlineSeconds" 5})", R"({"heartbeat":{"mode":"Auto"})",
                           R"({"heartbeat":[]})", R"({"heartbeat":"Auto"})"}) {
    EXPECT_FALSE(decoder.DecodeThresholds(spec).ok()) << spec;
  }
}

}  // namespace
}  // namespace jobrun
