#include "controller/wire/successor.h"

#include <gtest/gtest.h>

#include <string>

namespace jobrun {
namespace {

std::string Parent(const std::string& metadata, const std::string& spec) {
  return R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":"p","namespace":"etl",)"
         R"("uid":"6d1f2e3c-0000-4000-8000-00aabbccddee","resourceVersion":"9","generation":3,)"
         R"("creationTimestamp":"2026-11-22T01:00:00Z","managedFields":[{"f":{}}])" +
         metadata + R"(},"spec":)" + spec + R"(,"status":{"phase":"Failed"}})";
}

std::string Written(const std::string& parent) {
  const Result<std::string> text = WriteSuccessor(parent, {.name = "p-2", .attempt = 2});
  EXPECT_TRUE(text.ok()) << parent;
  return text.ok() ? *text : "";
}

TEST(SuccessorTest, IsTheSameSpecWithItsOwnAttempt) {
  EXPECT_EQ(
      Written(Parent("",
                     R"({"lane":"a","attempt":1,"retryOf":{"name":"o","uid":"x"},"cancelled":true,)"
                     R"("deadlineSeconds":60})")),
      R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":"p-2","namespace":"etl",)"
      R"("labels":{"jobrun.dev/root":"6d1f2e3c-0000-4000-8000-00aabbccddee"}},)"
      R"("spec":{"lane":"a","deadlineSeconds":60,"attempt":2,)"
      R"("retryOf":{"name":"p","uid":"6d1f2e3c-0000-4000-8000-00aabbccddee"}}})");
}

TEST(SuccessorTest, ThePayloadIsCopiedAsItIsWritten) {
  const std::string payload =
      R"({"n":1.0,"big":123456789012345678901234567890,"e":1e400,"s":"\u00fc\"}","a":[ {} , null ]})";
  const std::string text = Written(Parent("", R"({"payload": )" + payload + R"( ,"lane":"a"})"));
  EXPECT_NE(text.find(R"("payload":)" + payload), std::string::npos) << text;
}

TEST(SuccessorTest, KeepsTheUsersLabelsAndAnnotationsButNotThoseOfDeploymentTools) {
  const std::string text = Written(Parent(
      R"(,"labels":{"team":"x","app.kubernetes.io/instance":"i","jobrun.dev/root":"first",)"
      R"("argocd.argoproj.io/instance":"i","kustomize.toolkit.fluxcd.io/name":"i"},)"
      R"("annotations":{"note":"a\nb","kubectl.kubernetes.io/last-applied-configuration":"{}",)"
      R"("meta.helm.sh/release-name":"r"})",
      R"({"lane":"a"})"));
  EXPECT_NE(text.find(R"("labels":{"team":"x","jobrun.dev/root":"first"})"), std::string::npos);
  EXPECT_NE(text.find(R"("annotations":{"note":"a\nb"})"), std::string::npos) << text;
}

TEST(SuccessorTest, OwnersDoNotBlockTheirDeletion) {
  const std::string text = Written(Parent(
      R"(,"ownerReferences":[{"kind":"A","blockOwnerDeletion":true,"name":"a","controller":true},)"
      R"({"kind":"B","uid":"u"}],"finalizers":["x"])",
      R"({"lane":"a"})"));
  EXPECT_NE(text.find(R"("ownerReferences":[{"kind":"A","name":"a","controller":true},)"
                      R"({"kind":"B","uid":"u"}])"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("finalizers"), std::string::npos);
}

TEST(SuccessorTest, RefusesWhatIsNoJobRun) {
  for (const char* text : {"", "[]", "{}", R"({"metadata":{"name":"p","uid":"u"}})",
                           R"({"metadata":{"name":"p","uid":"u"},"spec":{"lane":"a"})"}) {
    EXPECT_FALSE(WriteSuccessor(text, {.name = "n"}).ok()) << text;
  }
}

TEST(DeleteOptionsTest, NameTheVersion) {
  EXPECT_EQ(WriteDeleteOptions(*ParseUid("6d1f2e3c-0000-4000-8000-00aabbccddee"), 7),
            R"({"apiVersion":"v1","kind":"DeleteOptions","preconditions":)"
            R"({"uid":"6d1f2e3c-0000-4000-8000-00aabbccddee","resourceVersion":"7"}})");
}

}  // namespace
}  // namespace jobrun
