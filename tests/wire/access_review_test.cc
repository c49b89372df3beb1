#include "controller/wire/access_review.h"

#include <gtest/gtest.h>

namespace jobrun {
namespace {

TEST(TokenReviewTest, CarriesTheToken) {
  EXPECT_EQ(WriteTokenReview("a.b\"c"),
            R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview",)"
            R"("spec":{"token":"a.b\"c"}})");
}

TEST(TokenReviewTest, TellsWhoItIs) {
  const auto user = ReadTokenReview(
      R"({"kind":"TokenReview","metadata":{},"spec":{"token":"t"},"status":{"authenticated":true,)"
      R"("user":{"username":"system:serviceaccount:mon:prom","uid":"7","groups":["a","b"],)"
      R"("extra":{"k":["v"]}},"audiences":["x"]}})");
  ASSERT_TRUE(user);
  ASSERT_TRUE(user->has_value());
  EXPECT_EQ((*user)->name, "system:serviceaccount:mon:prom");
  EXPECT_EQ((*user)->uid, "7");
  EXPECT_EQ((*user)->groups_json, R"(["a","b"])");
  EXPECT_EQ((*user)->extra_json, R"({"k":["v"]})");
}

TEST(TokenReviewTest, NobodyUnlessItSaysSo) {
  for (const char* text :
       {R"({"status":{"error":"expired"}})", R"({"status":{"authenticated":false}})",
        R"({"status":{"authenticated":"true","user":{"username":"u"}}})",
        R"({"status":{"user":{"username":"u"}}})", R"({"status":{"authenticated":true}})",
        R"({"status":{"authenticated":true,"user":{"username":""}}})"}) {
    const auto user = ReadTokenReview(text);
    ASSERT_TRUE(user) << text;
    EXPECT_FALSE(user->has_value()) << text;
  }
}

TEST(TokenReviewTest, OtherAnswersAreErrors) {
  for (const char* text : {"", "[]", "{}", R"({"status":"Failure"})", R"({"status":{"user":)"}) {
    EXPECT_FALSE(ReadTokenReview(text)) << text;
    EXPECT_FALSE(ReadAccessReview(text)) << text;
  }
}

TEST(AccessReviewTest, AsksForAPath) {
  EXPECT_EQ(
      WriteAccessReview(
          {.name = "u", .uid = "7", .groups_json = R"(["a"])", .extra_json = R"({"k":["v"]})"},
          {.path = "/metrics"}),
      R"({"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{)"
      R"("user":"u","uid":"7","groups":["a"],"extra":{"k":["v"]},)"
      R"("nonResourceAttributes":{"path":"/metrics","verb":"get"}}})");
}

TEST(AccessReviewTest, AsksForARun) {
  EXPECT_EQ(WriteAccessReview({.name = "u"}, {.name_space = "etl", .name = "import"}),
            R"({"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{)"
            R"("user":"u","resourceAttributes":{"group":"jobrun.dev","version":"v1",)"
            R"("resource":"jobruns","namespace":"etl","name":"import","verb":"get"}}})");
}

TEST(AccessReviewTest, OnlyAPlainYesAllows) {
  const auto allowed = [](const char* text) {
    const auto read = ReadAccessReview(text);
    EXPECT_TRUE(read) << text;
    return read && *read;
  };
  EXPECT_TRUE(allowed(R"({"status":{"allowed":true,"reason":"RBAC"}})"));
  EXPECT_FALSE(allowed(R"({"status":{"allowed":false}})"));
  EXPECT_FALSE(allowed(R"({"status":{"allowed":"true"}})"));
  EXPECT_FALSE(allowed(R"({"status":{"denied":true}})"));
  EXPECT_FALSE(allowed(R"({"status":{}})"));
}

}  // namespace
}  // namespace jobrun
