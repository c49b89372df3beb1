// The three ways out of the process, so that a test can hold for all of them.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/kube_io/client.h"

namespace jobrun::testing {

enum class Way { kData, kControl, kWatch };

struct Came {
  int status{0};
  std::string detail;
};

class EachWay : public ::testing::TestWithParam<Way> {
 protected:
  static Came Ask(Client& client);
  static Came Ask(const Credentials& credentials) {
    Client client(credentials);
    return Ask(client);
  }
};

[[nodiscard]] std::string WayName(const ::testing::TestParamInfo<Way>& tested);

}  // namespace jobrun::testing

// A suite whose fixture derives from EachWay.
#define FOR_EACH_WAY(suite)                                                                 \
  INSTANTIATE_TEST_SUITE_P(                                                                 \
      Ways, suite,                                                                          \
      ::testing::Values(testing::Way::kData, testing::Way::kControl, testing::Way::kWatch), \
      testing::WayName)
