#include "controller/kube/plugin_renewal.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include <filesystem>
#include <string>

#include "controller/base/real_clock.h"
#include "controller/kube/live_credentials.h"
#include "tests/kube_io/plugin.h"

namespace jobrun {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::CertificateStatus;
using testing::Eventually;
using testing::Identity;
using testing::LoggedErrors;
using testing::TestCa;
using testing::TestPlugin;
using testing::TokenStatus;

std::size_t Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

class PluginRenewalTest : public ::testing::Test {
 protected:
  PluginRenewalTest() { Start(TokenStatus("first")); }
  ~PluginRenewalTest() override {
    live_.reset();
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
  }

  void Start(const std::string& status) {
    live_.reset();
    plugin_.Give(status);
    live_ =
        LiveCredentials::Make(plugin_.For("https://127.0.0.1:1", ca_.pem()), &log_, times_).value();
  }
  std::string Token() { return live_->Authorization(ReadClocks().mono); }
  bool Refused(const std::string& token) {
    return live_->RereadAfterRefusal(ReadClocks().mono, token);
  }

  RenewalTimes times_{.run_max = seconds(30), .pause = milliseconds(50), .pause_max = seconds(1)};
  TestCa ca_;
  TestPlugin plugin_;
  LoggedErrors log_;
  std::shared_ptr<LiveCredentials> live_;
};

TEST_F(PluginRenewalTest, ThePluginIsRunOnceWhileItsCredentialsAreGood) {
  EXPECT_EQ(Token(), "Bearer first");
  EXPECT_EQ(Token(), "Bearer first");
  EXPECT_EQ(plugin_.Runs(), 1);
}

TEST_F(PluginRenewalTest, ItIsRunAgainBeforeTheyExpire) {
  Start(TokenStatus("short", seconds(2)));
  const Mono expiry = ReadClocks().mono + seconds(2);
  EXPECT_EQ(Token(), "Bearer short");
  plugin_.Give(TokenStatus("next", std::chrono::hours(1)));
  Eventually([&] { return Token() == "Bearer next"; });
  EXPECT_LT(ReadClocks().mono, expiry);
  EXPECT_EQ(plugin_.Runs(), 3);  // one of them at the start of the fixture
  EXPECT_TRUE(log_.Texts().empty());
}

TEST_F(PluginRenewalTest, TheLastGoodStayInUseWithOneWarningWhileItFails) {
  Start(TokenStatus("good", seconds(1)));
  plugin_.Do("exit 1");
  Eventually([&] { return plugin_.Runs() >= 5; });
  EXPECT_EQ(Token(), "Bearer good");
  ASSERT_EQ(log_.Texts().size(), 1U);
  EXPECT_EQ(log_.Texts()[0], "ask the credential plugin " + plugin_.plugin().command +
                                 " of the test: it ended with exit code 1; what it says about it "
                                 "is on standard error");
  plugin_.Give(TokenStatus("back"));
  Eventually([&] { return Token() == "Bearer back"; });
  EXPECT_EQ(log_.Texts().size(), 1U);
}

TEST_F(PluginRenewalTest, ARefusalAsksItAgainWithoutWaitingForIt) {
  plugin_.Do("while ! test -e $DIR/go; do sleep 0.01; done; exec cat $DIR/answer");
  const std::string used = Token();
  const Mono before = ReadClocks().mono;
  EXPECT_FALSE(Refused(used)) << "nothing new yet";
  EXPECT_FALSE(Refused(used)) << "and not asked twice at a time";
  EXPECT_EQ(Token(), "Bearer first");
  EXPECT_LT(ReadClocks().mono - before, seconds(5));
  Eventually([&] { return plugin_.Runs() == 2; });
  plugin_.dir().Write("answer", R"({"apiVersion":"client.authentication.k8s.io/v1",)"
                                R"("kind":"ExecCredential","status":{"token":"second"}})");
  plugin_.dir().Write("go", "");
  Eventually([&] { return Token() == "Bearer second"; });
  EXPECT_TRUE(Refused(used)) << "there is another by now";
  EXPECT_EQ(plugin_.Runs(), 2) << "a late refusal of the old one asks for nothing";
}

TEST_F(PluginRenewalTest, HoweverOftenItIsRefusedThereIsAPauseBetweenRuns) {
  times_.pause = std::chrono::hours(1);
  times_.pause_max = std::chrono::hours(1);
  Start(TokenStatus("first"));
  plugin_.Give(TokenStatus("second"));
  EXPECT_FALSE(Refused("Bearer first"));
  Eventually([&] { return Token() == "Bearer second"; });
  const int runs = plugin_.Runs();
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Refused("Bearer second"));
    poll(nullptr, 0, 5);
  }
  EXPECT_EQ(plugin_.Runs(), runs);
}

TEST_F(PluginRenewalTest, CredentialsThatHaveExpiredAlreadyAreUsedWithAWarning) {
  Start(TokenStatus("old", seconds(-60)));
  EXPECT_EQ(Token(), "Bearer old");
  Eventually([&] { return plugin_.Runs() >= 4; });
  ASSERT_EQ(log_.Texts().size(), 1U);
  EXPECT_NE(log_.Texts()[0].find("have expired already; is this machine's clock right?"),
            std::string::npos);
}

TEST_F(PluginRenewalTest, ARenewedCertificateIsForNewConnections) {
  Start(CertificateStatus(ca_.Issue()));
  const auto first = live_->ForNewConnection();
  EXPECT_EQ(live_->tls_generation(), first.generation);
  plugin_.Give(CertificateStatus(ca_.Issue()));
  EXPECT_FALSE(Refused(""));
  Eventually([&] { return live_->tls_generation() != first.generation; });
  EXPECT_NE(live_->ForNewConnection().context, first.context);
}

// No expirationTimestamp: the certificate's own end counts.
TEST_F(PluginRenewalTest, ACertificateIsRenewedBeforeItsEnd) {
  Start(CertificateStatus(ca_.Issue({.not_after_seconds = 3})));
  const std::uint64_t before = live_->tls_generation();
  plugin_.Give(CertificateStatus(ca_.Issue()));
  Eventually([&] { return live_->tls_generation() != before; });
}

TEST_F(PluginRenewalTest, OneThatHangsEndsWithItsCredentials) {
  plugin_.Do("exec sleep 1000");
  const std::size_t threads = Threads();
  EXPECT_FALSE(Refused(Token()));
  Eventually([&] { return plugin_.Runs() == 2; });
  const Mono before = ReadClocks().mono;
  live_.reset();
  EXPECT_LT(ReadClocks().mono - before, seconds(10));
  EXPECT_EQ(Threads(), threads - 1);
  EXPECT_TRUE(log_.Texts().empty());
}

TEST_F(PluginRenewalTest, OneThatHangsIsGivenUp) {
  times_.run_max = milliseconds(200);
  Start(TokenStatus("good"));
  plugin_.Do("exec sleep 1000");
  EXPECT_FALSE(Refused(Token()));
  Eventually([&] { return log_.Texts().size() == 1; });
  EXPECT_NE(log_.Texts()[0].find("it did not end within 200 ms"), std::string::npos);
  plugin_.Give(TokenStatus("back"));
  Eventually([&] { return Token() == "Bearer back"; });
}

TEST_F(PluginRenewalTest, OneThatFailsAtTheStartIsAnError) {
  plugin_.Do("exit 1");
  const auto made = LiveCredentials::Make(plugin_.For("https://127.0.0.1:1", ""), &log_, times_);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().operation,
            "ask the credential plugin " + plugin_.plugin().command + " of the test");
}

TEST_F(PluginRenewalTest, ARefusalNamesThePlugin) {
  EXPECT_EQ(live_->RefusalText(),
            "https://127.0.0.1:1 refused what the credential plugin " + plugin_.plugin().command +
                " of the test gave (401): it is asked again; is it for another cluster?");
}

}  // namespace
}  // namespace jobrun
