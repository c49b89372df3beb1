// The bodies that make canaries, against the rules of the CRD.
#include <gtest/gtest.h>

#include "controller/wire/canary.h"
#include "controller/wire/successor.h"
#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

using std::chrono::seconds;

constexpr std::string_view kIdentity = "jobrun-7f3k2-x1";

class CanaryWritesTest : public testing::Test {
 protected:
  // A body goes out as it was written: unknown and duplicate fields are refused.
  Answer Create() { return Send("POST", std::string(ModelClient::kRuns), Body()); }
  Answer Claim() { return PatchStatus(WriteCanaryClaim(kIdentity, api_.now)); }
  Answer Beat(std::optional<ServerTime> since = std::nullopt) {
    return PatchStatus(WriteCanaryBeat(api_.now, since));
  }
  Answer Read() { return api_.Get(ModelClient::Run(name_)); }

  Answer Send(const std::string& method, const std::string& target, const std::string& body) {
    const bool is_patch = method == "PATCH";
    return api_.Send({.method = method,
                      .target = target + "?fieldValidation=Strict",
                      .content_type = is_patch ? ModelClient::kMerge : "application/json",
                      .body = body});
  }
  Answer PatchStatus(const std::string& body) {
    return Send("PATCH", ModelClient::Status(name_), body);
  }
  [[nodiscard]] std::string Body() const { return WriteCanary(name_, "default"); }

  ModelClient api_{};
  std::string name_{CanaryName(kIdentity)};
};

TEST_F(CanaryWritesTest, ItIsCreatedAndLeftAloneByEveryController) {
  const Answer created = Create();
  ASSERT_EQ(created.code, 201) << created.message();
  EXPECT_EQ(created.body.at("spec"), Json({{"lane", kCanaryLane}, {"reaping", "Disabled"}}));
  EXPECT_EQ(created.body.at("metadata").at("labels").at(std::string(kCanaryLabel)), "true");
}

TEST_F(CanaryWritesTest, ItsNameMayBeAsLongAsNamesGet) {
  name_ = CanaryName(std::string(253, 'a'));
  EXPECT_EQ(Create().code, 201);
}

TEST_F(CanaryWritesTest, ItIsClaimedAndClaimedAgainAlike) {
  Create();
  const Answer claimed = Claim();
  ASSERT_EQ(claimed.code, 200) << claimed.message();
  EXPECT_EQ(claimed.body.at("status").at("phase"), "Running");
  EXPECT_EQ(claimed.body.at("status").at("claimedBy"), kIdentity);
  EXPECT_EQ(Claim().version(), claimed.version());
  api_.now += seconds(1);
  EXPECT_EQ(Claim().code, 422);
}

TEST_F(CanaryWritesTest, ItsBeatsCarryAndDropSinceWhenItCouldBeat) {
  Create();
  EXPECT_EQ(Beat().code, 422) << "before the claim";
  Claim();
  const ServerTime since = api_.now;
  for (int i = 0; i < 3; ++i) {
    api_.now += seconds(2);
    const Answer beat = Beat(since);
    ASSERT_EQ(beat.code, 200) << beat.message();
    EXPECT_EQ(beat.body.at("status").at("lastHeartbeatAt"), FormatMicroTime(api_.now));
    EXPECT_EQ(WritableSince(beat.body.at("status").at("progress").get<std::string>()), since);
  }
  api_.now += seconds(2);
  const Answer unsure = Beat();
  ASSERT_EQ(unsure.code, 200) << unsure.message();
  EXPECT_FALSE(unsure.body.at("status").contains("progress"));
}

TEST_F(CanaryWritesTest, EveryBeatMovesItsVersion) {
  Create();
  Claim();
  const ServerTime since = api_.now;
  const std::string first = Beat(since).version();
  EXPECT_EQ(Beat(since).version(), first) << "the same beat again";
  api_.now += std::chrono::microseconds(1);
  EXPECT_NE(Beat(since).version(), first);
}

TEST_F(CanaryWritesTest, ItsLaneSelectsIt) {
  Create();
  api_.Create("a-run", {{"lane", "other"}});
  const Answer list =
      api_.Get(std::string(ModelClient::kRuns) + "?fieldSelector=spec.lane%3Djobrun-canary");
  ASSERT_EQ(list.body.at("items").size(), 1U);
  EXPECT_EQ(list.body.at("items")[0].at("metadata").at("name"), name_);
}

TEST_F(CanaryWritesTest, OnlyTheVersionThatWasJudgedIsDeleted) {
  Create();
  const Answer judged = Claim();
  const Uid uid = *ParseUid(judged.uid());
  const std::string options = WriteDeleteOptions(uid, std::stoull(judged.version()));
  api_.now += seconds(2);
  Beat();
  EXPECT_EQ(Send("DELETE", ModelClient::Run(name_), options).code, 409);
  const std::string fresh = WriteDeleteOptions(uid, std::stoull(Read().version()));
  EXPECT_EQ(Send("DELETE", ModelClient::Run(name_), fresh).code, 200);
  EXPECT_EQ(Read().code, 404);
}

}  // namespace
}  // namespace jobrun::api_model
