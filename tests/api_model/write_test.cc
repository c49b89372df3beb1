// Creating, changing and deleting: the semantics of resourceVersion, uid, generation, status and
// finalizers.
#include <gmock/gmock.h>

#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kJsonPatch = "application/json-patch+json";
constexpr const char* kOtherUid = "00000000-0000-4000-8000-000000000000";

TEST(CreateTest, FillsInWhatTheServerKeeps) {
  ModelClient api;
  Json run = ModelClient::Manifest("a");
  run["metadata"]["uid"] = "mine";
  run["metadata"]["generation"] = 7;
  run["metadata"]["creationTimestamp"] = "1999-01-01T00:00:00Z";
  run["status"] = ModelClient::Claim();
  const auto created = api.Post(ModelClient::kRuns, run);
  EXPECT_EQ(created.code, 201);
  const Json& metadata = created.body.at("metadata");
  EXPECT_EQ(metadata.at("uid").get<std::string>().size(), 36U);
  EXPECT_EQ(metadata.at("generation"), 1);
  EXPECT_EQ(metadata.at("creationTimestamp"), "2026-11-22T00:00:00Z");
  EXPECT_EQ(metadata.at("namespace"), "default");
  EXPECT_FALSE(created.body.contains("status")) << "a status sent at creation is dropped";
  EXPECT_EQ(created.body.at("spec").at("lane"), "default");
}

TEST(CreateTest, TwiceIsAlreadyExists) {
  ModelClient api;
  api.Create("a");
  const auto again = api.Create("a");
  EXPECT_EQ(again.code, 409);
  EXPECT_EQ(again.reason(), "AlreadyExists");
  EXPECT_EQ(again.message(), "jobruns.jobrun.dev \"a\" already exists");
}

TEST(CreateTest, GeneratesANameFromAPrefix) {
  ModelClient api;
  Json run = ModelClient::Manifest("");
  run["metadata"] = {{"generateName", "sync-"}};
  const auto first = api.Post(ModelClient::kRuns, run);
  const auto second = api.Post(ModelClient::kRuns, run);
  const std::string name = first.body.at("metadata").at("name");
  EXPECT_THAT(name, StartsWith("sync-"));
  EXPECT_EQ(name.size(), 10U);
  EXPECT_NE(name, second.body.at("metadata").at("name"));
}

TEST(CreateTest, NeedsANamespaceThatExists) {
  ModelClient api;
  const std::string nowhere = "/apis/jobrun.dev/v1/namespaces/nowhere/jobruns";
  const auto refused = api.Post(nowhere, ModelClient::Manifest("a"));
  EXPECT_EQ(refused.code, 404);
  EXPECT_EQ(refused.message(), "namespaces \"nowhere\" not found");
  Json run = ModelClient::Manifest("a");
  run["metadata"]["namespace"] = "kube-system";
  EXPECT_EQ(api.Post(ModelClient::kRuns, run).code, 400);
}

TEST(CreateTest, NamesAreDnsSubdomainsOfAtMost253Characters) {
  ModelClient api;
  EXPECT_EQ(api.Create(std::string(253, 'a')).code, 201);
  EXPECT_EQ(api.Create(std::string(254, 'a')).code, 422);
  for (const char* bad : {"A", "a_b", "-a", "a-", "a..b", "a/b", ""}) {
    EXPECT_EQ(api.Create(bad).code, 422) << bad;
  }
}

TEST(CreateTest, DryRunAnswersAsIfAndStoresNothing) {
  ModelClient api;
  const auto before = api.model->revision();
  const auto dry =
      api.Post(std::string(ModelClient::kRuns) + "?dryRun=All", ModelClient::Manifest("a"));
  EXPECT_EQ(dry.code, 201);
  EXPECT_EQ(api.model->revision(), before);
  EXPECT_EQ(api.Get(ModelClient::Run("a")).code, 404);
}

TEST(FieldValidationTest, UnknownFieldsAreRefusedWarnedAboutOrDropped) {
  ModelClient api;
  const Json run = ModelClient::Manifest("a", {{"nonsense", 1}});
  const auto post = [&](const std::string& mode) {
    return api.Post(std::string(ModelClient::kRuns) + "?dryRun=All&fieldValidation=" + mode, run);
  };
  const auto strict = post("Strict");
  EXPECT_EQ(strict.code, 400);
  EXPECT_THAT(strict.message(),
              HasSubstr("strict decoding error: unknown field \"spec.nonsense\""));
  const auto warned = post("Warn");
  EXPECT_EQ(warned.code, 201);
  EXPECT_THAT(warned.reply.warnings,
              testing::ElementsAre("299 - \"unknown field \\\"spec.nonsense\\\"\""));
  EXPECT_FALSE(warned.body.at("spec").contains("nonsense"));
  EXPECT_TRUE(post("Ignore").reply.warnings.empty());
  EXPECT_EQ(post("Bogus").code, 422);
}

TEST(FieldValidationTest, DuplicateFieldsCountAsMistakesToo) {
  ModelClient api;
  const auto refused =
      api.Send({.method = "POST",
                .target = std::string(ModelClient::kRuns) + "?fieldValidation=Strict",
                .body = R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":"a"},
"spec":{"lane":"x","lane":"y"}})"});
  EXPECT_EQ(refused.code, 400);
  EXPECT_THAT(refused.message(), HasSubstr("duplicate field \"spec.lane\""));
}

TEST(StatusTest, MainAndStatusWritesTouchOnlyTheirHalf) {
  ModelClient api;
  api.Create("a");
  const auto main = api.Patch(ModelClient::Run("a"), {{"status", {{"phase", "Failed"}}}});
  EXPECT_EQ(main.code, 200);
  EXPECT_FALSE(main.body.contains("status"));
  const auto status = api.Patch(ModelClient::Status("a"), {{"metadata", {{"labels", {{"a", "b"}}}}},
                                                           {"spec", {{"deadlineSeconds", 5}}},
                                                           {"status", {{"phase", "Pending"}}}});
  EXPECT_EQ(status.body.at("status").at("phase"), "Pending");
  EXPECT_FALSE(status.body.at("metadata").contains("labels"));
  EXPECT_FALSE(status.body.at("spec").contains("deadlineSeconds"));
  EXPECT_EQ(api.Get(ModelClient::Status("a")).body, api.Get(ModelClient::Run("a")).body);
}

TEST(StatusTest, GenerationCountsChangesOfTheSpecOnly) {
  ModelClient api;
  api.Create("a");
  const auto generation = [](const Answer& answer) {
    return answer.body.at("metadata").at("generation");
  };
  EXPECT_EQ(generation(api.PatchStatus("a", ModelClient::Claim())), 1);
  EXPECT_EQ(
      generation(api.Patch(ModelClient::Run("a"), {{"metadata", {{"labels", {{"a", "b"}}}}}})), 1);
  EXPECT_EQ(generation(api.Patch(ModelClient::Run("a"), {{"spec", {{"deadlineSeconds", 5}}}})), 2);
}

TEST(UpdateTest, IdenticalWriteChangesNothing) {
  ModelClient api;
  api.Create("a");
  api.PatchStatus("a", ModelClient::Claim());
  const auto first = api.Beat("a", "2026-01-01T00:00:30Z");
  const auto revision = api.model->revision();
  api.now += std::chrono::seconds(30);
  const auto again = api.Beat("a", "2026-01-01T00:00:30Z");
  EXPECT_EQ(again.code, 200);
  EXPECT_EQ(again.body, first.body) << "managedFields included";
  EXPECT_EQ(api.model->revision(), revision);
}

TEST(UpdateTest, StaleResourceVersionIsAConflict) {
  ModelClient api;
  const auto old = api.Create("a");
  const auto fresh = api.PatchStatus("a", ModelClient::Claim());
  const auto patch = [&](const std::string& version) {
    return api.Patch(ModelClient::Status("a"), {{"metadata", {{"resourceVersion", version}}},
                                                {"status", {{"progress", "1"}}}});
  };
  const auto refused = patch(old.version());
  EXPECT_EQ(refused.code, 409);
  EXPECT_EQ(refused.reason(), "Conflict");
  EXPECT_EQ(refused.message(),
            "Operation cannot be fulfilled on jobruns.jobrun.dev \"a\": the object has been "
            "modified; please "
            "apply your changes to the latest version and try again");
  EXPECT_EQ(patch(fresh.version()).code, 200);
}

TEST(UpdateTest, WrongUidIsIgnoredInAStatusPatchAndAConflictInAPut) {
  ModelClient api;
  api.Create("a");
  const auto patched = api.Patch(ModelClient::Status("a"), {{"metadata", {{"uid", kOtherUid}}},
                                                            {"status", ModelClient::Claim()}});
  EXPECT_EQ(patched.code, 200);
  Json run = patched.body;
  run["status"]["progress"] = "1";
  run["metadata"]["uid"] = kOtherUid;
  const auto put = api.Put(ModelClient::Status("a"), run);
  EXPECT_EQ(put.code, 409);
  EXPECT_THAT(put.message(), HasSubstr("Precondition failed: UID in precondition"));
  run["metadata"].erase("uid");
  EXPECT_EQ(api.Put(ModelClient::Status("a"), run).code, 200);
}

TEST(UpdateTest, PutNeedsTheResourceVersion) {
  ModelClient api;
  Json run = api.Create("a").body;
  run["metadata"].erase("resourceVersion");
  const auto refused = api.Put(ModelClient::Run("a"), run);
  EXPECT_EQ(refused.code, 422);
  EXPECT_EQ(refused.message(),
            "jobruns.jobrun.dev \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must "
            "be specified "
            "for an update");
  EXPECT_EQ(api.Put(ModelClient::Run("nobody"), ModelClient::Manifest("nobody")).code, 404);
}

TEST(UpdateTest, PatchOfAnotherNameIsABadRequest) {
  ModelClient api;
  api.Create("a");
  EXPECT_EQ(api.Patch(ModelClient::Run("a"), {{"metadata", {{"name", "b"}}}}).code, 400);
  EXPECT_EQ(api.Patch(ModelClient::Run("nobody"), Json::object()).code, 404);
}

TEST(PatchTest, JsonPatchWhoseTestFailsIsUnprocessableWithoutAField) {
  ModelClient api;
  api.Create("a");
  api.PatchStatus("a", ModelClient::Claim());
  const auto test = [&](const std::string& path, const Json& value) {
    const Json operation = {{"op", "test"}, {"path", path}, {"value", value}};
    return api.Patch(ModelClient::Status("a"), Json::array({operation}), kJsonPatch);
  };
  const auto refused = test("/status/phase", "Pending");
  EXPECT_EQ(refused.code, 422);
  EXPECT_EQ(refused.message(), "the server rejected our request due to an error in our request");
  EXPECT_EQ(test("/status/phase", "Running").code, 200);
  EXPECT_EQ(test("/status/exitCode", nullptr).code, 200) << "null matches an absent field";
  EXPECT_EQ(test("/status/nothing/exitCode", nullptr).code, 422)
      << "but not where the parent is missing";
  const Json replace = {{"op", "replace"}, {"path", "/status/progress"}, {"value", "1"}};
  EXPECT_EQ(api.Patch(ModelClient::Status("a"), Json::array({replace}), kJsonPatch).code, 200)
      << "replacing what is absent adds it";
}

TEST(PatchTest, KindsOfPatches) {
  ModelClient api;
  api.Create("a");
  const auto strategic = "application/strategic-merge-patch+json";
  EXPECT_EQ(api.Patch(ModelClient::Run("a"), Json::object(), strategic).code, 415);
  EXPECT_EQ(api.Patch(ModelClient::Run("a"), Json::object(), "text/plain").code, 415);
  EXPECT_EQ(api.Patch(ModelClient::Run("a"), Json::array()).code, 400);
  EXPECT_EQ(api.Patch(ModelClient::Run("a"), Json::object(), kJsonPatch).code, 400);
  api.Post(ModelClient::kLeases,
           {{"metadata", {{"name", "l"}}}, {"spec", {{"holderIdentity", "x"}}}});
  const auto lease = api.Patch(std::string(ModelClient::kLeases) + "/l",
                               {{"spec", {{"holderIdentity", nullptr}}}}, strategic);
  EXPECT_EQ(lease.code, 200);
  EXPECT_FALSE(lease.body.at("spec").contains("holderIdentity"));
}

TEST(DeleteTest, HoldsItsPreconditions) {
  ModelClient api;
  const auto run = api.Create("a");
  const auto remove = [&](const char* key, const std::string& value) {
    return api.Delete(ModelClient::Run("a"), {{"preconditions", {{key, value}}}});
  };
  EXPECT_EQ(remove("uid", kOtherUid).code, 409);
  EXPECT_EQ(remove("resourceVersion", "1").code, 409);
  const auto removed = remove("uid", run.uid());
  EXPECT_EQ(removed.code, 200);
  EXPECT_EQ(removed.body.at("status"), "Success");
  EXPECT_EQ(removed.body.at("details").at("uid"), run.uid());
  EXPECT_EQ(api.Delete(ModelClient::Run("a")).code, 404);
}

TEST(DeleteTest, RecreatedObjectHasAnotherUid) {
  ModelClient api;
  const auto first = api.Create("a");
  api.Delete(ModelClient::Run("a"));
  EXPECT_NE(api.Create("a").uid(), first.uid());
}

TEST(DeleteTest, FinalizersKeepTheObjectUntilTheyAreGone) {
  ModelClient api;
  Json run = ModelClient::Manifest("a");
  run["metadata"]["finalizers"] = {"example.com/x"};
  api.Post(ModelClient::kRuns, run);
  const auto marked = api.Delete(ModelClient::Run("a"));
  EXPECT_EQ(marked.code, 200);
  EXPECT_EQ(marked.body.at("metadata").at("deletionTimestamp"), "2026-11-22T00:00:00Z");
  EXPECT_EQ(marked.body.at("metadata").at("generation"), 2);
  const auto finalizers = [&](const Json& list) {
    return api.Patch(ModelClient::Run("a"), {{"metadata", {{"finalizers", list}}}});
  };
  EXPECT_EQ(finalizers({"example.com/x", "example.com/new"}).code, 422);
  const auto released = finalizers(nullptr);
  EXPECT_EQ(released.code, 200);
  EXPECT_FALSE(released.body.at("metadata").contains("finalizers"));
  EXPECT_EQ(api.Get(ModelClient::Run("a")).code, 404);
}

TEST(DeleteTest, CollectionDeletesWhatTheSelectorSelects) {
  ModelClient api;
  for (const char* name : {"a", "b"}) api.Create(name);
  api.PatchStatus("a", ModelClient::Claim());
  api.Delete(std::string(ModelClient::kRuns) + "?fieldSelector=status.phase%3DRunning");
  EXPECT_EQ(api.Get(ModelClient::Run("a")).code, 404);
  EXPECT_EQ(api.Get(ModelClient::Run("b")).code, 200);
}

TEST(NamespaceTest, DeletedNamespaceTakesItsContentAlong) {
  ModelClient api;
  const Json ns = {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "t"}}}};
  EXPECT_EQ(api.Post("/api/v1/namespaces", ns).body.at("status").at("phase"), "Active");
  const std::string runs = "/apis/jobrun.dev/v1/namespaces/t/jobruns";
  EXPECT_EQ(api.Post(runs, ModelClient::Manifest("a")).code, 201);
  EXPECT_EQ(api.Delete("/api/v1/namespaces/t").code, 200);
  EXPECT_EQ(api.Get(runs + "/a").code, 404);
  EXPECT_EQ(api.Post(runs, ModelClient::Manifest("a")).code, 404);
}

TEST(PatchTest, JsonPatchThatAddsToAScalarIsUnprocessable) {
  ModelClient api;
  EXPECT_EQ(api.Create("a").code, 201);
  const Json add = {{"op", "add"}, {"path", "/spec/lane/x"}, {"value", 1}};
  EXPECT_EQ(api.Patch(ModelClient::Run("a"), Json::array({add}), kJsonPatch).code, 422);
}

TEST(LeaseTest, PutCreatesAndNeedsTheVersionAfterwards) {
  ModelClient api;
  const std::string path = std::string(ModelClient::kLeases) + "/l";
  const Json lease = {{"metadata", {{"name", "l"}}}, {"spec", {{"holderIdentity", "x"}}}};
  EXPECT_EQ(api.Put(path, lease).code, 201);
  EXPECT_EQ(api.Put(path, lease).code, 422);
  EXPECT_EQ(api.Patch(std::string(ModelClient::kLeases) + "/none", {{"spec", Json::object()}}).code,
            404);
  const auto with = [&](const char* key, const Json& value) {
    Json changed = lease;
    changed["metadata"]["name"] = "m";
    changed["spec"][key] = value;
    return api.Post(std::string(ModelClient::kLeases) + "?dryRun=All", changed).code;
  };
  EXPECT_EQ(with("leaseDurationSeconds", 0), 422);
  EXPECT_EQ(with("leaseDurationSeconds", 1), 201);
  EXPECT_EQ(with("renewTime", "2026-01-01T00:00:00Z"), 400) << "a MicroTime has six digits";
  EXPECT_EQ(with("renewTime", "2026-01-01T00:00:00.000000Z"), 201);
  EXPECT_EQ(with("holderIdentity", 5), 400);
}

constexpr const char* kEvents = "/apis/events.k8s.io/v1/namespaces/default/events";

Json SilentEvent() {
  return {{"metadata", {{"name", "e"}}},
          {"regarding", {{"kind", "JobRun"}, {"name", "a"}, {"namespace", "default"}}},
          {"reason", "HeartbeatTimeout"},
          {"note", "silent"},
          {"type", "Warning"},
          {"action", "Reap"},
          {"eventTime", "2026-11-22T00:00:00.000000Z"},
          {"reportingController", "jobrun.dev/controller"},
          {"reportingInstance", "x"}};
}

TEST(EventTest, OneObjectHasTwoForms) {
  ModelClient api;
  const Json event = SilentEvent();
  const std::string events = kEvents;
  EXPECT_EQ(api.Post(events, event).code, 201);
  const auto core = api.Get("/api/v1/namespaces/default/events/e");
  EXPECT_EQ(core.body.at("message"), "silent");
  EXPECT_EQ(core.body.at("involvedObject").at("name"), "a");
  const Json series = {{"count", 2}, {"lastObservedTime", "2026-11-22T00:01:00.000000Z"}};
  EXPECT_EQ(api.Patch(events + "/e", {{"series", series}}).body.at("note"), "silent");
  const auto found = api.Get("/api/v1/events?fieldSelector=involvedObject.name%3Da");
  EXPECT_EQ(found.body.at("items").size(), 1U);
  Json incomplete = event;
  incomplete["metadata"]["name"] = "f";
  incomplete.erase("action");
  EXPECT_EQ(api.Post(events, incomplete).code, 422);
  Json long_reason = event;
  long_reason["metadata"]["name"] = "g";
  long_reason["reason"] = std::string(129, 'r');
  EXPECT_EQ(api.Post(events, long_reason).code, 422);
}

TEST(EventTest, OnlyItsSeriesMayChange) {
  ModelClient api;
  const std::string path = std::string(kEvents) + "/e";
  EXPECT_EQ(api.Post(kEvents, SilentEvent()).code, 201);
  const auto with = [&](const Json& series) { return api.Patch(path, {{"series", series}}).code; };
  const char* time = "2026-11-22T00:01:00.000000Z";
  EXPECT_EQ(with({{"count", 2}}), 422) << "no time";
  EXPECT_EQ(with({{"count", 1}, {"lastObservedTime", time}}), 422);
  EXPECT_EQ(with({{"count", 2}, {"lastObservedTime", time}}), 200);
  EXPECT_EQ(with({{"count", 3}, {"lastObservedTime", time}}), 200);
  for (const char* field : {"reason", "note", "type", "action", "reportingInstance"}) {
    EXPECT_EQ(api.Patch(path, {{field, "Other"}}).code, 422) << field;
  }
  EXPECT_EQ(api.Patch(path, {{"metadata", {{"labels", {{"a", "b"}}}}}}).code, 200);
}

}  // namespace
}  // namespace jobrun::api_model
