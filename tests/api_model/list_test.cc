#include <gmock/gmock.h>

#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Names(const Answer& list) {
  std::vector<std::string> names;
  for (const Json& item : list.body.at("items")) names.push_back(item.at("metadata").at("name"));
  return names;
}

std::string Query(const std::string& query) {
  return std::string(ModelClient::kRuns) + "?" + query;
}

std::string Next(const Answer& page) {
  return page.body.at("metadata").at("continue").get<std::string>();
}

TEST(ListTest, OfAllNamespacesHoldsThemAllInOrder) {
  ModelClient api;
  api.Create("b");
  api.Post("/apis/jobrun.dev/v1/namespaces/kube-system/jobruns", ModelClient::Manifest("a"));
  EXPECT_THAT(Names(api.Get("/apis/jobrun.dev/v1/jobruns")), ElementsAre("b", "a"));
  EXPECT_THAT(Names(api.Get(ModelClient::kRuns)), ElementsAre("b"));
}

TEST(ListTest, PagesAreOfOneVersionWhateverHappensBetweenThem) {
  ModelClient api;
  for (const char* name : {"a", "b", "c", "d", "e"}) api.Create(name);
  const auto first = api.Get(Query("limit=2"));
  EXPECT_EQ(first.body.at("metadata").at("remainingItemCount"), 3);
  api.Create("bb");
  api.Delete(ModelClient::Run("d"));
  api.PatchStatus("c", ModelClient::Claim());
  const auto second = api.Get(Query("limit=2&continue=" + Next(first)));
  EXPECT_THAT(Names(second), ElementsAre("c", "d"));
  EXPECT_FALSE(second.body.at("items")[0].contains("status"));
  EXPECT_EQ(second.version(), first.version());
  EXPECT_EQ(second.body.at("metadata").at("remainingItemCount"), 1);
  const auto third = api.Get(Query("limit=2&continue=" + Next(second)));
  EXPECT_THAT(Names(third), ElementsAre("e"));
  EXPECT_EQ(Next(third), "");
  EXPECT_FALSE(third.body.at("metadata").contains("remainingItemCount"));
}

TEST(ListTest, LimitThatJustFitsNeedsNoSecondPage) {
  ModelClient api;
  api.Create("a");
  api.Create("b");
  EXPECT_EQ(Next(api.Get(Query("limit=2"))), "");
  EXPECT_NE(Next(api.Get(Query("limit=1"))), "");
}

TEST(ListTest, PageOfACompactedVersionIsGoneButOffersAnInconsistentRest) {
  ModelClient api;
  for (const char* name : {"a", "b", "c"}) api.Create(name);
  const auto first = api.Get(Query("limit=1"));
  api.Create("d");
  api.model->Compact();
  const auto gone = api.Get(Query("limit=9&continue=" + Next(first)));
  EXPECT_EQ(gone.code, 410);
  EXPECT_EQ(gone.reason(), "Expired");
  EXPECT_THAT(Names(api.Get(Query("continue=" + Next(gone)))), ElementsAre("b", "c", "d"));
}

TEST(ListTest, UnreadableTokensAreBadRequests) {
  ModelClient api;
  for (const char* token : {"abc", "e30", "%00", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ"}) {
    EXPECT_EQ(api.Get(Query(std::string("continue=") + token)).code, 400) << token;
  }
}

TEST(ListTest, SelectsByFieldAndCountsNoRemainder) {
  ModelClient api;
  for (const char* name : {"a", "b", "c"}) api.Create(name);
  api.PatchStatus("b", ModelClient::Claim());
  EXPECT_THAT(Names(api.Get(Query("fieldSelector=status.phase%3DRunning"))), ElementsAre("b"));
  EXPECT_THAT(Names(api.Get(Query("fieldSelector=status.phase%3D%3DRunning"))), ElementsAre("b"));
  EXPECT_THAT(Names(api.Get(Query("fieldSelector=status.phase!%3DRunning"))),
              ElementsAre("a", "c"));
  EXPECT_THAT(Names(api.Get(Query("fieldSelector=status.phase%3D"))), ElementsAre("a", "c"));
  EXPECT_THAT(Names(api.Get(Query("fieldSelector=metadata.name%3Dc,spec.lane%3Ddefault"))),
              ElementsAre("c"));
  const auto page = api.Get(Query("limit=1&fieldSelector=status.phase%3D"));
  EXPECT_FALSE(page.body.at("metadata").contains("remainingItemCount"));
  EXPECT_THAT(Names(api.Get(Query("fieldSelector=status.phase%3D&continue=" + Next(page)))),
              ElementsAre("c"));
}

TEST(ListTest, FieldThatIsNotSelectableIsABadRequest) {
  ModelClient api;
  const auto refused = api.Get(Query("fieldSelector=status.reason%3Dx"));
  EXPECT_EQ(refused.code, 400);
  EXPECT_EQ(refused.message(), "field label not supported: status.reason");
  EXPECT_EQ(api.Get(Query("fieldSelector=status.phase")).code, 400);
  for (const char* bad : {"a%3Db", "a%5C", "a%5Cb"}) {
    EXPECT_EQ(api.Get(Query("fieldSelector=spec.concurrencyKey%3D" + std::string(bad))).code, 400)
        << bad;
  }
}

TEST(ListTest, SelectsByLabel) {
  ModelClient api;
  const auto create = [&](const char* name, const Json& labels) {
    Json run = ModelClient::Manifest(name);
    run["metadata"]["labels"] = labels;
    EXPECT_EQ(api.Post(ModelClient::kRuns, run).code, 201);
  };
  create("a", {{"app", "x"}, {"n", "5"}});
  create("b", {{"app", "y"}});
  create("c", Json::object());
  const auto select = [&](const std::string& text) {
    return Names(api.Get(Query("labelSelector=" + text)));
  };
  EXPECT_THAT(select("app%3Dx"), ElementsAre("a"));
  EXPECT_THAT(select("app!%3Dx"), ElementsAre("b", "c"));
  EXPECT_THAT(select("app"), ElementsAre("a", "b"));
  EXPECT_THAT(select("!app"), ElementsAre("c"));
  EXPECT_THAT(select("app%20in%20(x,%20y)"), ElementsAre("a", "b"));
  EXPECT_THAT(select("app%20notin%20(x)"), ElementsAre("b", "c"));
  EXPECT_THAT(select("app,n%3E4"), ElementsAre("a"));
  EXPECT_THAT(select("n%3E5"), IsEmpty());
  EXPECT_EQ(api.Get(Query("labelSelector=a%20b")).code, 400);
}

TEST(ListTest, ExactVersionShowsThePast) {
  ModelClient api;
  const auto first = api.Create("a");
  api.Create("b");
  const auto past = api.Get(Query("resourceVersionMatch=Exact&resourceVersion=" + first.version()));
  EXPECT_THAT(Names(past), ElementsAre("a"));
  EXPECT_EQ(past.version(), first.version());
  EXPECT_THAT(Names(api.Get(Query("resourceVersion=" + first.version()))), ElementsAre("a", "b"))
      << "without a match it is a lower bound";
  EXPECT_THAT(Names(api.Get(Query("limit=5&resourceVersion=" + first.version()))), ElementsAre("a"))
      << "with a limit it is exact, as of old";
  EXPECT_THAT(Names(api.Get(Query("limit=5&resourceVersion=0"))), ElementsAre("a", "b"));
}

TEST(ListTest, ExactVersionThatIsCompactedIsGone) {
  ModelClient api;
  const auto first = api.Create("a");
  api.Create("b");
  api.model->Compact();
  const auto gone = api.Get(Query("resourceVersionMatch=Exact&resourceVersion=" + first.version()));
  EXPECT_EQ(gone.code, 410);
  EXPECT_EQ(gone.message(), "The resourceVersion for the provided list is too old.");
}

TEST(ListTest, FutureVersionTimesOutForListAndGet) {
  ModelClient api;
  api.Create("a");
  const auto next = std::to_string(api.model->revision() + 1);
  for (const std::string& target :
       {Query("resourceVersionMatch=NotOlderThan&resourceVersion=" + next),
        ModelClient::Run("a") + "?resourceVersion=" + next}) {
    const auto refused = api.Get(target);
    EXPECT_EQ(refused.code, 504);
    EXPECT_EQ(refused.reason(), "Timeout");
    EXPECT_EQ(refused.body.at("details").at("causes")[0].at("reason"), "ResourceVersionTooLarge");
    EXPECT_EQ(refused.reply.retry_after_seconds, 1);
  }
  EXPECT_EQ(api.Get(Query("resourceVersion=" + std::to_string(api.model->revision()))).code, 200);
}

TEST(ListTest, SenselessOptionsAreInvalid) {
  ModelClient api;
  EXPECT_EQ(api.Get(Query("resourceVersionMatch=Exact")).code, 422);
  EXPECT_EQ(api.Get(Query("resourceVersion=0&resourceVersionMatch=Exact")).code, 422);
  EXPECT_EQ(api.Get(Query("resourceVersion=5&resourceVersionMatch=Nearly")).code, 422);
  EXPECT_EQ(api.Get(Query("sendInitialEvents=true")).code, 422);
  EXPECT_EQ(api.Get(Query("resourceVersion=x")).code, 400);
  EXPECT_EQ(api.Get(Query("limit=x")).code, 400);
}

TEST(ListTest, AsTableHasTheColumnsOfTheResource) {
  ModelClient api;
  api.Create("a", {{"lane", "etl"}});
  api.PatchStatus("a", ModelClient::Claim());
  api.now += std::chrono::seconds(90);
  const auto table = api.Get(ModelClient::kRuns, "application/json;as=Table;v=v1;g=meta.k8s.io");
  std::vector<std::string> columns;
  for (const Json& column : table.body.at("columnDefinitions"))
    columns.push_back(column.at("name"));
  EXPECT_THAT(columns, ElementsAre("Name", "Phase", "Lane", "Worker", "Heartbeat", "Reason",
                                   "Attempt", "Age"));
  EXPECT_EQ(table.body.at("rows")[0].at("cells"),
            Json({"a", "Running", "etl", "w1", nullptr, nullptr, nullptr, "90s"}));
}

}  // namespace
}  // namespace jobrun::api_model
