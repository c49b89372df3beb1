#include "controller/app/log_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace jobrun {
namespace {

TEST(LogSinkTest, OnlyLinesOfTheLevelAndAboveAreWritten) {
  ::testing::internal::CaptureStderr();
  const auto sink = MakeStderrSink(LogLevel::kWarn, LogFormat::kText);
  sink->Write({LogLevel::kInfo, "quiet"});
  sink->Write({LogLevel::kWarn, "loud"});
  sink->Write({LogLevel::kError, "louder"});
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.find("quiet"), std::string::npos);
  EXPECT_NE(out.find(" warn loud\n"), std::string::npos);
  EXPECT_NE(out.find(" error louder\n"), std::string::npos);
}

TEST(LogSinkTest, WhatIsHeldComesOutInOrderBeforeTheNextLine) {
  ::testing::internal::CaptureStderr();
  const auto sink = MakeStderrSink(LogLevel::kInfo, LogFormat::kText);
  sink->Hold({LogLevel::kDebug, "too fine"});
  sink->Hold({LogLevel::kInfo, "first"});
  sink->Hold({LogLevel::kInfo, "second"});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");

  ::testing::internal::CaptureStderr();
  sink->Write({LogLevel::kInfo, "third"});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::MatchesRegex("[^\n]* first\n[^\n]* second\n[^\n]* third\n"));
}

TEST(LogSinkTest, NothingHeldIsLostAtTheEnd) {
  ::testing::internal::CaptureStderr();
  {
    const auto sink = MakeStderrSink(LogLevel::kInfo, LogFormat::kText);
    sink->Hold({LogLevel::kInfo, "by a flush"});
    sink->Flush();
    sink->Flush();
    sink->Hold({LogLevel::kInfo, "by the end"});
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::MatchesRegex("[^\n]* by a flush\n[^\n]* by the end\n"));
}

TEST(LogSinkTest, NoMoreIsHeldThanAPipeTakes) {
  ::testing::internal::CaptureStderr();
  const auto sink = MakeStderrSink(LogLevel::kInfo, LogFormat::kText);
  for (int i = 0; i < 1000; ++i) sink->Hold({LogLevel::kInfo, std::string(100, 'x')});
  EXPECT_GE(::testing::internal::GetCapturedStderr().size(), 64 * 1024);
}

}  // namespace
}  // namespace jobrun
