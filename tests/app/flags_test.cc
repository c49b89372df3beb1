#include "controller/app/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "controller/app/bind_address.h"

namespace jobrun {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::variant<Flags, EarlyExit> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "jobrun-controller");
  return ParseFlags(static_cast<int>(words.size()), words.data());
}

Flags Good(std::vector<const char*> words) {
  auto parsed = Parse(std::move(words));
  if (const auto* exit = std::get_if<EarlyExit>(&parsed)) {
    ADD_FAILURE() << exit->text;
    return {};
  }
  return std::get<Flags>(std::move(parsed));
}

std::vector<std::string> Namespaces(const Flags& flags) {
  std::vector<std::string> names;
  for (const WatchScope& scope : flags.scopes) names.push_back(scope.name_space);
  return names;
}

TEST(FlagsTest, NoneGiveTheDefaults) {
  const Flags flags = Good({});
  EXPECT_EQ(flags.kubeconfig, "");
  EXPECT_EQ(flags.config, "");
  EXPECT_THAT(Namespaces(flags), testing::ElementsAre(""));
  EXPECT_EQ(flags.metrics_address, ":8080");
  EXPECT_EQ(flags.probe_address, ":8081");
  EXPECT_EQ(flags.log_level, LogLevel::kInfo);
  EXPECT_EQ(flags.log_format, LogFormat::kText);
}

TEST(FlagsTest, AllAreRead) {
  const Flags flags =
      Good({"--kubeconfig=/k", "--config", "/c", "--namespace=b", "--namespace", "a", "--selector",
            "team=x,tier!=y", "--metrics-bind-address=0", "--health-probe-bind-address", "[::1]:0",
            "--log-level=debug", "--log-format=json"});
  EXPECT_EQ(flags.kubeconfig, "/k");
  EXPECT_EQ(flags.config, "/c");
  EXPECT_THAT(Namespaces(flags), testing::ElementsAre("a", "b"));
  EXPECT_EQ(flags.scopes[1].selector, "team=x,tier!=y");
  EXPECT_EQ(flags.metrics_address, "0");
  EXPECT_EQ(flags.probe_address, "[::1]:0");
  EXPECT_EQ(flags.log_level, LogLevel::kDebug);
  EXPECT_EQ(flags.log_format, LogFormat::kJson);
}

TEST(FlagsTest, ScopesDontOverlap) {
  EXPECT_THAT(Namespaces(Good({"--namespace=a", "--namespace=b", "--namespace=a"})),
              testing::ElementsAre("a", "b"));
  EXPECT_THAT(Namespaces(Good({"--namespace=a", "--namespace", ""})), testing::ElementsAre(""));
}

TEST(FlagsTest, TheLastOfSeveralCounts) {
  EXPECT_EQ(Good({"--config=a", "--config=b"}).config, "b");
}

TEST(FlagsTest, TheSelectorHoldsInEveryScope) {
  const Flags flags = Good({"--selector=a=b", "--namespace=x", "--namespace=y"});
  for (const WatchScope& scope : flags.scopes) EXPECT_EQ(scope.selector, "a=b");
  EXPECT_EQ(Good({"--selector=a=b"}).scopes.at(0).selector, "a=b");
}

TEST(FlagsTest, HelpAndVersionEndWellAndAreForStdout) {
  const auto help = std::get<EarlyExit>(Parse({"--help"}));
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.text, HasSubstr("--health-probe-bind-address"));
  EXPECT_THAT(help.text, Not(HasSubstr("print-metrics-doc")));
  const auto version = std::get<EarlyExit>(Parse({"--version"}));
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.text, "jobrun-controller " JOBRUN_VERSION "\n");
}

struct BadUsage {
  std::vector<const char*> words;
  const char* message;
};

const BadUsage kBadUsages[] = {
    {{"--namspace=a"}, "unknown flag --namspace, did you mean --namespace?"},
    {{"--frobnicate"}, "unknown flag --frobnicate"},
    {{"--leader-election-namespace=A"},
     "--leader-election-namespace: expected the name of a namespace, found A"},
    {{"--leader-election-id=a_b"},
     "--leader-election-id: expected the name of a Lease (lower-case letters, digits, '-' and '.', "
     "at most 253), found a_b"},
    {{"--leader-election-id", ""},
     "--leader-election-id: expected the name of a Lease (lower-case letters, digits, '-' and '.', "
     "at most 253), found "},
    {{"-v"}, "unknown flag -v"},
    {{"run"}, "unexpected argument run"},
    {{"--namespace", "a", "b"}, "unexpected argument b"},
    {{"--config"}, "--config: expected a value, found none"},
    {{"--namespace="}, "--namespace: expected a value, found none"},
    {{"--log-level=trace"}, "--log-level: expected debug, info, warn or error, found trace"},
    {{"--log-format=xml"}, "--log-format: expected text or json, found xml"},
    {{"--namespace=a b"}, "--namespace: expected the name of a namespace, found a b"},
    {{"--namespace=Prod"}, "--namespace: expected the name of a namespace, found Prod"},
    {{"--metrics-bind-address=8080"},
     "--metrics-bind-address: expected HOST:PORT, :PORT or [IPV6]:PORT, found 8080"},
    {{"--health-probe-bind-address=:65536"},
     "--health-probe-bind-address: expected HOST:PORT, :PORT or [IPV6]:PORT, found :65536"},
};

TEST(BadUsageTest, IsOneLineAndCodeTwo) {
  for (const BadUsage& c : kBadUsages) {
    const auto parsed = Parse(c.words);
    ASSERT_TRUE(std::holds_alternative<EarlyExit>(parsed));
    const auto& exit = std::get<EarlyExit>(parsed);
    EXPECT_EQ(exit.code, 2);
    EXPECT_EQ(exit.text, "jobrun-controller: " + std::string(c.message) + " (see --help)\n");
  }
}

TEST(FlagsTest, LeaderElectionIsOffUnlessAskedFor) {
  const auto parsed = [](std::vector<const char*> words) { return std::get<Flags>(Parse(words)); };
  EXPECT_FALSE(parsed({}).leader_elect);
  EXPECT_TRUE(parsed({"--leader-elect"}).leader_elect);
  EXPECT_TRUE(parsed({"--leader-elect=true"}).leader_elect);
  EXPECT_FALSE(parsed({"--leader-elect=false"}).leader_elect);
  EXPECT_EQ(parsed({}).election_id, "jobrun-controller");
  const Flags flags =
      parsed({"--leader-election-namespace=jobrun-system", "--leader-election-id=a.b-c"});
  EXPECT_EQ(flags.election_namespace, "jobrun-system");
  EXPECT_EQ(flags.election_id, "a.b-c");
}

TEST(FlagsTest, TheLeaseIsNamedAfterWhatIsWatched) {
  const auto lease = [](std::vector<const char*> words) { return Good(words).election_id; };
  const std::vector<std::string> leases = {lease({}),
                                           lease({"--selector=team=a"}),
                                           lease({"--selector=team=b"}),
                                           lease({"--namespace=a"}),
                                           lease({"--namespace=a", "--namespace=b"}),
                                           lease({"--namespace=a", "--selector=team=a"})};
  EXPECT_EQ(std::set(leases.begin(), leases.end()).size(), leases.size());
  EXPECT_EQ(leases[1], "jobrun-controller-cafd45d7d3312204");  // Of every build.
  EXPECT_EQ(lease({"--namespace=b", "--namespace=a"}), lease({"--namespace=a", "--namespace=b"}));
  EXPECT_EQ(lease({"--namespace", "", "--selector", ""}), lease({}));
  EXPECT_EQ(lease({"--selector=team=a", "--leader-election-id=x"}), "x");
}

TEST(FlagsTest, NamespacesAreBounded) {
  std::vector<std::string> texts;
  for (int i = 0; i < 101; ++i) texts.push_back("--namespace=n" + std::to_string(i));
  std::vector<const char*> words;
  for (const auto& text : texts) words.push_back(text.c_str());
  EXPECT_TRUE(std::holds_alternative<EarlyExit>(Parse(words)));
  words.pop_back();
  EXPECT_TRUE(std::holds_alternative<Flags>(Parse(words)));
}

TEST(FlagsTest, SecureMetrics) {
  const auto flags = std::get<Flags>(Parse({"--metrics-secure", "--metrics-cert-path=/c",
                                            "--metrics-cert-name=a", "--metrics-cert-key=b"}));
  EXPECT_TRUE(flags.metrics_secure);
  EXPECT_EQ(flags.metrics_certificate_path, "/c");
  EXPECT_EQ(flags.metrics_certificate, "a");
  EXPECT_EQ(flags.metrics_key, "b");
  EXPECT_EQ(std::get<Flags>(Parse({})).metrics_certificate, "tls.crt");
  EXPECT_TRUE(std::holds_alternative<EarlyExit>(Parse({"--metrics-cert-path=/c"})));
  const auto shared = Parse({"--metrics-secure", "--metrics-bind-address=:8081"});
  ASSERT_TRUE(std::holds_alternative<EarlyExit>(shared));
  EXPECT_NE(std::get<EarlyExit>(shared).text.find("--metrics-bind-address"), std::string::npos);
  EXPECT_TRUE(std::holds_alternative<Flags>(
      Parse({"--metrics-secure", "--metrics-bind-address=0", "--health-probe-bind-address=0"})));
}

TEST(BindAddressTest, ReadsWhatGoReads) {
  const auto parsed = [](const char* text) {
    const auto address = ParseBindAddress(text);
    EXPECT_TRUE(address) << text;
    return address ? *address : BindAddress{};
  };
  EXPECT_EQ(parsed(":8080"), (BindAddress{"", 8080}));
  EXPECT_EQ(parsed(":0"), (BindAddress{"", 0}));
  EXPECT_EQ(parsed("127.0.0.1:65535"), (BindAddress{"127.0.0.1", 65535}));
  EXPECT_EQ(parsed("[::1]:80"), (BindAddress{"::1", 80}));
  EXPECT_EQ(parsed("localhost:80"), (BindAddress{"localhost", 80}));
}

TEST(BindAddressTest, RefusesTheRest) {
  for (const char* text : {"", "0", "8080", ":", ":x", ":-1", ":65536", ":80 ", "::1:80", "[]:80",
                           "[::1:80", "::1]:80", "[::1]", "a:b:80"}) {
    EXPECT_FALSE(ParseBindAddress(text)) << text;
  }
}

}  // namespace
}  // namespace jobrun
