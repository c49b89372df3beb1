#include "controller/app/log_sink.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace jobrun
