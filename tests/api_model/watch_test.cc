#include <gmock/gmock.h>

#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Types(const std::vector<Seen>& events) {
  std::vector<std::string> types;
  for (const Seen& event : events) types.push_back(event.type);
  return types;
}

TEST(WatchTest, ShowsEachChangeOnceAndInOrder) {
  ModelClient api;
  const std::string start = api.Version();
  api.Create("a");
  api.PatchStatus("a", ModelClient::Claim());
  api.Delete(ModelClient::Run("a"));
  const auto watch = api.Watch("resourceVersion=" + start);
  EXPECT_THAT(Types(api.Drain(watch)), ElementsAre("ADDED", "MODIFIED", "DELETED"));
  EXPECT_THAT(api.Drain(watch), IsEmpty());
}

TEST(WatchTest, OfOneKindIsSilentAboutOthersAndOtherNamespaces) {
  ModelClient api;
  const auto watch = api.Watch("resourceVersion=" + api.Version());
  api.Post(ModelClient::kLeases, {{"metadata", {{"name", "l"}}}, {"spec", Json::object()}});
  api.Post("/apis/jobrun.dev/v1/namespaces/kube-system/jobruns", ModelClient::Manifest("b"));
  EXPECT_THAT(api.Drain(watch), IsEmpty());
}

TEST(WatchTest, DeletedObjectCarriesTheRevisionOfItsDeletion) {
  ModelClient api;
  const auto created = api.Create("a");
  const auto watch = api.Watch("resourceVersion=" + created.version());
  api.Delete(ModelClient::Run("a"));
  const auto events = api.Drain(watch);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].version(), api.Version());
  EXPECT_NE(events[0].version(), created.version());
}

TEST(WatchTest, WithoutVersionOrFromZeroBeginsWithWhatExists) {
  for (const char* query : {"", "resourceVersion=0", "resourceVersion="}) {
    ModelClient api;
    api.Create("a");
    api.Create("b");
    const auto watch = api.Watch(query);
    EXPECT_THAT(Types(api.Drain(watch)), ElementsAre("ADDED", "ADDED")) << query;
    api.Beat("a", "2026-01-01T00:00:00Z");  // refused: shows nothing
    EXPECT_THAT(api.Drain(watch), IsEmpty()) << query;
  }
}

TEST(WatchTest, FromTheNewestCompactedVersionStillWorks) {
  ModelClient api({.changes_max = 3});
  for (const char* name : {"a", "b", "c", "d"}) api.Create(name);
  const auto oldest = std::to_string(api.model->revision() - 3);
  EXPECT_THAT(Types(api.Drain(api.Watch("resourceVersion=" + oldest))),
              ElementsAre("ADDED", "ADDED", "ADDED"));
}

TEST(WatchTest, FromBeforeThatGetsAnErrorEventAndEnds) {
  ModelClient api({.changes_max = 3});
  for (const char* name : {"a", "b", "c", "d"}) api.Create(name);
  const auto too_old = api.model->revision() - 4;
  const auto watch = api.Watch("resourceVersion=" + std::to_string(too_old));
  EXPECT_EQ(watch.code, 200);
  bool closed = false;
  const auto events = api.Drain(watch, &closed);
  ASSERT_THAT(Types(events), ElementsAre("ERROR"));
  EXPECT_EQ(events[0].object.at("code"), 410);
  EXPECT_EQ(events[0].object.at("reason"), "Expired");
  EXPECT_EQ(events[0].object.at("message"), "too old resource version: " + std::to_string(too_old) +
                                                " (" + std::to_string(too_old + 1) + ")");
  EXPECT_TRUE(closed);
}

TEST(WatchTest, ObjectThatLeavesTheSelectionLooksDeletedWithItsOldContent) {
  ModelClient api;
  api.Create("a");
  const auto running = api.PatchStatus("a", ModelClient::Claim());
  const auto watch =
      api.Watch("fieldSelector=status.phase!%3DSucceeded&resourceVersion=" + running.version());
  const auto ended = api.PatchStatus("a", {{"phase", "Succeeded"}});
  const auto events = api.Drain(watch);
  ASSERT_THAT(Types(events), ElementsAre("DELETED"));
  EXPECT_EQ(events[0].object.at("status").at("phase"), "Running");
  EXPECT_EQ(events[0].version(), ended.version());
}

TEST(WatchTest, ObjectThatEntersTheSelectionLooksAdded) {
  ModelClient api;
  const auto pending = api.Create("a");
  const auto watch =
      api.Watch("fieldSelector=status.phase%3DRunning&resourceVersion=" + pending.version());
  api.PatchStatus("a", ModelClient::Claim());
  EXPECT_THAT(Types(api.Drain(watch)), ElementsAre("ADDED"));
}

TEST(WatchTest, WatchListEndsItsObjectsWithAMarkedBookmark) {
  ModelClient api;
  api.Create("a");
  const auto watch = api.Watch(
      "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  const auto events = api.Drain(watch);
  ASSERT_THAT(Types(events), ElementsAre("ADDED", "BOOKMARK"));
  EXPECT_EQ(events[1].object.at("metadata").at("annotations").at("k8s.io/initial-events-end"),
            "true");
  EXPECT_EQ(events[1].version(), api.Version());
  api.Create("b");
  EXPECT_THAT(Types(api.Drain(watch)), ElementsAre("ADDED"));
}

TEST(WatchTest, SendInitialEventsNeedsItsMatch) {
  ModelClient api;
  EXPECT_EQ(api.Watch("sendInitialEvents=true").code, 422);
  EXPECT_EQ(api.Watch("resourceVersionMatch=NotOlderThan").code, 422);
  EXPECT_EQ(
      api.Watch("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999")
          .code,
      504);
}

TEST(WatchTest, BookmarksComeOncePerPeriodWithTheNewestVersion) {
  ModelClient api({.bookmark_period = seconds(60)});
  const auto watch = api.Watch("allowWatchBookmarks=true&resourceVersion=" + api.Version());
  api.Post(ModelClient::kLeases, {{"metadata", {{"name", "l"}}}, {"spec", Json::object()}});
  api.now += seconds(60) - milliseconds(1);
  EXPECT_THAT(api.Drain(watch), IsEmpty());
  api.now += milliseconds(1);
  const auto events = api.Drain(watch);
  ASSERT_THAT(Types(events), ElementsAre("BOOKMARK"));
  EXPECT_EQ(events[0].version(), std::to_string(api.model->revision()));
  EXPECT_THAT(api.Drain(watch), IsEmpty());
}

TEST(WatchTest, WithoutBookmarksAskedForNoneCome) {
  ModelClient api({.bookmark_period = seconds(60)});
  const auto watch = api.Watch("resourceVersion=" + api.Version());
  api.now += seconds(600);
  EXPECT_THAT(api.Drain(watch), IsEmpty());
}

TEST(WatchTest, EndsAtItsTimeoutAndNotBefore) {
  ModelClient api;
  const auto watch = api.Watch("timeoutSeconds=10&resourceVersion=" + api.Version());
  EXPECT_EQ(api.model->NextTimer(*watch.reply.watch), api.now + seconds(10));
  bool closed = false;
  api.now += seconds(10) - milliseconds(1);
  api.Drain(watch, &closed);
  EXPECT_FALSE(closed);
  api.now += milliseconds(1);
  api.Drain(watch, &closed);
  EXPECT_TRUE(closed);
  EXPECT_TRUE(api.model->Drain(*watch.reply.watch, api.now).closed)
      << "a closed watch stays closed";
}

TEST(WatchTest, GetsABookmarkTwoSecondsBeforeItsTimeout) {
  ModelClient api;
  const auto watch =
      api.Watch("timeoutSeconds=10&allowWatchBookmarks=true&resourceVersion=" + api.Version());
  api.now += seconds(8);
  EXPECT_THAT(Types(api.Drain(watch)), ElementsAre("BOOKMARK"));
  api.now += seconds(1);
  EXPECT_THAT(api.Drain(watch), IsEmpty());
}

TEST(WatchTest, LastsBetweenHalfAnHourAndAnHourByDefault) {
  ModelClient api;
  const auto watch = api.Watch("resourceVersion=" + api.Version());
  const auto end = *api.model->NextTimer(*watch.reply.watch);
  EXPECT_GE(end, api.now + seconds(1800));
  EXPECT_LT(end, api.now + seconds(3600));
}

TEST(WatchTest, LargeBacklogComesInBoundedPieces) {
  ModelClient api;
  const std::string note(4000, 'x');
  for (int i = 0; i < 200; ++i)
    api.Create("run-" + std::to_string(i), {{"payload", {{"note", note}}}});
  const auto watch = api.Watch("");
  const auto first = api.model->Drain(*watch.reply.watch, api.now);
  EXPECT_TRUE(first.more);
  EXPECT_LT(first.bytes.size(), kDrainBytesMax + 10'000);
  EXPECT_TRUE(first.bytes.ends_with("}\n"));
}

TEST(WatchTest, AsTableSendsItsColumnsOnce) {
  ModelClient api;
  const auto watch =
      api.Watch("", ModelClient::kRuns, "application/json;as=Table;v=v1;g=meta.k8s.io");
  api.Create("a");
  api.Create("b");
  const auto events = api.Drain(watch);
  ASSERT_THAT(Types(events), ElementsAre("ADDED", "ADDED"));
  EXPECT_EQ(events[0].object.at("columnDefinitions").size(), 8U);
  EXPECT_TRUE(events[1].object.at("columnDefinitions").is_null());
  EXPECT_EQ(events[1].object.at("rows")[0].at("cells")[0], "b");
}

}  // namespace
}  // namespace jobrun::api_model
