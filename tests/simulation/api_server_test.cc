// The simulation's API server against the model that evaluates the CRD itself: the same random
// requests, the same answers, the same objects.
#include "tests/simulation/api_server.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include "controller/base/random.h"
#include "controller/base/rfc3339.h"
#include "controller/wire/managed_fields.h"
#include "controller/wire/targets.h"
#include "tests/api_model/api_model.h"

namespace jobrun::simulation {
namespace {

using Json = nlohmann::json;

const ServerTime kStart = *ParseRfc3339("2026-11-22T00:00:00Z");
constexpr std::string_view kRuns = "/apis/jobrun.dev/v1/namespaces/default/jobruns";
constexpr std::string_view kMerge = "application/merge-patch+json";
constexpr std::string_view kJsonPatch = "application/json-patch+json";
constexpr int kRequests = 1500;

std::string Replaced(std::string text, std::string_view what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what)) {
    text.replace(at, what.size(), with);
  }
  return text;
}

// $V and $U in a request stand for the version and the uid that the server itself gave.
class Both : public ::testing::Test {
 protected:
  Both() : simulated_(7, kStart) {
    auto made = api_model::ApiModel::Create({}, kStart);
    EXPECT_TRUE(made.ok());
    model_ = std::move(made).value();
  }

  void Send(Method method, const std::string& name, const std::string& below, std::string_view type,
            const std::string& body) {
    at_ += std::chrono::milliseconds(400);
    constexpr std::array kMethods = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    const std::string target =
        std::string(kRuns) + (method == Method::kPost ? "" : "/" + name + below);
    const Json of_model = Read(true, name);
    const Json of_simulated = Read(false, name);
    const auto made = [&](const Json& from) {
      const bool there = from.contains("metadata") && from.at("metadata").contains("uid");
      const std::string version = there ? from.at("metadata").at("resourceVersion") : "1";
      const std::string uid = there ? from.at("metadata").at("uid") : "none";
      return Replaced(Replaced(body, "$V", version), "$U", uid);
    };
    const api_model::Reply expected =
        model_->Handle({.method = kMethods.at(static_cast<std::size_t>(method)),
                        .target = target,
                        .content_type = std::string(type),
                        .user_agent = "worker/1",
                        .body = made(of_model)},
                       kStart + std::chrono::duration_cast<ServerTime::duration>(at_));
    const Reply got = simulated_.Handle({.method = method,
                                         .target = target,
                                         .content_type = std::string(type),
                                         .body = made(of_simulated),
                                         .manager = "worker"},
                                        at_);
    ASSERT_EQ(got.status, expected.status) << target << " " << made(of_simulated) << "\n"
                                           << of_simulated << "\n"
                                           << expected.body << "\n"
                                           << got.body;
    Compare(name, body);
    CompareWatches(body);
  }

  // Watches of what is active or owes a retry, from now on.
  void Watch() {
    const std::string target =
        WatchTarget({.name_space = "default", .field_selector = std::string(kUnsettledFields)},
                    {.resource_version = "$V", .timeout = std::chrono::hours(1)});
    const std::string of_model = Replaced(target, "%24V", std::to_string(model_->revision()));
    model_watch_ = model_->Handle({.method = "GET", .target = of_model}, kStart).watch;
    ASSERT_TRUE(model_watch_);
    Reply refusal;
    simulated_watch_ = simulated_.OpenWatch(
        Replaced(target, "%24V", std::to_string(simulated_.Version())), refusal);
    ASSERT_TRUE(simulated_watch_);
  }

  void CompareWatches(const std::string& after) {
    const ServerTime now = kStart + std::chrono::duration_cast<ServerTime::duration>(at_);
    std::istringstream lines(model_->Drain(*model_watch_, now).bytes);
    for (std::string line; std::getline(lines, line);) {
      const Json expected = Json::parse(line);
      if (expected.at("type") == "BOOKMARK") continue;
      const Change* const change = simulated_.NextChange(*simulated_watch_, at_);
      // A patch of nothing leaves an empty status there, which the simulation does not note.
      const bool of_nothing = expected.at("object").value("status", Json()) == Json::object();
      if (change == nullptr && of_nothing) continue;
      ASSERT_NE(change, nullptr) << line << " after " << after;
      constexpr std::array kTypes = {"ADDED", "MODIFIED", "DELETED"};
      EXPECT_EQ(expected.at("type"), kTypes.at(static_cast<std::size_t>(change->type))) << after;
      const Json got = Json::parse(change->object->text);
      const Json& object = expected.at("object");
      EXPECT_EQ(got.at("metadata").at("name"), object.at("metadata").at("name"));
      EXPECT_EQ(got.at("metadata").at("resourceVersion"), std::to_string(simulated_.Version()));
      EXPECT_EQ(object.at("metadata").at("resourceVersion"), std::to_string(model_->revision()));
      const Json none = Json::object();
      EXPECT_EQ(got.value("status", none), object.value("status", none)) << after;
      ++told_[expected.at("type")];
    }
    EXPECT_EQ(simulated_.NextChange(*simulated_watch_, at_), nullptr) << after;
  }

  Json Read(bool model, const std::string& name) {
    const std::string target = std::string(kRuns) + "/" + name;
    const ServerTime now = kStart + std::chrono::duration_cast<ServerTime::duration>(at_);
    return Json::parse(model ? model_->Handle({.method = "GET", .target = target}, now).body
                             : simulated_.Handle({.target = target}, at_).body);
  }

  void Compare(const std::string& name, const std::string& after) {
    Json expected = Read(true, name);
    Json got = Read(false, name);
    if (!expected.contains("spec")) return;
    // A patch of nothing leaves an empty status there.
    if (expected.value("status", Json()) == Json::object()) expected.erase("status");
    for (const char* part : {"spec", "status"}) {
      ASSERT_EQ(got.value(part, Json()), expected.value(part, Json()))
          << part << " after " << after;
    }
    for (const char* field : {"generation", "finalizers", "annotations", "creationTimestamp"}) {
      ASSERT_EQ(got.at("metadata").value(field, Json()),
                expected.at("metadata").value(field, Json()))
          << field << " after " << after;
    }
    ASSERT_EQ(got.at("metadata").contains("deletionTimestamp"),
              expected.at("metadata").contains("deletionTimestamp"));
    const std::string fields = got.at("metadata").value("managedFields", Json::array()).dump();
    const std::string of_model =
        expected.at("metadata").value("managedFields", Json::array()).dump();
    ASSERT_EQ(HeartbeatStamp(fields), HeartbeatStamp(of_model)) << after << fields << of_model;
    ASSERT_EQ(ClaimStamp(fields), ClaimStamp(of_model)) << after << fields << of_model;
  }

  ApiServer simulated_;
  std::unique_ptr<api_model::ApiModel> model_;
  Nanos at_{};
  std::optional<api_model::SubscriptionId> model_watch_{};
  std::optional<WatchCursor> simulated_watch_{};
  std::map<std::string, int> told_{};
};

std::string Status(const std::string& fields, bool guarded) {
  return (guarded ? R"({"metadata":{"resourceVersion":"$V"},"status":{)" : R"({"status":{)") +
         fields + "}}";
}

// A write to the status, right or wrong.
std::string DrawStatus(Random& random) {
  const std::string time = FormatMicroTime(kStart + std::chrono::seconds(random.Below(90)));
  const std::string claim = R"("phase":"Running","claimedBy":"w","claimedAt":")" + time + "\"";
  const std::array kFields = {
      claim,
      std::string(R"("phase":"Running")"),
      R"("lastHeartbeatAt":")" + time + "\"",
      R"("claimedBy":"w","lastHeartbeatAt":")" + time + R"(","progress":")" + time + "\"",
      std::string(R"("claimedBy":"another")"),
      std::string(R"("exitCode":0)"),
      std::string(R"("exitCode":3)"),
      std::string(R"("phase":"Succeeded")"),
      std::string(R"("phase":"Failed","reason":"Mine")"),
      R"("phase":"Stuck","reason":"HeartbeatTimeout","verdictID":"p-1","retry":{"state":"Pending",)"
      R"("successorName":"n","notBeforeTime":")" +
          time + "\"}",
      std::string(R"("retry":{"state":"Created","successorUID":"u"})"),
      std::string(R"("retry":{"state":"Created"})"),
      std::string(R"("retry":{"state":"Skipped"})"),
      std::string(R"("retry":null)"),
      std::string(R"("phase":null)"),
      R"("startTime":")" + time + "\"",
      R"("lateHeartbeatTime":")" + time + "\"",
      std::string(R"("lastHeartbeatAt":"soon")"),
      std::string(R"("conditions":[{"type":"Checked","status":"True","reason":"Ok","message":"",)"
                  R"("lastTransitionTime":"2026-11-22T00:00:00Z"}])"),
  };
  return kFields.at(random.Below(kFields.size()));
}

TEST_F(Both, AnswerRandomRequestsAlike) {
  Random random(20261122);
  Watch();
  for (int i = 0; i < kRequests && !HasFatalFailure(); ++i) {
    const std::string name = "r" + std::to_string(random.Below(4));
    switch (random.Below(9)) {
      case 0:
        Send(Method::kPost, name, "", "application/json",
             R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":")" + name + "\"" +
                 (random.Below(3) == 0 ? R"(,"finalizers":["test/hold"])" : "") +
                 R"(},"spec":{"heartbeat":{"intervalSeconds":3,"timeoutSeconds":9}}})");
        break;
      case 1:
        Send(Method::kPatch, name, "", kMerge,
             random.Below(2) == 0 ? R"({"spec":{"cancelled":true}})"
                                  : R"({"spec":{"cancelled":false}})");
        break;
      case 2:
        Send(Method::kPatch, name, "", kMerge,
             random.Below(2) == 0 ? R"({"metadata":{"annotations":{"a":"b"}}})"
                                  : R"({"metadata":{"finalizers":null}})");
        break;
      case 3:
        Send(Method::kDelete, name, "", "application/json",
             random.Below(2) == 0 ? R"({"preconditions":{"uid":"$U","resourceVersion":"$V"}})"
                                  : R"({"preconditions":{"uid":"$U","resourceVersion":"1"}})");
        break;
      case 4:
        Send(Method::kPatch, name, "/status", kMerge,
             R"({"metadata":{"resourceVersion":"1"},"status":{"progress":"x"}})");
        break;
      case 5:
        Send(Method::kPatch, name, "/status", kJsonPatch,
             R"([{"op":"test","path":"/metadata/uid","value":"$U"},)"
             R"({"op":"test","path":"/status/phase","value":"Running"},)"
             R"({"op":"test","path":"/status/exitCode","value":null},)"
             R"({"op":"add","path":"/status/phase","value":"Failed"}])");
        break;
      default:
        Send(Method::kPatch, name, "/status", kMerge,
             Status(DrawStatus(random), random.Below(2) == 0));
    }
  }
  for (const char* const type : {"ADDED", "MODIFIED", "DELETED"})
    EXPECT_GT(told_[type], 10) << type;
}

}  // namespace
}  // namespace jobrun::simulation
