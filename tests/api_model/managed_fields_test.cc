#include "tests/api_model/managed_fields.h"

#include <gmock/gmock.h>

#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

using std::chrono::seconds;

// The entry of a manager and subresource; null when there is none.
Json EntryOf(const Answer& answer, const std::string& manager,
             const std::string& subresource = "") {
  for (const Json& entry : answer.body.at("metadata").at("managedFields")) {
    if (entry.at("manager") == manager && entry.value("subresource", "") == subresource)
      return entry;
  }
  return nullptr;
}

TEST(ManagedFieldsTest, CreatorOwnsWhatItSetAndTheDefaults) {
  ModelClient api;
  api.agent = "kubectl/v1 (linux)";
  Json run = ModelClient::Manifest("a", {{"retry", {{"on", {"X"}}}}});
  run["metadata"]["labels"] = {{"app", "x"}};
  const Json entry = EntryOf(api.Post(ModelClient::kRuns, run), "kubectl");
  EXPECT_EQ(entry.at("operation"), "Update");
  EXPECT_EQ(entry.at("apiVersion"), "jobrun.dev/v1");
  EXPECT_EQ(entry.at("time"), "2026-11-22T00:00:00Z");
  EXPECT_EQ(entry.at("fieldsV1"), Json::parse(R"({
    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
    "f:spec": {".": {}, "f:lane": {}, "f:retry": {".": {}, "f:on": {".": {}, "v:\"X\"": {}}}}})"));
}

TEST(ManagedFieldsTest, TimeMovesOnlyWhenTheManagerChangesSomething) {
  ModelClient api;
  api.Create("a");
  api.PatchStatus("a", ModelClient::Claim());
  api.agent = "worker/2";
  const Json first = EntryOf(api.Beat("a", "2026-01-01T00:00:30Z"), "worker", "status");
  EXPECT_EQ(first.at("fieldsV1"), Json::parse(R"({"f:status": {"f:lastHeartbeatAt": {}}})"));
  api.now += seconds(10);
  EXPECT_EQ(EntryOf(api.Beat("a", "2026-01-01T00:00:30Z"), "worker", "status"), first);
  api.agent = "other";
  EXPECT_EQ(EntryOf(api.PatchStatus("a", {{"progress", "1"}}), "worker", "status"), first);
  api.agent = "worker/3";
  const Json moved = EntryOf(api.Beat("a", "2025-01-01T00:00:30Z"), "worker", "status");
  EXPECT_EQ(moved.at("time"), "2026-11-22T00:00:10Z");
}

TEST(ManagedFieldsTest, OneEntryForEachManagerAndSubresource) {
  ModelClient api;
  api.agent = "worker/1";
  api.Create("a");
  const auto both = api.PatchStatus("a", ModelClient::Claim());
  EXPECT_EQ(both.body.at("metadata").at("managedFields").size(), 2U);
}

TEST(ManagedFieldsTest, ChangedFieldMovesToItsNewOwner) {
  ModelClient api;
  api.Create("a", {{"deadlineSeconds", 5}});
  api.agent = "editor";
  const auto edited = api.Patch(ModelClient::Run("a"), {{"spec", {{"deadlineSeconds", 6}}}});
  EXPECT_FALSE(EntryOf(edited, "tester").at("fieldsV1").at("f:spec").contains("f:deadlineSeconds"));
  EXPECT_TRUE(EntryOf(edited, "editor").at("fieldsV1").at("f:spec").contains("f:deadlineSeconds"));
}

TEST(ManagedFieldsTest, RemovedFieldIsOwnedByNobody) {
  ModelClient api;
  api.Create("a", {{"deadlineSeconds", 5}});
  api.agent = "editor";
  const auto edited = api.Patch(ModelClient::Run("a"), {{"spec", {{"deadlineSeconds", nullptr}}}});
  EXPECT_FALSE(EntryOf(edited, "tester").at("fieldsV1").at("f:spec").contains("f:deadlineSeconds"));
  EXPECT_TRUE(EntryOf(edited, "editor").is_null()) << "removing alone owns nothing";
}

TEST(ManagedFieldsTest, ListMapItemsAreOwnedByKey) {
  ModelClient api;
  api.Create("a");
  api.agent = "gate";
  const auto patched =
      api.PatchStatus("a", {{"conditions", {{{"type", "A"}, {"status", "True"}}}}});
  EXPECT_EQ(EntryOf(patched, "gate", "status").at("fieldsV1"), Json::parse(R"json({
    "f:status": {".": {}, "f:conditions": {".": {},
      "k:{\"type\":\"A\"}": {".": {}, "f:status": {}, "f:type": {}}}}})json"));
}

TEST(ManagedFieldsTest, MoreThanTenUpdatersShareTheOldestEntry) {
  ModelClient api;
  api.Create("a");
  Answer last;
  for (int i = 0; i < 12; ++i) {
    api.now += seconds(1);
    api.agent = "m" + std::to_string(i);
    last = api.Patch(ModelClient::Run("a"), {{"metadata", {{"labels", {{api.agent, "x"}}}}}});
  }
  EXPECT_EQ(last.body.at("metadata").at("managedFields").size(), kUpdateManagersMax);
  EXPECT_FALSE(EntryOf(last, "ancient-changes").is_null());
  EXPECT_FALSE(EntryOf(last, "m11").is_null());
}

class ApplyTest : public testing::Test {
 protected:
  Answer Apply(const std::string& manager, const Json& spec, const std::string& more = "") {
    return api_.Patch(ModelClient::Run("a") + "?fieldManager=" + manager + more,
                      ModelClient::Manifest("a", spec), "application/apply-patch+yaml");
  }
  ModelClient api_{};
};

TEST_F(ApplyTest, CreatesMergesAndRemovesWhatIsNoLongerApplied) {
  EXPECT_EQ(Apply("m", {{"deadlineSeconds", 5}, {"cancelGraceSeconds", 9}}).code, 201);
  const auto changed = Apply("m", {{"deadlineSeconds", 6}});
  EXPECT_EQ(changed.code, 200);
  EXPECT_EQ(changed.body.at("spec"), Json({{"lane", "default"}, {"deadlineSeconds", 6}}));
  const auto revision = api_.model->revision();
  EXPECT_EQ(Apply("m", {{"deadlineSeconds", 6}}).code, 200);
  EXPECT_EQ(api_.model->revision(), revision) << "applied again, nothing changes";
}

TEST_F(ApplyTest, AnotherManagersFieldIsAConflictUnlessForced) {
  Apply("m", {{"deadlineSeconds", 5}});
  const auto conflict = Apply("n", {{"deadlineSeconds", 6}});
  EXPECT_EQ(conflict.code, 409);
  EXPECT_EQ(conflict.message(),
            "Apply failed with 1 conflict: conflict with \"m\": .spec.deadlineSeconds");
  EXPECT_EQ(Apply("n", {{"deadlineSeconds", 5}}).code, 200) << "agreeing is no conflict";
  EXPECT_EQ(
      Apply("n", {{"deadlineSeconds", 6}}, "&force=true").body.at("spec").at("deadlineSeconds"), 6);
}

TEST_F(ApplyTest, NeedsAFieldManager) {
  EXPECT_EQ(
      api_.Patch(ModelClient::Run("a"), ModelClient::Manifest("a"), "application/apply-patch+yaml")
          .code,
      422);
}

}  // namespace
}  // namespace jobrun::api_model
