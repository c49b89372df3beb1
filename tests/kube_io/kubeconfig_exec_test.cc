// `exec` of a kubeconfig's user.
#include <gtest/gtest.h>

#include <string>

#include "controller/kube/kubeconfig.h"
#include "controller/kube/yaml_json.h"
#include "tests/kube_io/client.h"

namespace jobrun {
namespace {

using testing::TempDir;
using Terminal = ExecPlugin::Terminal;

std::string With(const std::string& user, const std::string& cluster = "{server: https://a}") {
  return "clusters:\n- name: c\n  cluster: " + cluster + "\nusers:\n- name: u\n  user: " + user +
         "\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\ncurrent-context: x\n";
}

class KubeconfigExecTest : public ::testing::Test {
 protected:
  Result<Credentials> Load(const std::string& text) {
    return LoadKubeconfig({.files = {dir_.Write("config", text)}});
  }
  std::string Mistake(const std::string& user, const std::string& cluster = "{server: https://a}") {
    const Result<Credentials> found = Load(With(user, cluster));
    if (found.ok()) return "none";
    EXPECT_EQ(found.error().operation, "read the kubeconfig " + dir_.path() + "/config");
    return found.error().detail;
  }
  TempDir dir_;
};

constexpr char kLeast[] =
    "{exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, "
    "interactiveMode: IfAvailable}}";

TEST_F(KubeconfigExecTest, IsReadWhole) {
  const Credentials found = Load(With(R"(
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args: [eks, get-token, --cluster-name, "7"]
      env: [{name: AWS_PROFILE, value: dev}, {name: EMPTY}]
      installHint: |
        Install it:
          apt install aws
      interactiveMode: Never
      provideClusterInfo: true)",
                                      R"(
    server: https://a
    extensions:
    - {name: other, extension: {a: b}}
    - name: client.authentication.k8s.io/exec
      extension: {audience: x, ids: [1, "2", true, null, 1.5e3, 007], nested: {}})"))
                                .value();
  const ExecPlugin& exec = found.exec.value();
  EXPECT_EQ(exec.command, "aws");
  EXPECT_EQ(exec.arguments, (std::vector<std::string>{"eks", "get-token", "--cluster-name", "7"}));
  EXPECT_EQ(exec.environment, (std::vector<std::pair<std::string, std::string>>{
                                  {"AWS_PROFILE", "dev"}, {"EMPTY", ""}}));
  EXPECT_EQ(exec.install_hint, "Install it: apt install aws");
  EXPECT_EQ(exec.terminal, Terminal::kNever);
  EXPECT_TRUE(exec.wants_cluster);
  EXPECT_EQ(exec.cluster_config,
            R"({"audience":"x","ids":[1,"2",true,null,1.5e3,"007"],"nested":{}})");
  EXPECT_EQ(exec.Title(), "the credential plugin aws of user \"u\" of " + dir_.path() + "/config");
}

TEST_F(KubeconfigExecTest, NeedsLittle) {
  const ExecPlugin exec = Load(With(kLeast))->exec.value();
  EXPECT_EQ(exec.terminal, Terminal::kIfAvailable);
  EXPECT_FALSE(exec.wants_cluster);
  EXPECT_TRUE(exec.arguments.empty());
  const Credentials older =
      Load(With("{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws}}"))
          .value();
  EXPECT_EQ(older.exec->api_version, "client.authentication.k8s.io/v1beta1");
}

TEST_F(KubeconfigExecTest, APathIsRelativeToTheKubeconfig) {
  const auto command = [&](const std::string& text) {
    return Load(With("{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, "
                     "command: " +
                     text + "}}"))
        ->exec->command;
  };
  EXPECT_EQ(command("bin/aws"), dir_.path() + "/bin/aws");
  EXPECT_EQ(command("./aws"), dir_.path() + "/aws");
  EXPECT_EQ(command("/usr/bin/aws"), "/usr/bin/aws");
  EXPECT_EQ(command("aws"), "aws") << "looked for in $PATH";
}

TEST_F(KubeconfigExecTest, IsNotRunForAServerWithoutTls) {
  const Credentials found = Load(With(kLeast, "{server: \"http://a\"}")).value();
  EXPECT_FALSE(found.exec);
  EXPECT_EQ(found.warnings.size(), 1U);
}

TEST_F(KubeconfigExecTest, MistakesSayWhereAndWhat) {
  const std::string exec = "{exec: {command: aws, ";
  const std::string v1 = "apiVersion: client.authentication.k8s.io/v1, ";
  struct Case {
    std::string user;
    const char* detail;
  };
  const Case cases[] = {
      {"{exec: aws}", "line 6, column 16: user \"u\": exec: expected a mapping"},
      {"{exec: {}}", "line 6, column 16: user \"u\": exec: command: missing"},
      {exec + "apiVersion: client.authentication.k8s.io/v1alpha1}}",
       "line 6, column 43: user \"u\": exec: apiVersion: expected client.authentication.k8s.io/v1 "
       "or client.authentication.k8s.io/v1beta1"},
      {"{exec: {command: aws}}", "line 6, column 16: user \"u\": exec: apiVersion: expected"},
      {exec + v1 + "}}", "line 6, column 16: user \"u\": exec: interactiveMode: expected Never, "},
      {exec + v1 + "interactiveMode: never}}",
       "line 6, column 93: user \"u\": exec: interactiveMode: expected Never, IfAvailable or "},
      {exec + "args: a}}", "line 6, column 37: user \"u\": args: expected a list"},
      {exec + "args: [[a]]}}", "line 6, column 38: user \"u\": exec: args: expected strings"},
      {exec + "env: {A: b}}}", "line 6, column 36: user \"u\": env: expected a list"},
      {exec + "env: [A]}}", "line 6, column 37: user \"u\": exec: env: expected a name and a"},
      {exec + "env: [{value: b}]}}", "line 6, column 37: user \"u\": exec: env: the name is miss"},
      {exec + "env: [{name: A=b}]}}", "line 6, column 37: user \"u\": exec: env: the name is mis"},
      {exec + v1 + "interactiveMode: Never, provideClusterInfo: 1}}",
       "line 6, column 120: user \"u\": provideClusterInfo: expected true or false"},
      {exec + v1 + "interactiveMode: Never}, token: a}",
       "line 6, column 16: user \"u\": exec excludes token, tokenFile and client-certificate: "}};
  for (const Case& one : cases) {
    EXPECT_EQ(Mistake(one.user).substr(0, std::string(one.detail).size()), one.detail) << one.user;
  }
}

TEST_F(KubeconfigExecTest, AnExtensionWithoutEndIsRefused) {
  const std::string user =
      "{exec: {command: aws, apiVersion: client.authentication.k8s.io/v1, "
      "interactiveMode: Never, provideClusterInfo: true}}";
  const std::string begin =
      "{server: https://a, extensions: [{name: client.authentication.k8s.io/exec, extension: ";
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_EQ(Mistake(user, begin + nested(32) + "}]}"), "none");
  EXPECT_NE(Mistake(user, begin + nested(40) + "}]}").find("nested more than 32 deep"),
            std::string::npos);
  std::string bomb = "[&a [x,x,x,x,x,x,x,x,x,x], ";
  for (char name = 'b'; name <= 'h'; ++name) {
    const std::string before = "*" + std::string(1, static_cast<char>(name - 1)) + " ";
    bomb += "&" + std::string(1, name) + " [";
    for (int i = 0; i < 10; ++i) bomb += before + ",";
    bomb += "], ";
  }
  EXPECT_NE(Mistake(user, begin + bomb + "]}]}").find("is larger than 64 KiB"), std::string::npos);
}

}  // namespace
}  // namespace jobrun
