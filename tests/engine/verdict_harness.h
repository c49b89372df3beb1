// What the tests about verdicts say again and again.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/engine/engine_harness.h"

namespace jobrun {

inline RunText Beating(const std::string& name = "a") { return RunText(name).Claimed().Beat(1); }

// The one request open writes the verdict of this reason.
inline void ExpectVerdict(const EngineHarness& engine, std::string_view reason) {
  ASSERT_EQ(engine.Requests().size(), 1U);
  const Request& request = engine.Requests()[0];
  EXPECT_EQ(request.method, Method::kPatch);
  EXPECT_NE(request.body.find("\"reason\":\"" + std::string(reason) + "\""), std::string::npos)
      << request.body;
}

}  // namespace jobrun
