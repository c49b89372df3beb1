// The small server of the worker's tests, held to the model of the whole one.
#include "tests/worker/run_server.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "controller/base/random.h"
#include "tests/api_model/model_client.h"

namespace jobrun::api_model {
namespace {

constexpr const char* kJsonPatch = "application/json-patch+json";

// Both servers with a run of the same history.
class Pair {
 public:
  Pair() { Renew(); }

  void Renew() {
    const Json spec = {{"lane", "etl"}};
    if (model_.Get(ModelClient::Run("a")).code == 200) model_.Delete(ModelClient::Run("a"));
    old_uids_ = std::exchange(uids_, {model_.Create("a", spec).uid(), ""});
    small_.Create(spec);
    uids_.second = small_.UidText();
  }

  // One field of the status as some worker, sane or not, would have it.
  Json Fields() {
    Json fields = Json::object();
    const auto maybe = [&](const char* name, const std::vector<Json>& values) {
      if (random_.Below(3) == 0) fields[name] = values[random_.Below(values.size())];
    };
    maybe("phase", {"Running", "Running", "Succeeded", "Failed", "Stuck", "Pending"});
    maybe("claimedAt", {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"});
    maybe("claimedBy", {"w1", "w1", "w2"});
    maybe("lastHeartbeatAt", {"2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z"});
    maybe("progress", {"1", "2"});
    maybe("exitCode", {0, 1});
    maybe("exitTime", {"2026-01-01T00:00:04Z", "2026-01-01T00:00:05Z"});
    maybe("completionTime", {"2026-01-01T00:00:04Z"});
    maybe("reason", {"ExitNonZero", "Cancelled"});
    maybe("message", {"a", "b"});
    return fields;
  }

  // The same patch to both. `stale`: with a version, or the uid of a run, that is not there now.
  void Patch() {
    const Json fields = Fields();
    const bool stale = random_.Below(4) == 0;
    const bool guarded = random_.Below(2) == 0;
    const auto versions = std::pair{model_.Get(ModelClient::Run("a")).version(), small_.Version()};
    const auto [uid, small_uid] = stale ? old_uids_ : uids_;
    Answer expected;
    RunServer::Answer given;
    if (random_.Below(2) == 0) {
      const auto body = [&](std::uint64_t version, const std::string& of) {
        Json patch = {{"metadata", {{"uid", of}}}, {"status", fields}};
        if (guarded) patch["metadata"]["resourceVersion"] = std::to_string(version - stale);
        return patch;
      };
      expected = model_.Patch(ModelClient::Status("a"), body(std::stoull(versions.first), uid));
      given = small_.Patch(Target() + "/status", ModelClient::kMerge,
                           body(versions.second, small_uid).dump());
    } else {
      const auto body = [&](const std::string& of) {
        Json patch = Json::array();
        if (guarded) patch.push_back({{"op", "test"}, {"path", "/metadata/uid"}, {"value", of}});
        for (const auto& [name, value] : fields.items()) {
          patch.push_back({{"op", "add"}, {"path", "/status/" + name}, {"value", value}});
        }
        return patch;
      };
      expected = model_.Patch(ModelClient::Status("a"), body(uid), kJsonPatch);
      given = small_.Patch(Target() + "/status", kJsonPatch, body(small_uid).dump());
    }
    ++codes[expected.code];
    ASSERT_EQ(given.status, expected.code) << fields << " to " << small_.Run() << '\n'
                                           << expected.message() << '\n'
                                           << given.body;
    Compare(versions);
  }

  std::map<int, int> codes{};

 private:
  static std::string Target() { return std::string(RunServer::kTarget); }

  void Compare(const std::pair<std::string, std::uint64_t>& versions) {
    const Answer now = model_.Get(ModelClient::Run("a"));
    const RunServer::Object small = RunServer::Object::parse(small_.Get(Target()).body);
    const Json nothing = Json::object();
    EXPECT_EQ(small.value("status", nothing), now.body.value("status", nothing));
    EXPECT_EQ(small_.Version() != versions.second, now.version() != versions.first)
        << "one has a new version, the other has not";
  }

  Random random_{7};
  ModelClient model_{};
  RunServer small_{};
  std::pair<std::string, std::string> uids_{};  // the model's and the small one's
  std::pair<std::string, std::string> old_uids_{"00000000-0000-4000-8000-00000000dead",
                                                "00000000-0000-4000-8000-00000000dead"};
};

TEST(RunServerTest, AnswersWorkersAsTheModelDoes) {
  Pair pair;
  for (int step = 0; step < 1500 && !::testing::Test::HasFailure(); ++step) {
    pair.Patch();
    if (step % 12 == 11) pair.Renew();
  }
  for (const int code : {200, 409, 422}) EXPECT_GT(pair.codes[code], 50) << code;
}

TEST(RunServerTest, OfARunThatIsNotThereItSaysWhatTheModelDoes) {
  ModelClient model;
  RunServer small;
  const Json expected = model.Get(ModelClient::Run("a")).body;
  const RunServer::Answer given = small.Get(RunServer::kTarget);
  EXPECT_EQ(given.status, 404);
  const Json body = Json::parse(given.body);
  EXPECT_EQ(body["details"]["kind"], expected["details"]["kind"]);
  EXPECT_EQ(body["reason"], expected["reason"]);
}

}  // namespace
}  // namespace jobrun::api_model
