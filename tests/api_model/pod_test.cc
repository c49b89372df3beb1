#include <gmock/gmock.h>

#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

using testing::ElementsAre;

constexpr const char* kPods = "/api/v1/namespaces/default/pods";
constexpr const char* kStrategic = "application/strategic-merge-patch+json";

std::string Pod(const std::string& name) { return std::string(kPods) + "/" + name; }
std::string PodStatus(const std::string& name) { return Pod(name) + "/status"; }

Json PodManifest(const std::string& name, Json spec = Json::object()) {
  if (!spec.contains("containers"))
    spec["containers"] = Json::array({{{"name", "main"}, {"image", "busybox"}}});
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"name", name}}}, {"spec", spec}};
}

// A pod on a node, in that phase.
Answer Bound(ModelClient& api, const std::string& name, const std::string& phase = "Running") {
  EXPECT_EQ(api.Post(kPods, PodManifest(name, {{"nodeName", "n1"}})).code, 201);
  return api.Patch(PodStatus(name), {{"status", {{"phase", phase}}}});
}

Json Ended(int exit_code) {
  const Json state = {{"terminated", {{"exitCode", exit_code}, {"reason", "OOMKilled"}}}};
  return {{"containerStatuses", {{{"name", "main"}, {"state", state}}}}};
}

const Json& Metadata(const Answer& answer) { return answer.body.at("metadata"); }

std::string StatusCell(ModelClient& api, const std::string& name) {
  const auto table = api.Get(Pod(name), "application/json;as=Table;v=v1;g=meta.k8s.io");
  return table.body.at("rows")[0].at("cells")[2];
}

TEST(PodTest, BeginsPendingWithTheDefaultsOfDecoding) {
  ModelClient api;
  Json manifest = PodManifest("a");
  manifest["status"] = {{"phase", "Running"}};
  const auto made = api.Post(kPods, manifest);
  EXPECT_EQ(made.code, 201);
  EXPECT_EQ(made.body.at("status"), Json({{"phase", "Pending"}, {"qosClass", "BestEffort"}}));
  EXPECT_EQ(made.body.at("spec").at("restartPolicy"), "Always");
  EXPECT_EQ(made.body.at("spec").at("terminationGracePeriodSeconds"), 30);
  EXPECT_EQ(made.body.at("spec").at("containers")[0].at("imagePullPolicy"), "Always");
}

TEST(PodTest, NeedsContainersWithANameAndAnImage) {
  ModelClient api;
  const auto refused = [&](const Json& containers) {
    const auto answer = api.Post(kPods, PodManifest("a", {{"containers", containers}}));
    EXPECT_EQ(answer.code, 422);
    return answer.message();
  };
  EXPECT_EQ(refused(Json::array()), "Pod \"a\" is invalid: spec.containers: Required value");
  EXPECT_EQ(refused(Json::array({Json::object()})),
            "Pod \"a\" is invalid: [spec.containers[0].name: Required value, "
            "spec.containers[0].image: Required value]");
  EXPECT_EQ(refused(Json::array({{{"name", "main"}}})),
            "Pod \"a\" is invalid: spec.containers[0].image: Required value");
}

TEST(PodTest, StatusKeepsWhatIsSentAndGetsTheMembersThatAreAlwaysThere) {
  ModelClient api;
  Bound(api, "a");
  const auto patched = api.Patch(PodStatus("a"), {{"status", Ended(137)}});
  EXPECT_EQ(patched.code, 200);
  EXPECT_EQ(patched.body.at("status").at("containerStatuses")[0],
            Json({{"name", "main"},
                  {"image", ""},
                  {"imageID", ""},
                  {"ready", false},
                  {"restartCount", 0},
                  {"lastState", Json::object()},
                  {"state",
                   {{"terminated",
                     {{"exitCode", 137},
                      {"reason", "OOMKilled"},
                      {"startedAt", nullptr},
                      {"finishedAt", nullptr}}}}}}));
}

TEST(PodTest, StrategicPatchMergesConditionsAndReplacesContainerStatuses) {
  ModelClient api;
  Bound(api, "a");
  const auto patch = [&](const Json& status) {
    return api.Patch(PodStatus("a"), {{"status", status}}, kStrategic).body.at("status");
  };
  patch({{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}});
  const Json target = {{"type", "DisruptionTarget"}, {"status", "True"}, {"reason", "x"}};
  EXPECT_EQ(patch({{"conditions", {target}}}).at("conditions").size(), 2U);
  patch(Ended(1));
  EXPECT_EQ(patch(Ended(2)).at("containerStatuses").size(), 1U);
}

TEST(PodTest, StatusPatchChangesLabelsButNotTheSpec) {
  ModelClient api;
  Bound(api, "a");
  const auto patched = api.Patch(PodStatus("a"), {{"metadata", {{"labels", {{"a", "b"}}}}},
                                                  {"spec", {{"nodeName", "elsewhere"}}}});
  EXPECT_EQ(Metadata(patched).at("labels"), Json({{"a", "b"}}));
  EXPECT_EQ(patched.body.at("spec").at("nodeName"), "n1");
}

TEST(PodTest, SpecIsFixedButForImages) {
  ModelClient api;
  Bound(api, "a");
  const auto image = [&](const char* name) {
    return Json{{"spec", {{"containers", {{{"name", name}, {"image", "other"}}}}}}};
  };
  EXPECT_EQ(api.Patch(Pod("a"), image("main"), kStrategic).code, 200);
  EXPECT_EQ(api.Patch(Pod("a"), image("another"), kStrategic).code, 422);
  const auto moved = api.Patch(Pod("a"), {{"spec", {{"nodeName", "n2"}}}});
  EXPECT_EQ(moved.code, 422);
  EXPECT_THAT(moved.message(), testing::HasSubstr("pod updates may not change fields other than"));
}

TEST(PodTest, ContainerThatIsNotRestartedStaysEnded) {
  ModelClient api;
  const Json running = {
      {"status",
       {{"containerStatuses", {{{"name", "main"}, {"state", {{"running", Json::object()}}}}}}}}};
  for (const auto& [policy, exit_code, answer] : {std::tuple{"Never", 1, 422},
                                                  {"OnFailure", 0, 422},
                                                  {"OnFailure", 1, 200},
                                                  {"Always", 0, 200}}) {
    api.Post(kPods, PodManifest("a", {{"restartPolicy", policy}}));
    api.Patch(PodStatus("a"), {{"status", Ended(exit_code)}});
    EXPECT_EQ(api.Patch(PodStatus("a"), running).code, answer) << policy << " " << exit_code;
    api.Delete(Pod("a"));
  }
}

TEST(PodDeletionTest, BoundPodStaysUntilItsKubeletDeletesIt) {
  ModelClient api;
  Bound(api, "a");
  const auto marked = api.Delete(Pod("a"));
  EXPECT_EQ(marked.code, 200);
  EXPECT_EQ(Metadata(marked).at("deletionTimestamp"), "2026-11-22T00:00:30Z");
  EXPECT_EQ(Metadata(marked).at("deletionGracePeriodSeconds"), 30);
  EXPECT_EQ(Metadata(marked).at("generation"), 2);
  api.now += std::chrono::hours(1);
  EXPECT_EQ(api.Get(Pod("a")).version(), marked.version());
  const auto removed = api.Delete(Pod("a"), {{"gracePeriodSeconds", 0}});
  EXPECT_EQ(removed.body.at("kind"), "Pod");
  EXPECT_EQ(Metadata(removed).at("deletionTimestamp"), "2026-11-22T00:00:00Z");
  EXPECT_EQ(api.Get(Pod("a")).code, 404);
}

TEST(PodDeletionTest, GraceCanBeShortenedButNotLengthened) {
  ModelClient api;
  Bound(api, "a");
  const auto marked = api.Delete(Pod("a"), {{"gracePeriodSeconds", 20}});
  EXPECT_EQ(api.Delete(Pod("a")).version(), marked.version());
  EXPECT_EQ(api.Delete(Pod("a"), {{"gracePeriodSeconds", 40}}).version(), marked.version());
  api.now += std::chrono::seconds(5);
  const auto shorter = api.Delete(Pod("a") + "?gracePeriodSeconds=10");
  EXPECT_EQ(Metadata(shorter).at("deletionTimestamp"), "2026-11-22T00:00:10Z");
  EXPECT_EQ(Metadata(shorter).at("generation"), 2);
  EXPECT_EQ(api.Delete(Pod("a") + "?gracePeriodSeconds=x").code, 400);
}

TEST(PodDeletionTest, PodThatNobodyRunsGoesAtOnce) {
  ModelClient api;
  api.Post(kPods, PodManifest("unbound"));
  Bound(api, "failed", "Failed");
  Bound(api, "done", "Succeeded");
  api.Post(kPods,
           PodManifest("graceless", {{"nodeName", "n1"}, {"terminationGracePeriodSeconds", 0}}));
  for (const char* name : {"unbound", "failed", "done", "graceless"}) {
    EXPECT_EQ(Metadata(api.Delete(Pod(name))).at("deletionGracePeriodSeconds"), 0) << name;
    EXPECT_EQ(api.Get(Pod(name)).code, 404) << name;
  }
}

TEST(PodDeletionTest, WatchSeesItMarkedAndThenGone) {
  ModelClient api;
  const auto watch = api.Watch("labelSelector=", kPods);
  Bound(api, "a");
  api.Drain(watch);
  const auto removed = api.Delete(Pod("a"), {{"gracePeriodSeconds", 0}});
  const auto events = api.Drain(watch);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].type, "MODIFIED");
  EXPECT_EQ(events[0].object.at("metadata").at("deletionGracePeriodSeconds"), 0);
  EXPECT_EQ(events[1].type, "DELETED");
  EXPECT_EQ(events[1].version(), removed.version());
}

TEST(PodDeletionTest, NeedsBothTheFinalizersAndTheKubelet) {
  ModelClient api;
  const auto make = [&](const char* name) {
    Json pod = PodManifest(name, {{"nodeName", "n1"}});
    pod["metadata"]["finalizers"] = {"example.com/x"};
    api.Post(kPods, pod);
    api.Delete(Pod(name));
  };
  const auto release = [&](const char* name) {
    return api.Patch(Pod(name), {{"metadata", {{"finalizers", nullptr}}}}).code;
  };
  make("finalizer-first");
  EXPECT_EQ(release("finalizer-first"), 200);
  EXPECT_EQ(api.Get(Pod("finalizer-first")).code, 200);
  make("kubelet-first");
  EXPECT_EQ(api.Delete(Pod("kubelet-first"), {{"gracePeriodSeconds", 0}}).code, 200);
  EXPECT_EQ(api.Get(Pod("kubelet-first")).code, 200);
  EXPECT_EQ(release("kubelet-first"), 200);
  EXPECT_EQ(api.Get(Pod("kubelet-first")).code, 404);
}

TEST(PodDeletionTest, DryRunMarksNothing) {
  ModelClient api;
  Bound(api, "a");
  for (const int grace : {30, 0}) {
    const auto asked = api.Delete(Pod("a"), {{"dryRun", {"All"}}, {"gracePeriodSeconds", grace}});
    EXPECT_EQ(Metadata(asked).at("deletionGracePeriodSeconds"), grace);
  }
  EXPECT_FALSE(Metadata(api.Get(Pod("a"))).contains("deletionTimestamp"));
}

TEST(PodListTest, SelectsByFieldsAndWatchesFromTheStart) {
  ModelClient api;
  Bound(api, "a");
  Bound(api, "b", "Failed");
  const auto names = [&](const std::string& selector) {
    std::vector<std::string> found;
    const auto list = api.Get(std::string(kPods) + "?fieldSelector=" + selector);
    for (const Json& pod : list.body.at("items")) found.push_back(pod.at("metadata").at("name"));
    return found;
  };
  EXPECT_THAT(names("metadata.name%3Da"), ElementsAre("a"));
  EXPECT_THAT(names("status.phase%3DFailed"), ElementsAre("b"));
  EXPECT_THAT(names("spec.nodeName%3Dn1"), ElementsAre("a", "b"));
  const auto watch = api.Watch(
      "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", kPods);
  std::vector<std::string> types;
  for (const auto& event : api.Drain(watch)) types.push_back(event.type);
  EXPECT_THAT(types, ElementsAre("ADDED", "ADDED", "BOOKMARK"));
}

TEST(PodTableTest, SaysWhatAilsThePod) {
  ModelClient api;
  Bound(api, "a");
  EXPECT_EQ(StatusCell(api, "a"), "Running");
  api.Patch(PodStatus("a"), {{"status", Ended(137)}});
  EXPECT_EQ(StatusCell(api, "a"), "OOMKilled");
  api.Patch(PodStatus("a"), {{"status", {{"containerStatuses", nullptr}, {"reason", "Evicted"}}}});
  EXPECT_EQ(StatusCell(api, "a"), "Evicted");
  api.Delete(Pod("a"));
  EXPECT_EQ(StatusCell(api, "a"), "Terminating");
  api.Patch(PodStatus("a"), {{"status", {{"reason", "NodeLost"}}}});
  EXPECT_EQ(StatusCell(api, "a"), "Unknown");
}

TEST(PodTableTest, CountsReadyContainersAndRestarts) {
  ModelClient api;
  Bound(api, "a");
  const Json last = {{"terminated", {{"exitCode", 1}, {"finishedAt", "2026-11-21T23:00:00Z"}}}};
  const Json running = {{"name", "main"},
                        {"ready", true},
                        {"restartCount", 3},
                        {"state", {{"running", Json::object()}}},
                        {"lastState", last}};
  api.Patch(PodStatus("a"), {{"status", {{"containerStatuses", {running}}}}});
  const auto table = api.Get(kPods, "application/json;as=Table;v=v1;g=meta.k8s.io");
  EXPECT_EQ(table.body.at("rows")[0].at("cells"),
            Json({"a", "1/1", "Running", "3 (60m ago)", "0s", "<none>", "n1", "<none>", "<none>"}));
}

}  // namespace
}  // namespace jobrun::api_model
