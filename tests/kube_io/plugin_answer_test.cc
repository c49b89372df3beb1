#include "controller/kube/plugin_answer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "tests/kube_io/plugin.h"

namespace jobrun {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::CertificateStatus;
using testing::Identity;
using testing::TestCa;
using testing::TestPlugin;
using testing::TokenStatus;

class PluginAnswerTest : public ::testing::Test {
 protected:
  Result<ExecCredential> Ask() {
    Credentials credentials = plugin_.For("https://a:1", ca_);
    credentials.proxy = proxy_;
    return AskPlugin(credentials, terms_);
  }
  // The error, which begins with whose it is.
  std::string Mistake() {
    const Result<ExecCredential> answer = Ask();
    if (answer.ok()) return "none";
    EXPECT_EQ(answer.error().operation,
              "ask the credential plugin " + plugin_.plugin().command + " of the test");
    EXPECT_EQ(answer.error().detail.find("secret"), std::string::npos);
    return answer.error().detail;
  }

  TestPlugin plugin_;
  std::string ca_;
  std::optional<ProxyAddress> proxy_;
  PluginTerms terms_{.may_ask = true, .time_max = seconds(60), .time_max_asking = seconds(60)};
};

TEST_F(PluginAnswerTest, IsATokenOrACertificate) {
  EXPECT_EQ(Ask()->token, "first");
  const Identity identity = TestCa().Issue();
  plugin_.Give(CertificateStatus(identity));
  EXPECT_EQ(Ask()->key_pem, identity.key_pem);
}

TEST_F(PluginAnswerTest, MistakesNameThePluginAndNoSecret) {
  plugin_.Do("echo secret");
  EXPECT_EQ(Mistake(), "what it printed (7 bytes) can't be used: expected one JSON object");
  plugin_.Do(":");
  EXPECT_EQ(Mistake(), "what it printed (0 bytes) can't be used: expected one JSON object");
  plugin_.Give(TokenStatus("secret token"));
  EXPECT_NE(Mistake().find("can't be used: status.token holds spaces"), std::string::npos);
  plugin_.Do("echo secret; exit 2");
  EXPECT_EQ(Mistake(), "it ended with exit code 2; what it says about it is on standard error");
  plugin_.Do("yes secret");
  EXPECT_EQ(Mistake(), "it printed more than 1048576 bytes");
  plugin_.Do("exec sleep 1000");
  terms_.time_max = milliseconds(100);
  EXPECT_EQ(Mistake(), "it did not end within 100 ms");
}

TEST_F(PluginAnswerTest, APairThatDoesNotFitIsAMistake) {
  TestCa ca;
  plugin_.Give(CertificateStatus({ca.Issue().certificate_pem, ca.Issue().key_pem}));
  EXPECT_EQ(Mistake(),
            "status.clientCertificateData, status.clientKeyData: client-key does not belong to "
            "client-certificate");
  plugin_.Give(CertificateStatus({"no PEM", "no PEM"}));
  EXPECT_NE(Mistake().find("holds no PEM certificate"), std::string::npos);
}

TEST_F(PluginAnswerTest, OneThatIsMissingComesWithItsHint) {
  plugin_.plugin().command = "no-such-plugin";
  EXPECT_EQ(Mistake(), "it can't be started: No such file or directory; is it installed?");
  plugin_.plugin().install_hint = "apt install it";
  EXPECT_EQ(Mistake(),
            "it can't be started: No such file or directory; is it installed?: apt install it");
  EXPECT_EQ(Ask().error().code, Code::kNotFound);
}

TEST_F(PluginAnswerTest, GetsItsWordsItsVariablesAndOurs) {
  plugin_.plugin().arguments = {"one", "two words"};
  plugin_.plugin().environment = {{"PLUGIN_TEST", "mine"}, {"HOME", "/replaced"}};
  setenv("PLUGIN_TEST", "ours", 1);
  setenv("PLUGIN_TEST_OTHER", "ours", 1);
  plugin_.Do(R"(printf '%s|' "$@" $PLUGIN_TEST $PLUGIN_TEST_OTHER $HOME > $DIR/got)");
  EXPECT_FALSE(Ask().ok());
  unsetenv("PLUGIN_TEST");
  unsetenv("PLUGIN_TEST_OTHER");
  EXPECT_EQ(ReadCredentialFile(plugin_.dir().path() + "/got").value(),
            "one|two words|mine|ours|/replaced|");
}

class PluginInfoTest : public PluginAnswerTest {
 protected:
  std::string Info() {
    plugin_.Do("printf %s \"$KUBERNETES_EXEC_INFO\" > $DIR/info");
    EXPECT_FALSE(Ask().ok());
    const Result<std::string> info = ReadCredentialFile(plugin_.dir().path() + "/info");
    if (!info.ok()) return {};
    return info->substr(info->find("\"spec\":"));
  }
};

TEST_F(PluginInfoTest, SaysNothingOfTheClusterUnlessItIsAskedFor) {
  EXPECT_EQ(Info(), R"("spec":{"interactive":false}})");
}

TEST_F(PluginInfoTest, TellsTheClusterWhereItIsAskedFor) {
  plugin_.plugin().wants_cluster = true;
  plugin_.plugin().cluster_config = R"({"audience":"a"})";
  ca_ = "hello, world!";
  proxy_ = ParseProxyUrl("http://me:pw@proxy:1", "").value();
  EXPECT_EQ(Info(), R"("spec":{"cluster":{"server":"https://a:1",)"
                    R"("certificate-authority-data":"aGVsbG8sIHdvcmxkIQ==",)"
                    R"("proxy-url":"http://me:pw@proxy:1","config":{"audience":"a"}},)"
                    R"("interactive":false}})");
}

// With a terminal of the test's own as standard input.
class PluginTerminalTest : public PluginInfoTest {
 protected:
  PluginTerminalTest() : before_(dup(STDIN_FILENO)), terminal_(posix_openpt(O_RDWR | O_NOCTTY)) {
    grantpt(terminal_);
    unlockpt(terminal_);
    Use(open(ptsname(terminal_), O_RDWR | O_NOCTTY));
  }
  ~PluginTerminalTest() override {
    Use(before_);
    close(terminal_);
  }
  static void Use(int fd) {
    dup2(fd, STDIN_FILENO);
    close(fd);
  }
  static void UseNone() { Use(open("/dev/null", O_RDONLY)); }

  int before_;
  int terminal_;
};

TEST_F(PluginTerminalTest, IsHandedOnWhereTheKubeconfigSaysSo) {
  using Terminal = ExecPlugin::Terminal;
  constexpr char kYes[] = R"("spec":{"interactive":true}})";
  constexpr char kNo[] = R"("spec":{"interactive":false}})";
  EXPECT_EQ(Info(), kNo) << "Never";
  plugin_.plugin().terminal = Terminal::kIfAvailable;
  EXPECT_EQ(Info(), kYes);
  plugin_.plugin().terminal = Terminal::kAlways;
  EXPECT_EQ(Info(), kYes);
  plugin_.Do("test -t 0 && exec cat $DIR/answer");
  EXPECT_EQ(Ask()->token, "first") << "the terminal itself";

  terms_.may_ask = false;
  EXPECT_EQ(Mistake(),
            "it must ask somebody (interactiveMode: Always), which it may at the start only; start "
            "anew to log in again");
  plugin_.plugin().terminal = Terminal::kIfAvailable;
  EXPECT_EQ(Info(), kNo);
  terms_.may_ask = true;

  UseNone();
  EXPECT_EQ(Info(), kNo);
  plugin_.plugin().terminal = Terminal::kAlways;
  EXPECT_EQ(Mistake(),
            "it must ask somebody (interactiveMode: Always), but standard input is no terminal");
}

TEST_F(PluginTerminalTest, WhoeverIsAskedHasMoreTime) {
  plugin_.plugin().terminal = ExecPlugin::Terminal::kIfAvailable;
  terms_.time_max = milliseconds(1);
  EXPECT_TRUE(Ask().ok());
  terms_.time_max_asking = milliseconds(100);
  plugin_.Do("exec sleep 1000");
  EXPECT_EQ(Mistake(), "it did not end within 100 ms");
}

}  // namespace
}  // namespace jobrun
