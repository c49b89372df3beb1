#include "controller/kube/live_credentials.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tests/kube_io/client.h"
#include "tests/kube_io/pki.h"

namespace jobrun {
namespace {

using std::chrono::seconds;
using testing::Identity;
using testing::TempDir;
using testing::TestCa;

class Lines : public LogSink {
 public:
  void Write(const LogLine& line) override { lines.push_back(line.fields.at(0).second); }
  std::vector<std::string> lines;
};

Mono At(int second) { return Mono(seconds(second)); }

class LiveCredentialsTest : public ::testing::Test {
 protected:
  LiveCredentialsTest() {
    credentials_.origin = "the test";
    credentials_.server = ParseServerUrl("https://127.0.0.1:1").value();
    credentials_.token_file = dir_.Write("token", "one\n");
    credentials_.ca.file = dir_.Write("ca.crt", ca_.pem());
    const Identity client = ca_.Issue();
    credentials_.client_certificate.file = dir_.Write("tls.crt", client.certificate_pem);
    credentials_.client_key.file = dir_.Write("tls.key", client.key_pem);
  }
  std::shared_ptr<LiveCredentials> Make() {
    return LiveCredentials::Make(credentials_, &log_).value();
  }
  std::string MakeError() { return LiveCredentials::Make(credentials_, &log_).error().ToString(); }

  TempDir dir_;
  TestCa ca_;
  Credentials credentials_;
  Lines log_;
};

TEST_F(LiveCredentialsTest, RereadsTheTokenWithinAMinute) {
  const auto live = Make();
  EXPECT_EQ(live->Authorization(At(0)), "Bearer one");
  dir_.Write("token", "two");
  EXPECT_EQ(live->Authorization(At(29)), "Bearer one");
  EXPECT_EQ(live->Authorization(At(30)), "Bearer two");
}

TEST_F(LiveCredentialsTest, KeepsTheTokenWhileTheFileIsBeingSwapped) {
  const auto live = Make();
  EXPECT_EQ(live->Authorization(At(0)), "Bearer one");
  int now = 0;
  for (const char* text : {"", " \n", "half\nwritten"}) {
    dir_.Write("token", text);
    EXPECT_EQ(live->Authorization(At(now += 60)), "Bearer one") << text;
  }
  std::remove(credentials_.token_file.c_str());
  EXPECT_EQ(live->Authorization(At(now += 60)), "Bearer one");
  EXPECT_EQ(log_.lines.size(), 1U) << "told once";
  dir_.Write("token", "two");
  EXPECT_EQ(live->Authorization(At(now += 60)), "Bearer two");
}

TEST_F(LiveCredentialsTest, RereadsAtOnceAfterARefusal) {
  const auto live = Make();
  const std::string used = live->Authorization(At(0));
  EXPECT_FALSE(live->RereadAfterRefusal(At(2), used)) << "nothing new to try";
  dir_.Write("token", "two");
  EXPECT_TRUE(live->RereadAfterRefusal(At(4), used));
  EXPECT_EQ(live->Authorization(At(4)), "Bearer two");
  EXPECT_TRUE(live->RereadAfterRefusal(At(4), used)) << "found by another request already";
}

TEST_F(LiveCredentialsTest, NewFilesAreUsedByNewConnections) {
  const auto live = Make();
  const auto first = live->ForNewConnection();
  EXPECT_EQ(live->ForNewConnection().context, first.context) << "nothing changed";
  dir_.Write("ca.crt", TestCa().pem());
  const auto second = live->ForNewConnection();
  EXPECT_NE(second.context, first.context);
  EXPECT_NE(second.generation, first.generation);
  dir_.Write("ca.crt", TestCa().pem());
  EXPECT_EQ(live->Authorization(At(0)), "Bearer one");
  EXPECT_EQ(live->Authorization(At(40)), "Bearer one");
  EXPECT_NE(live->tls_generation(), second.generation) << "noticed without a connection too";
}

TEST_F(LiveCredentialsTest, ARewrittenFileOfTheSameContentIsNoChange) {
  const auto live = Make();
  const auto first = live->ForNewConnection();
  dir_.Write("ca.crt", ca_.pem());
  EXPECT_EQ(live->ForNewConnection().generation, first.generation);
}

TEST_F(LiveCredentialsTest, AHalfDoneRotationKeepsTheLastGood) {
  const auto live = Make();
  const auto first = live->ForNewConnection();
  const Identity fresh = ca_.Issue();
  dir_.Write("tls.crt", fresh.certificate_pem);  // the key is still the old one
  EXPECT_EQ(live->ForNewConnection().generation, first.generation);
  dir_.Write("ca.crt", "");
  EXPECT_EQ(live->ForNewConnection().generation, first.generation);
  EXPECT_EQ(log_.lines.size(), 1U);
  dir_.Write("tls.key", fresh.key_pem);
  dir_.Write("ca.crt", ca_.pem());
  EXPECT_NE(live->ForNewConnection().generation, first.generation);
}

TEST_F(LiveCredentialsTest, WhatIsUnusableAtStartIsAnError) {
  const std::string end = "; the credentials come from the test";
  dir_.Write("ca.crt", "");
  EXPECT_EQ(MakeError(), "read the CA " + credentials_.ca.file + ": the file is empty" + end);
  dir_.Write("ca.crt", "not PEM");
  EXPECT_EQ(MakeError(), "set up TLS: the CA bundle holds no PEM certificate" + end);
  std::remove(credentials_.ca.file.c_str());
  EXPECT_EQ(MakeError(), "read " + credentials_.ca.file + ": No such file or directory" + end);
  dir_.Write("ca.crt", ca_.pem());
  dir_.Write("tls.key", ca_.Issue().key_pem);
  EXPECT_EQ(MakeError(), "set up TLS: client-key does not belong to client-certificate" + end);
  dir_.Write("tls.key", "not PEM");
  EXPECT_EQ(MakeError(),
            "set up TLS: client-key holds no PEM private key, or one with a password" + end);
  dir_.Write("tls.crt", "not PEM");
  EXPECT_EQ(MakeError(), "set up TLS: client-certificate holds no PEM certificate" + end);
  dir_.Write("token", "");
  EXPECT_EQ(MakeError(), "read the token " + credentials_.token_file + ": the file is empty");
}

TEST_F(LiveCredentialsTest, NamesWhatWasRefused) {
  EXPECT_EQ(Make()->RefusalText(),
            "https://127.0.0.1:1 refused the token in " + credentials_.token_file +
                " (401); it comes from the test: is it expired, or of another cluster?");
}

}  // namespace
}  // namespace jobrun
