#include "controller/wire/canary.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "controller/base/object_name.h"
#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

ServerTime At(std::string_view text) { return *ParseRfc3339(text); }

// The longest identity whose name is not cut.
const std::size_t kUncutMax = kObjectNameMax - std::string_view("jobrun-canary-").size();

TEST(CanaryNameTest, IsTheIdentityBehindAPrefix) {
  EXPECT_EQ(CanaryName("jobrun-7f3k2-x1"), "jobrun-canary-jobrun-7f3k2-x1");
  const std::string longest(kUncutMax, 'a');
  EXPECT_EQ(CanaryName(longest), "jobrun-canary-" + longest);
}

TEST(CanaryNameTest, ACanaryHasBothTheLaneAndTheName) {
  EXPECT_TRUE(IsCanary(kCanaryLane, CanaryName("r1")));
  EXPECT_FALSE(IsCanary(kCanaryLane, "import"));
  EXPECT_FALSE(IsCanary("backup", CanaryName("r1")));
}

TEST(CanaryNameTest, ALongerOneIsCutAndEndsInAHash) {
  const std::string name = CanaryName(std::string(kUncutMax + 1, 'a'));
  // The hash is fixed: another build must find the canary of this one.
  EXPECT_EQ(name, "jobrun-canary-" + std::string(222, 'a') + "-8ebc3ca2aa94ae15");
  EXPECT_EQ(name.size(), kObjectNameMax);
}

TEST(CanaryNameTest, LongOnesThatDifferOnlyAtTheirEndAreTwo) {
  std::set<std::string> names;
  for (std::size_t size = kUncutMax; size < kUncutMax + 50; ++size) {
    names.insert(CanaryName(std::string(size, 'a')));
    names.insert(CanaryName(std::string(size, 'a') + "b"));
  }
  EXPECT_EQ(names.size(), 100U);
}

TEST(CanaryNameTest, ACutNameIsStillAName) {
  for (std::size_t size = 1; size < 300; ++size) {
    const std::string name = CanaryName(std::string(size, 'a') + "." + std::string(300, 'b'));
    EXPECT_TRUE(IsObjectName(name)) << name;
    EXPECT_EQ(name.find(".-"), std::string::npos) << name;
  }
}

TEST(CanaryBodyTest, CreatesARunThatNobodyReaps) {
  EXPECT_EQ(WriteCanary("jobrun-canary-a", "jobs"),
            R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun",)"
            R"("metadata":{"name":"jobrun-canary-a","namespace":"jobs",)"
            R"("labels":{"app.kubernetes.io/name":"jobrun","jobrun.dev/canary":"true"}},)"
            R"("spec":{"lane":"jobrun-canary","reaping":"Disabled"}})");
}

TEST(CanaryBodyTest, ClaimsInTheNameOfTheReplica) {
  EXPECT_EQ(WriteCanaryClaim("replica-1", At("2026-11-22T01:02:03.000004Z")),
            R"({"status":{"phase":"Running","claimedAt":"2026-11-22T01:02:03.000004Z",)"
            R"("claimedBy":"replica-1"}})");
}

TEST(CanaryBodyTest, BeatsAndTellsSinceWhenItCould) {
  EXPECT_EQ(WriteCanaryBeat(At("2026-11-22T01:02:03.000004Z"), At("2026-11-22T00:00:00Z")),
            R"({"status":{"lastHeartbeatAt":"2026-11-22T01:02:03.000004Z",)"
            R"("progress":"writable-since=2026-11-22T00:00:00.000000Z"}})");
}

TEST(CanaryBodyTest, ABeatThatCannotTellRemovesWhatStoodThere) {
  EXPECT_EQ(WriteCanaryBeat(At("2026-11-22T01:02:03Z"), std::nullopt),
            R"({"status":{"lastHeartbeatAt":"2026-11-22T01:02:03.000000Z","progress":null}})");
}

TEST(WritableSinceTest, IsWhatTheBeatSaid) {
  EXPECT_EQ(WritableSince("writable-since=2026-11-22T01:02:03.000004Z"),
            At("2026-11-22T01:02:03.000004Z"));
  EXPECT_EQ(WritableSince("writable-since=0000-01-01T00:00:00.000000Z"),
            At("0000-01-01T00:00:00Z"));
  EXPECT_EQ(WritableSince("writable-since=9999-12-31T23:59:59.999999Z"),
            At("9999-12-31T23:59:59.999999Z"));
}

TEST(WritableSinceTest, NothingForAnyOtherText) {
  for (const char* text :
       {"", "writable-since=", "writable-since", "7", "2026-11-22T01:02:03.000004Z",
        "writable-since=2026-11-22T01:02:03.000004Z ",
        " writable-since=2026-11-22T01:02:03.000004Z", "writable-since=2026-11-22T01:02:03Z",
        "writable-since=2026-11-22T01:02:03.000004", "writable-since=2026-11-22t01:02:03.000004z",
        "writable-since=2026-11-22T01:02:03,000004Z", "writable-since=2026-11-22T01:02:03.0000049Z",
        "Writable-since=2026-11-22T01:02:03.000004Z",
        "writable-since=2026-11-22T01:02:03.000004+00:00",
        "writable-since=2026-02-30T01:02:03.000004Z"}) {
    EXPECT_EQ(WritableSince(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace jobrun
