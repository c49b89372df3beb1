#include "controller/base/rfc3339.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST(Rfc3339Test, ReadsWhatTheApiServerAccepts) {
  const ServerTime instant = *ParseRfc3339("2026-11-21T00:00:01Z");
  EXPECT_EQ(ParseRfc3339("2026-11-21t00:00:01z"), instant);
  EXPECT_EQ(ParseRfc3339("2026-11-21T02:00:01+02:00"), instant);
  EXPECT_EQ(ParseRfc3339("2026-11-20T18:30:01-05:30"), instant);
  EXPECT_EQ(ParseRfc3339("2026-11-21T00:00:01.5Z"), instant + 500ms);
  EXPECT_EQ(ParseRfc3339("2026-11-21T00:00:01,5Z"), instant + 500ms);
  EXPECT_EQ(ParseRfc3339("2026-11-25T04:39:01+99:99"), instant);
  EXPECT_EQ(ParseRfc3339("2026-11-21T00:00:01.123456789123z"), instant + 123456us);
  EXPECT_EQ(ParseRfc3339("1970-01-01T00:00:00Z"), ServerTime{});
}

TEST(Rfc3339Test, ReadsTheEdgesOfTheCalendar) {
  EXPECT_TRUE(ParseRfc3339("9999-12-31T23:59:59+14:00"));
  EXPECT_TRUE(ParseRfc3339("0000-01-01T00:00:00Z"));
  EXPECT_TRUE(ParseRfc3339("2024-02-29T00:00:00Z"));
  EXPECT_FALSE(ParseRfc3339("2026-02-29T00:00:00Z"));
}

TEST(Rfc3339Test, RefusesEverythingElse) {
  for (const char* text :
       {"", "soon", "2026-11-21", "2026-11-21 00:00:01Z", "2026-11-21T00:00:60Z",
        "2026-11-21T24:00:00Z", "2026-13-01T00:00:00Z", "2026-11-21T00:00:01",
        "2026-11-21T00:00:01.Z", "2026-11-21T00:00:01Z ", "2026-11-21T00:00:01+0200"}) {
    EXPECT_FALSE(ParseRfc3339(text)) << text;
  }
}

TEST(Rfc3339Test, WritesWhatItReads) {
  for (const char* text : {"2026-11-21T00:00:01.123456Z", "1969-12-31T23:59:59.999999Z",
                           "9999-12-31T23:59:59.000000Z"}) {
    EXPECT_EQ(FormatMicroTime(*ParseRfc3339(text)), text);
  }
  EXPECT_EQ(FormatTime(*ParseRfc3339("2026-11-21T00:00:01.999999Z")), "2026-11-21T00:00:01Z");
}

TEST(Rfc3339Test, WritesWhatNoTextCanSay) {
  using std::chrono::sys_days, std::chrono::year;
  const auto at = [](int y) { return ServerTime(sys_days(year(y) / 3 / 4).time_since_epoch()); };
  EXPECT_EQ(FormatTime(at(7)), "0007-03-04T00:00:00Z");
  EXPECT_EQ(FormatTime(at(12026)), "12026-03-04T00:00:00Z");
  EXPECT_EQ(FormatTime(at(-5)), "-5-03-04T00:00:00Z");
}

TEST(HttpDateTest, ReadsAndWritesTheCurrentForm) {
  const auto time = ParseHttpDate("Sun, 22 Nov 2026 01:02:03 GMT");
  ASSERT_TRUE(time);
  EXPECT_EQ(FormatTime(*time), "2026-11-22T01:02:03Z");
  EXPECT_EQ(FormatHttpDate(*time), "Sun, 22 Nov 2026 01:02:03 GMT");
  EXPECT_FALSE(ParseHttpDate("Sunday, 22-Nov-26 01:02:03 GMT"));
  EXPECT_FALSE(ParseHttpDate("Sun, 22 Nov 2026 01:02:03"));
}

}  // namespace
}  // namespace jobrun
