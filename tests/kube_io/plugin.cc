#include "tests/kube_io/plugin.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>

#include "controller/base/real_clock.h"
#include "controller/base/rfc3339.h"
#include "controller/wire/json_string.h"

namespace jobrun::testing {
namespace {

constexpr Nanos kPatience = std::chrono::minutes(1);
constexpr char kVersion[] = "client.authentication.k8s.io/v1";

}  // namespace

std::string TokenStatus(const std::string& token) { return R"({"token":")" + token + "\"}"; }

std::string TokenStatus(const std::string& token, std::chrono::milliseconds life) {
  return R"({"token":")" + token + R"(","expirationTimestamp":")" +
         FormatMicroTime(ReadWallClock() + life) + "\"}";
}

std::string CertificateStatus(const Identity& identity) {
  std::string status = R"({"clientCertificateData":)";
  AppendJsonString(status, identity.certificate_pem);
  status += R"(,"clientKeyData":)";
  AppendJsonString(status, identity.key_pem);
  return status + "}";
}

TestPlugin::TestPlugin() {
  plugin_.command = dir_.Write(
      "plugin", "#!/bin/sh\nexport DIR=" + dir_.path() + "\necho run >> $DIR/runs\n. $DIR/body\n");
  chmod(plugin_.command.c_str(), 0755);
  plugin_.api_version = kVersion;
  plugin_.terminal = ExecPlugin::Terminal::kNever;
  plugin_.owner = "the test";
  Give(TokenStatus("first"));
}

void TestPlugin::Give(const std::string& status) {
  dir_.Write("answer", std::string(R"({"apiVersion":")") + kVersion +
                           R"(","kind":"ExecCredential","status":)" + status + "}");
  Do("exec cat $DIR/answer");
}

int TestPlugin::Runs() const {
  const Result<std::string> runs = ReadCredentialFile(dir_.path() + "/runs");
  return runs.ok() ? static_cast<int>(std::ranges::count(runs.value(), '\n')) : 0;
}

Credentials TestPlugin::For(const std::string& url, const std::string& ca_pem) const {
  Credentials credentials = Trusting(url, ca_pem, "");
  credentials.exec = plugin_;
  return credentials;
}

void LoggedErrors::Write(const LogLine& line) {
  const std::lock_guard lock(mutex_);
  texts_.push_back(line.fields.at(0).second);
}

std::vector<std::string> LoggedErrors::Texts() {
  const std::lock_guard lock(mutex_);
  return texts_;
}

void Eventually(const std::function<bool()>& done) {
  const Mono due = ReadClocks().mono + kPatience;
  while (!done()) {
    if (ReadClocks().mono > due) {
      ADD_FAILURE() << "what the test waits for did not come";
      return;
    }
    poll(nullptr, 0, 5);
  }
}

}  // namespace jobrun::testing
