// What the stamps of a run (wire/managed_fields.h) say while it is claimed, beats and is written to
// by others.
#include <gtest/gtest.h>

#include "controller/wire/managed_fields.h"
#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

using std::chrono::seconds;

std::string ManagedFields(const Answer& answer) {
  const Json* list = MemberAt(answer.body, {"metadata", "managedFields"});
  return list == nullptr ? "" : list->dump();
}

TEST(StampsTest, FollowTheWorkersWritesOnly) {
  ModelClient api;
  EXPECT_EQ(HeartbeatStamp(ManagedFields(api.Create("a"))), std::nullopt);
  api.agent = "worker/1";
  const ServerTime claimed = api.now;
  const std::string after_claim = ManagedFields(api.PatchStatus("a", ModelClient::Claim()));
  EXPECT_EQ(HeartbeatStamp(after_claim), std::nullopt);
  EXPECT_EQ(ClaimStamp(after_claim), claimed);
  api.now += seconds(30);
  const ServerTime beaten = api.now;
  EXPECT_EQ(HeartbeatStamp(ManagedFields(api.Beat("a", "2020-01-01T00:00:00Z"))), beaten)
      << "by the server's clock, not the worker's";
  api.now += seconds(30);
  EXPECT_EQ(HeartbeatStamp(ManagedFields(api.Beat("a", "2020-01-01T00:00:00Z"))), beaten)
      << "the same beat again is none";
  api.agent = "gate/1";
  const std::string last = ManagedFields(api.PatchStatus("a", {{"message", "x"}}));
  EXPECT_EQ(HeartbeatStamp(last), beaten) << "another manager's write is none";
  EXPECT_EQ(ClaimStamp(last), beaten) << "an upper bound: the beat was the claimer's";
}

TEST(StampsTest, AnotherManagersBeatTakesOver) {
  ModelClient api;
  api.Create("a");
  api.agent = "worker/1";
  const ServerTime claimed = api.now;
  api.PatchStatus("a", ModelClient::Claim());
  api.Beat("a", "2020-01-01T00:00:00Z");
  api.now += seconds(30);
  api.agent = "sidecar/1";
  const std::string last = ManagedFields(api.Beat("a", "2020-01-01T00:00:30Z"));
  EXPECT_EQ(HeartbeatStamp(last), api.now);
  EXPECT_EQ(ClaimStamp(last), claimed);
}

TEST(StampsTest, NothingOnceItsManagerWasMerged) {
  ModelClient api;
  api.Create("a");
  api.agent = "worker/1";
  api.PatchStatus("a", ModelClient::Claim());
  std::string last = ManagedFields(api.Beat("a", "2020-01-01T00:00:00Z"));
  EXPECT_TRUE(HeartbeatStamp(last));
  for (int i = 0; i < 12; ++i) {
    api.now += seconds(1);
    api.agent = "m" + std::to_string(i);
    last = ManagedFields(
        api.Patch(ModelClient::Run("a"), {{"metadata", {{"labels", {{api.agent, "x"}}}}}}));
  }
  EXPECT_EQ(HeartbeatStamp(last), std::nullopt);
}

}  // namespace
}  // namespace jobrun::api_model
