#include "worker/session/server_stamp.h"

#include <gtest/gtest.h>

#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

const ServerTime kWall = *ParseRfc3339("2020-01-01T00:00:00Z");
const ServerTime kServer = *ParseRfc3339("2026-11-22T12:00:00Z");
constexpr Mono kStart{1h};

TEST(ServerStampTest, UntilTheFirstAnswerTheWallClockHasToDo) {
  ServerStamp stamp([] { return kWall; });
  EXPECT_EQ(stamp.Next(kStart), kWall);
  stamp.Observe({}, kStart);  // of something on the way
  EXPECT_EQ(stamp.Next(kStart), kWall + 1us);
}

TEST(ServerStampTest, ThenItFollowsTheServerWhateverTheWallClockSays) {
  for (const ServerTime wall : {kWall, kServer + 1000h}) {
    ServerStamp stamp([wall] { return wall; });
    EXPECT_EQ(stamp.Next(kStart), wall);
    stamp.Observe(kServer, kStart);
    EXPECT_EQ(stamp.Next(kStart + 7s), kServer + 7s);
  }
}

TEST(ServerStampTest, OfSeveralDatesTheNearestCounts) {
  ServerStamp stamp([] { return kWall; });
  stamp.Observe(kServer, kStart + 900ms);
  stamp.Observe(kServer + 1s, kStart + 1100ms);
  EXPECT_EQ(stamp.Next(kStart + 2s), kServer + 1900ms);
  stamp.Observe(kServer + 2s, kStart + 2900ms);  // says less
  EXPECT_EQ(stamp.Next(kStart + 3s), kServer + 2900ms);
}

TEST(ServerStampTest, FollowsAServerWhoseClockIsSetForwardOrBack) {
  for (const auto step : {1h, -1h}) {
    ServerStamp stamp([] { return kWall; });
    stamp.Observe(kServer, kStart);
    EXPECT_EQ(stamp.Next(kStart), kServer);
    stamp.Observe(kServer + 1s + step, kStart + 1s);
    EXPECT_EQ(stamp.Next(kStart + 1s), kServer + 1s + step);
  }
}

TEST(ServerStampTest, TwoInARowAlwaysDiffer) {
  ServerStamp stamp([] { return kWall; });
  stamp.Observe(kServer, kStart);
  EXPECT_EQ(stamp.Next(kStart), kServer);
  EXPECT_EQ(stamp.Next(kStart), kServer + 1us);
  EXPECT_EQ(stamp.Next(kStart + 1us), kServer + 2us);
  stamp.Observe(kServer - 2500ms,
                kStart + 1us);  // set back a little: later, until it has caught up
  EXPECT_EQ(stamp.Next(kStart + 1s), kServer + 3us);
  EXPECT_EQ(stamp.Next(kStart + 3s), kServer + 500ms - 1us);
}

}  // namespace
}  // namespace jobrun
