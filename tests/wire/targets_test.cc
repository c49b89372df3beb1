#include "controller/wire/targets.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST(TargetsTest, ListsAllNamespacesOrOne) {
  EXPECT_EQ(ListTarget({}, {}), "/apis/jobrun.dev/v1/jobruns?limit=500");
  EXPECT_EQ(ListTarget({.name_space = "etl"}, {.limit = 2}),
            "/apis/jobrun.dev/v1/namespaces/etl/jobruns?limit=2");
  EXPECT_EQ(ListTarget({}, {.limit = 0}), "/apis/jobrun.dev/v1/jobruns");
}

TEST(TargetsTest, TheNextPageCarriesItsToken) {
  EXPECT_EQ(ListTarget({.selector = "team in (a,b)"}, {.continue_token = "eyJ2Ijoi=+/"}),
            "/apis/jobrun.dev/v1/jobruns?limit=500&continue=eyJ2Ijoi%3D%2B%2F"
            "&labelSelector=team%20in%20%28a%2Cb%29");
}

TEST(TargetsTest, WatchesFromAVersion) {
  EXPECT_EQ(WatchTarget({}, {.resource_version = "221"}),
            "/apis/jobrun.dev/v1/jobruns?watch=true&allowWatchBookmarks=true&timeoutSeconds=300"
            "&resourceVersion=221");
  EXPECT_EQ(WatchTarget({.name_space = "etl", .selector = "a=b"},
                        {.resource_version = "1", .timeout = 42s}),
            "/apis/jobrun.dev/v1/namespaces/etl/jobruns?watch=true&allowWatchBookmarks=true"
            "&timeoutSeconds=42&resourceVersion=1&labelSelector=a%3Db");
}

TEST(TargetsTest, AWatchListAsksForTheInitialEvents) {
  EXPECT_EQ(WatchTarget({}, {.initial_events = true}),
            "/apis/jobrun.dev/v1/jobruns?watch=true&allowWatchBookmarks=true&timeoutSeconds=300"
            "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
}

TEST(TargetsTest, AFieldSelectorStandsBesideTheLabels) {
  const WatchScope scope{
      .name_space = "etl", .selector = "a=b", .field_selector = "spec.lane=c,x!=d"};
  EXPECT_EQ(ListTarget(scope, {}),
            "/apis/jobrun.dev/v1/namespaces/etl/jobruns?limit=500&labelSelector=a%3Db"
            "&fieldSelector=spec.lane%3Dc%2Cx%21%3Dd");
  EXPECT_EQ(WatchTarget(scope, {.resource_version = "1"}),
            "/apis/jobrun.dev/v1/namespaces/etl/jobruns?watch=true&allowWatchBookmarks=true"
            "&timeoutSeconds=300&resourceVersion=1&labelSelector=a%3Db"
            "&fieldSelector=spec.lane%3Dc%2Cx%21%3Dd");
}

TEST(TargetsTest, NamesARunAndItsStatus) {
  EXPECT_EQ(RunTarget("etl", "nightly.1"), "/apis/jobrun.dev/v1/namespaces/etl/jobruns/nightly.1");
  EXPECT_EQ(StatusTarget("etl", "nightly"),
            "/apis/jobrun.dev/v1/namespaces/etl/jobruns/nightly/status");
}

TEST(TargetsTest, ANameCannotLeaveItsPlace) {
  EXPECT_EQ(RunTarget("a/b", "../x?y#z\r\n"),
            "/apis/jobrun.dev/v1/namespaces/a%2Fb/jobruns/..%2Fx%3Fy%23z%0D%0A");
}

TEST(EncodeQueryTest, LeavesOnlyUnreservedCharacters) {
  const std::string unreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  EXPECT_EQ(EncodeQuery(unreserved), unreserved);
  EXPECT_EQ(
      EncodeQuery(" !\"#$%&'()*+,/:;<=>?@[\\]^`{|}"),
      "%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D");
  EXPECT_EQ(EncodeQuery(std::string_view("\0\x7f\xff\xc3\xbc", 5)), "%00%7F%FF%C3%BC");
  EXPECT_EQ(EncodeQuery(""), "");
}

}  // namespace
}  // namespace jobrun
