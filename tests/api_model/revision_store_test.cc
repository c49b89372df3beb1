#include "tests/api_model/revision_store.h"

#include <gmock/gmock.h>

#include "controller/base/random.h"

namespace jobrun::api_model {
namespace {

using State = std::map<std::string, int>;

constexpr Collection kRuns = 0;
constexpr Collection kOthers = 1;

Json Object(int number) { return {{"metadata", Json::object()}, {"n", number}}; }
int Number(const VersionPtr& version) { return version->value.at("n").get<int>(); }

State StateAt(const RevisionStore& store, Revision at, const std::string& prefix = "") {
  State state;
  store.Visit(kRuns, at, prefix, "", [&](const VersionPtr& version) {
    state[version->key] = Number(version);
    return true;
  });
  return state;
}

TEST(RevisionStoreTest, PutStampsTheRevisionIntoTheObjectAndItsText) {
  RevisionStore store(1, 10);
  const VersionPtr version = store.Put(kRuns, "a", Object(1));
  EXPECT_EQ(version->revision, store.revision());
  EXPECT_EQ(version->value.at("metadata").at("resourceVersion"), std::to_string(store.revision()));
  EXPECT_EQ(Json::parse(version->text), version->value);
}

TEST(RevisionStoreTest, DeletionCarriesTheLastContentWithItsOwnRevision) {
  RevisionStore store(1, 10);
  store.Put(kRuns, "a", Object(7));
  const VersionPtr last = store.Delete(kRuns, "a");
  EXPECT_EQ(Number(last), 7);
  EXPECT_EQ(last->revision, store.revision());
  EXPECT_EQ(store.Get(kRuns, "a"), nullptr);
  EXPECT_EQ(store.Delete(kRuns, "a"), nullptr);
}

TEST(RevisionStoreTest, VisitStartsAtTheFirstKeyNotBelowFromAndStopsWhenTold) {
  RevisionStore store(1, 10);
  for (const char* key : {"a/1", "a/2", "b/1", "b/2", "c/1"}) store.Put(kRuns, key, Object(0));
  std::vector<std::string> seen;
  store.Visit(kRuns, store.revision(), "b/", "b/1\x01", [&](const VersionPtr& version) {
    seen.push_back(version->key);
    return true;
  });
  EXPECT_THAT(seen, testing::ElementsAre("b/2"));
  seen.clear();
  store.Visit(kRuns, store.revision(), "", "", [&](const VersionPtr& version) {
    seen.push_back(version->key);
    return seen.size() < 2;
  });
  EXPECT_THAT(seen, testing::ElementsAre("a/1", "a/2"));
}

TEST(RevisionStoreTest, LogReachesExactlyAsFarAsItsLimit) {
  RevisionStore store(1, 3);
  for (int i = 0; i < 5; ++i) store.Put(kRuns, "a", Object(i));
  EXPECT_EQ(store.compacted(), store.revision() - 3);
  EXPECT_EQ(Number(store.ChangeAfter(store.compacted())->object), 2);
  EXPECT_EQ(store.ChangeAfter(store.revision()), nullptr);
}

TEST(RevisionStoreTest, CompactForgetsUpToAndIncludingTheRevision) {
  RevisionStore store(1, 10);
  for (int i = 0; i < 5; ++i) store.Put(kRuns, "a", Object(i));
  store.Compact(store.revision() - 1);
  EXPECT_EQ(store.compacted(), store.revision() - 1);
  EXPECT_EQ(Number(store.ChangeAfter(store.compacted())->object), 4);
}

TEST(RevisionStoreTest, FirstRevisionFollowsTheStart) {
  RevisionStore store(1, 10, 1000);
  EXPECT_EQ(store.revision(), 1000U);
  EXPECT_EQ(store.Put(kRuns, "a", Object(1))->revision, 1001U);
}

// Random writes against a naive model that keeps the whole state of every revision: what the log
// replays and what the past looks like must be the same.
class RandomHistory {
 public:
  RandomHistory(std::uint64_t seed, std::size_t changes_max)
      : random_(seed), store_(2, changes_max) {
    states_[store_.revision()] = {};
  }

  void Step() {
    const std::string key = std::string(1, static_cast<char>('a' + random_.Below(3))) + "/" +
                            std::to_string(random_.Below(8));
    State state = states_.rbegin()->second;
    const auto dice = random_.Below(10);
    if (dice == 0) {
      store_.Put(kOthers, key, Object(0));
    } else if (dice < 4) {
      if (store_.Delete(kRuns, key) == nullptr) return;
      state.erase(key);
    } else {
      state[key] = static_cast<int>(random_.Below(100));
      store_.Put(kRuns, key, Object(state[key]));
    }
    states_[store_.revision()] = std::move(state);
  }

  void CheckPast() {
    const Revision span = store_.revision() - store_.compacted();
    const Revision at = store_.compacted() + random_.Below(span + 1);
    EXPECT_EQ(StateAt(store_, at), states_.at(at));
    State in_b = states_.at(at);
    std::erase_if(in_b, [](const auto& entry) { return !entry.first.starts_with("b/"); });
    EXPECT_EQ(StateAt(store_, at, "b/"), in_b);
  }

  // A watch from a past revision, applied to a list of that revision, gives the present.
  void CheckReplay() {
    const Revision from =
        store_.compacted() + random_.Below(store_.revision() - store_.compacted() + 1);
    State replayed = states_.at(from);
    Revision cursor = from;
    while (const Change* change = store_.ChangeAfter(cursor)) {
      EXPECT_EQ(change->revision, cursor + 1);
      cursor = change->revision;
      if (change->collection != kRuns) continue;
      const std::string& key = change->object->key;
      EXPECT_EQ(change->kind == ChangeKind::kAdded, !replayed.contains(key));
      EXPECT_EQ(change->previous == nullptr, change->kind == ChangeKind::kAdded);
      if (change->previous != nullptr) {
        EXPECT_EQ(Number(change->previous), replayed.at(key));
      }
      if (change->kind == ChangeKind::kDeleted) {
        replayed.erase(key);
      } else {
        replayed[key] = Number(change->object);
      }
    }
    EXPECT_EQ(replayed, states_.at(store_.revision()));
  }

 private:
  Random random_;
  RevisionStore store_;
  std::map<Revision, State> states_{};
};

TEST(RevisionStoreTest, RandomHistoriesReplayToTheSameStates) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    RandomHistory history(seed, 1 + seed * 7);
    for (int step = 0; step < 400; ++step) {
      history.Step();
      if (step % 7 == 0) history.CheckPast();
      if (step % 11 == 0) history.CheckReplay();
    }
  }
}

}  // namespace
}  // namespace jobrun::api_model
