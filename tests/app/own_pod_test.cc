#include "controller/app/own_pod.h"

#include <gtest/gtest.h>

#include <map>

namespace jobrun {
namespace {

constexpr const char* kUid = "0b5b2f9a-0000-4000-8000-000000000001";

std::optional<OwnPod> Found(const std::map<std::string, std::string>& variables,
                            const std::string& credentials_namespace = "") {
  const Environment environment = [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return FindOwnPod(environment, credentials_namespace);
}

TEST(OwnPodTest, IsWhatTheEnvironmentNames) {
  const auto pod = Found({{"POD_NAME", "a"}, {"POD_NAMESPACE", "ns"}, {"POD_UID", kUid}}, "other");
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->name, "a");
  EXPECT_EQ(pod->name_space, "ns");
  EXPECT_EQ(pod->uid, ParseUid(kUid));
}

TEST(OwnPodTest, WithoutItsNamespaceItIsInThatOfTheCredentials) {
  const auto pod = Found({{"POD_NAME", "a"}}, "jobrun-system");
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->name_space, "jobrun-system");
  EXPECT_TRUE(pod->uid.IsNone());
}

TEST(OwnPodTest, AnUnusableUidCountsAsNone) {
  const auto pod = Found({{"POD_NAME", "a"}, {"POD_UID", "x"}}, "ns");
  ASSERT_TRUE(pod);
  EXPECT_TRUE(pod->uid.IsNone());
}

TEST(OwnPodTest, WithoutANameOrANamespaceThereIsNone) {
  EXPECT_FALSE(Found({}, "ns"));
  EXPECT_FALSE(Found({{"POD_NAME", ""}, {"POD_NAMESPACE", "ns"}}));
  EXPECT_FALSE(Found({{"POD_NAME", "a"}}));
}

TEST(OwnPodTest, ABadConfigurationIsToldOfIt) {
  EmitEvent event = TellBadConfig("config.yaml:2:3: x");
  EXPECT_TRUE(event.name.empty());
  Regard({.name_space = "ns", .name = "a"}, event);
  EXPECT_EQ(event.subject, EventSubject::kPod);
  EXPECT_EQ(event.name_space + "/" + event.name, "ns/a");
  EXPECT_EQ(event.severity, EventSeverity::kWarning);
  EXPECT_EQ(event.note, "config.yaml:2:3: x; the configuration before it stays in force");
}

TEST(OwnPodTest, TheUidOfThePodIsTheIdentity) {
  EXPECT_EQ(IdentityOf(OwnPod{.name_space = "ns", .name = "a", .uid = *ParseUid(kUid)}, "h", "1f"),
            kUid);
}

TEST(OwnPodTest, WithoutItTheHostAndTheProcessAre) {
  EXPECT_EQ(IdentityOf(std::nullopt, "My_Host.example", "1f"), "on-my-host-example-1f");
  EXPECT_EQ(IdentityOf(OwnPod{.name_space = "ns", .name = "a"}, "", "1f"), "on--1f");
}

}  // namespace
}  // namespace jobrun
