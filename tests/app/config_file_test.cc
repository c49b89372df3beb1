#include "controller/app/config_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace jobrun {
namespace {

class ConfigFileTest : public testing::Test {
 protected:
  ~ConfigFileTest() override { std::remove(path_.c_str()); }

  void Write(const std::string& text) { std::ofstream(path_) << text; }

  // What the change says of the timeout; an error's text.
  std::string Change() {
    const auto changed = file_.Changed();
    if (!changed) return "none";
    if (!changed->ok()) return changed->error().ToString();
    const auto timeout = (*changed)->settings.defaults.heartbeat_timeout;
    return timeout ? std::to_string(timeout->count()) : "unset";
  }

  // One per process: ctest runs these tests side by side.
  const std::string path_ =
      testing::TempDir() + "/config-file-test." + std::to_string(getpid()) + ".yaml";
  ConfigFile file_{path_};
};

TEST_F(ConfigFileTest, OnlyAChangeOfTheBytesIsAChange) {
  Write("defaults: {heartbeat: {timeoutSeconds: 70}}\n");
  ASSERT_TRUE(file_.Load().ok());
  EXPECT_EQ(Change(), "none");
  Write("defaults: {heartbeat: {timeoutSeconds: 70}}\n");
  EXPECT_EQ(Change(), "none");
  Write("defaults: {heartbeat: {timeoutSeconds: 80}}\n");
  EXPECT_EQ(Change(), "80");
  EXPECT_EQ(Change(), "none");
}

TEST_F(ConfigFileTest, AMistakeIsToldOnceAndItsMendingLoaded) {
  Write("");
  ASSERT_TRUE(file_.Load().ok());
  Write("default: {}\n");
  EXPECT_NE(Change().find(":1:1: default: unknown key"), std::string::npos);
  EXPECT_EQ(Change(), "none");
  Write("defaults: {heartbeat: {timeoutSeconds: 90}}\n");
  EXPECT_EQ(Change(), "90");
}

TEST_F(ConfigFileTest, ABadValueIsAMistakeToo) {
  Write("");
  ASSERT_TRUE(file_.Load().ok());
  Write("lanes: {etl: {deadlineSeconds: soon}}\n");
  const std::string told = Change();
  EXPECT_NE(told.find("lanes.etl.deadlineSeconds: expected a whole number"), std::string::npos)
      << told;
  EXPECT_EQ(told.find("is held"), std::string::npos) << told;
}

TEST_F(ConfigFileTest, AFileThatIsAwayForAMomentIsReadWhenItIsBack) {
  Write("defaults: {heartbeat: {timeoutSeconds: 70}}\n");
  ASSERT_TRUE(file_.Load().ok());
  std::remove(path_.c_str());
  EXPECT_NE(Change().find("can't be read"), std::string::npos);
  EXPECT_EQ(Change(), "none");
  Write("defaults: {heartbeat: {timeoutSeconds: 70}}\n");
  EXPECT_EQ(Change(), "70") << "so that it is known to be in force again";
}

}  // namespace
}  // namespace jobrun
